// SPDX-License-Identifier: Apache-2.0
#include "packed_weights.h"

#include "base/buffer.h"

namespace vitrum {

std::byte const* PackedWeights::canonical(Constant const& constant) {
    if (memory_.is_host()) return constant.bytes();
    std::scoped_lock const lock(mutex_);
    std::pair const key{constant.bytes(), static_cast<std::size_t>(constant.shape.count()) * size_of(constant.dtype)};
    auto found = copies_.find(key);
    if (found == copies_.end()) found = copies_.emplace(key, upload(key.first, key.second)).first;
    return found->second.data();
}

std::byte const* PackedWeights::get(Constant const& constant, Packing const& packing) {
    std::scoped_lock const lock(mutex_);
    Key const key{constant.data, {constant.shape.begin(), constant.shape.end()}, packing.key};
    auto found = packed_.find(key);
    if (found == packed_.end()) {
        Block block;
        if (memory_.is_host()) {
            block = memory_.allocate(packing.bytes);
            packing.pack(constant.data, constant.shape, packing.key, block.data());
        } else {
            Buffer const buffer(packing.bytes);
            packing.pack(constant.data, constant.shape, packing.key, buffer.data());
            block = upload(buffer.data(), packing.bytes);
        }
        found = packed_.emplace(key, std::move(block)).first;
    }
    return found->second.data();
}

Block PackedWeights::upload(std::byte const* from, std::size_t bytes) {
    Block block = memory_.allocate(bytes);
    if (bytes > 0) memory_.upload(block.data(), from, bytes);
    return block;
}

std::size_t PackedWeights::bytes() const {
    std::scoped_lock const lock(mutex_);
    std::size_t total = 0;
    for (auto const& [key, block] : packed_) total += block.size_bytes;
    for (auto const& [key, block] : copies_) total += block.size_bytes;
    return total;
}

}  // namespace vitrum
