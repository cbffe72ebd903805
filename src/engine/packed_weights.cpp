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

std::byte const* PackedWeights::canonical(ValueId id, Constant const& constant) {
    auto& known = known_copies_[static_cast<std::size_t>(id)];
    if (auto const* const data = known.load(std::memory_order_acquire)) return data;
    if (memory_.is_host() && !lies_in_mapped_file(constant.bytes())) return constant.bytes();
    std::scoped_lock const lock(mutex_);
    auto const bytes = bytes_of(constant);
    std::pair const key{bytes.data(), bytes.size()};
    auto found = copies_.find(key);
    if (found == copies_.end()) {
        found = copies_.emplace(key, copy(bytes.data(), bytes.size())).first;
        give_back_mapped_pages(bytes);
    }
    known.store(found->second.data(), std::memory_order_release);
    return found->second.data();
}

std::byte const* PackedWeights::get(ValueId id, Constant const& constant, Packing const& packing) {
    auto& known = known_forms_[static_cast<std::size_t>(id)];
    Form const* const first = known.load(std::memory_order_acquire);
    for (Form const* form = first; form != nullptr; form = form->next) {
        if (form->key == packing.key) return form->data;
    }
    std::scoped_lock const lock(mutex_);
    Key const key{constant.data, {constant.shape.begin(), constant.shape.end()}, packing.key};
    auto found = packed_.find(key);
    if (found == packed_.end()) {
        found = packed_.emplace(key, pack(constant, packing)).first;
        give_back_mapped_pages(bytes_of(constant));
    }
    // Another thread may have added it since: twice in the list does no harm.
    Form const& form = forms_.emplace_back(packing.key, found->second.data(), known.load());
    known.store(&form, std::memory_order_release);
    return found->second.data();
}

Block PackedWeights::pack(Constant const& constant, Packing const& packing) {
    if (memory_.is_host()) {
        Block block = memory_.allocate(packing.bytes);
        packing.pack(constant.data, constant.shape, packing.key, block.data());
        return block;
    }
    Buffer const buffer(packing.bytes);
    packing.pack(constant.data, constant.shape, packing.key, buffer.data());
    return copy(buffer.data(), packing.bytes);
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
