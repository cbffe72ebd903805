// SPDX-License-Identifier: Apache-2.0
// A config.json or an index of shards.

#include "settings.h"
#include "vitrum/error.h"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    auto const* const bytes = reinterpret_cast<std::byte const*>(data);
    try {
        (void)vitrum::read_settings({"fuzz", {bytes, size}, nullptr});
    } catch (vitrum::Error const&) {
        // what a damaged file is meant to end in
    }
    return 0;
}
