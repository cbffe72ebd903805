// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <mutex>
#include <tuple>
#include <vector>

#include "backends/backend.h"
#include "base/buffer.h"
#include "ir/graph.h"

namespace vitrum {

/// Packed forms of weights, made at first need and shared by every program of an engine. Thread-safe.
class PackedWeights {
public:
    /// The packed form of a constant; valid as long as this object lives.
    std::byte const* get(Constant const& constant, Packing const& packing);

    [[nodiscard]] std::size_t bytes() const;

private:
    mutable std::mutex mutex_;
    // Tied weights may share an address under different shapes, so the shape belongs to the key.
    using Key = std::tuple<float const*, std::vector<std::int64_t>, PackingKey>;
    std::map<Key, Buffer> packed_;  // node-based: addresses stay
};

}  // namespace vitrum
