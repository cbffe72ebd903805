// SPDX-License-Identifier: Apache-2.0
// The data.pkl of a checkpoint whose storages are all 64 bytes long: reaches further into the tensors than a whole
// zip archive, whose directory most mutations break.

#include "checkpoint_touch.h"
#include "pickle.h"
#include "pickle_tensors.h"
#include "vitrum/error.h"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    vitrum::Source const source{"fuzz", {reinterpret_cast<std::byte const*>(data), size}, nullptr};
    std::vector<std::byte> const storage(64);
    try {
        auto const document = vitrum::pickle::read(source);
        auto const find = [&](vitrum::pickle::Storage const&) { return std::optional<vitrum::ByteSpan>(storage); };
        touch(vitrum::pickle::name_tensors(source, "torch zip", document, find));
    } catch (vitrum::Error const&) {
        // what a damaged file is meant to end in
    }
    return 0;
}
