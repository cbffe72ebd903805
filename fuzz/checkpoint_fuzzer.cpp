// SPDX-License-Identifier: Apache-2.0
// A whole file of any format: magic bytes, zip directories, legacy streams, plain pickles.

#include "checkpoint_touch.h"
#include "vitrum/error.h"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    try {
        touch(vitrum::read_checkpoint({reinterpret_cast<std::byte const*>(data), size}, "fuzz", nullptr));
    } catch (vitrum::Error const&) {
        // what a damaged file is meant to end in
    }
    return 0;
}
