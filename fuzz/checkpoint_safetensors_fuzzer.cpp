// SPDX-License-Identifier: Apache-2.0
// A safetensors header and its data, with the length in front always right, which mutations would break.

#include <cstring>

#include "checkpoint_touch.h"
#include "vitrum/error.h"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    std::size_t header = size;
    while (header > 0 && data[header - 1] != '}') --header;
    std::uint64_t const length = header;
    std::vector<std::byte> file(sizeof length + size);
    std::memcpy(file.data(), &length, sizeof length);
    if (size > 0) std::memcpy(file.data() + sizeof length, data, size);
    try {
        touch(vitrum::read_checkpoint(file, "fuzz", nullptr));
    } catch (vitrum::Error const&) {
        // what a damaged file is meant to end in
    }
    return 0;
}
