// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <mutex>
#include <tuple>
#include <vector>

#include "backends/backend.h"
#include "backends/memory.h"
#include "ir/graph.h"

namespace vitrum {

/// Weights as kernels ask for them, where the backend's kernels find them: made at first need and shared by every
/// program of an engine. What a mapped file holds is copied, and the file's pages go, so that no weight is in memory
/// twice. Thread-safe. What it gives is valid as long as it lives, and on the host as long as the constant does.
class PackedWeights {
public:
    explicit PackedWeights(Memory& memory) : memory_(memory) {}

    /// The constant itself; on devices, and of a mapped file, a copy, made once.
    std::byte const* canonical(Constant const& constant);
    /// The packed form of a constant.
    std::byte const* get(Constant const& constant, Packing const& packing);

    /// Of packed forms and copies.
    [[nodiscard]] std::size_t bytes() const;

private:
    [[nodiscard]] Block copy(std::byte const* from, std::size_t bytes);

    Memory& memory_;
    mutable std::mutex mutex_;
    // Tied weights may share an address under different shapes, so the shape belongs to the key.
    using Key = std::tuple<float const*, std::vector<std::int64_t>, PackingKey>;
    std::map<Key, Block> packed_;
    std::map<std::pair<std::byte const*, std::size_t>, Block> copies_;  ///< by address and size
};

}  // namespace vitrum
