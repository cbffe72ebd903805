// SPDX-License-Identifier: Apache-2.0
#include "packed_weights.h"

namespace vitrum {

std::byte const* PackedWeights::get(Constant const& constant, Packing const& packing) {
    std::scoped_lock const lock(mutex_);
    Key const key{constant.data, {constant.shape.begin(), constant.shape.end()}, packing.key};
    auto found = packed_.find(key);
    if (found == packed_.end()) {
        Buffer buffer(packing.bytes);
        packing.pack(constant.data, constant.shape, packing.key, buffer.data());
        found = packed_.emplace(key, std::move(buffer)).first;
    }
    return found->second.data();
}

std::size_t PackedWeights::bytes() const {
    std::scoped_lock const lock(mutex_);
    std::size_t total = 0;
    for (auto const& [key, buffer] : packed_) total += buffer.size_bytes();
    return total;
}

}  // namespace vitrum
