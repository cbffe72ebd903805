// SPDX-License-Identifier: Apache-2.0
#include "packed_weights.h"

#include <cstring>

#include "base/buffer.h"
#include "base/mapped_file.h"

namespace vitrum {
namespace {

std::span<std::byte const> bytes_of(Constant const& constant) {
    return {constant.bytes(), static_cast<std::size_t>(constant.shape.count()) * size_of(constant.dtype)};
}

}  // namespace

std::byte const* PackedWeights::canonical(Constant const& constant) {
    if (memory_.is_host() && !lies_in_mapped_file(constant.bytes())) return constant.bytes();
    std::scoped_lock const lock(mutex_);
    auto const bytes = bytes_of(constant);
    std::pair const key{bytes.data(), bytes.size()};
    auto found = copies_.find(key);
    if (found == copies_.end()) {
        found = copies_.emplace(key, copy(bytes.data(), bytes.size())).first;
        give_back_mapped_pages(bytes);
    }
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
            block = copy(buffer.data(), packing.bytes);
        }
        found = packed_.emplace(key, std::move(block)).first;
        give_back_mapped_pages(bytes_of(constant));
    }
    return found->second.data();
}

Block PackedWeights::copy(std::byte const* from, std::size_t bytes) {
    Block block = memory_.allocate(bytes);
    if (bytes == 0) return block;
    if (memory_.is_host()) std::memcpy(block.data(), from, bytes);
    else memory_.upload(block.data(), from, bytes);
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
