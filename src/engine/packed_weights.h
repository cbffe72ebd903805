// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <deque>
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
    PackedWeights(Memory& memory, Graph const& graph)
        : memory_(memory), known_copies_(graph.values.size()), known_forms_(graph.values.size()) {}

    /// A constant of the graph itself; on devices, and of a mapped file, a copy, made once.
    std::byte const* canonical(ValueId id, Constant const& constant);
    /// The packed form of a constant.
    std::byte const* get(ValueId id, Constant const& constant, Packing const& packing);

    /// Of packed forms and copies.
    [[nodiscard]] std::size_t bytes() const;

private:
    /// A form that was asked for by a value before: the most recent one of each value, and behind it the others.
    struct Form {
        PackingKey key;
        std::byte const* data;
        Form const* next;

        Form(PackingKey const& key_, std::byte const* data_, Form const* next_) : key(key_), data(data_), next(next_) {}
    };

    [[nodiscard]] Block copy(std::byte const* from, std::size_t bytes);
    [[nodiscard]] Block pack(Constant const& constant, Packing const& packing);

    Memory& memory_;
    // Every program of every size asks for hundreds, of sessions side by side: what is known is found without the lock.
    std::vector<std::atomic<std::byte const*>> known_copies_;  ///< by value
    std::vector<std::atomic<Form const*>> known_forms_;        ///< by value
    mutable std::mutex mutex_;
    std::deque<Form> forms_;
    // Tied weights may share an address under different shapes, so the shape belongs to the key.
    using Key = std::tuple<float const*, std::vector<std::int64_t>, PackingKey>;
    std::map<Key, Block> packed_;
    std::map<std::pair<std::byte const*, std::size_t>, Block> copies_;  ///< by address and size
};

}  // namespace vitrum
