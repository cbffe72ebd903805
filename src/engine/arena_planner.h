// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

#include "precedence.h"

namespace vitrum {

/// Memory that steps `first` to `last` (inclusive) of a program need.
struct ArenaBlock {
    std::size_t bytes = 0;
    int first = 0;
    int last = 0;
    std::vector<int> users = {};  ///< those that touch it, where steps run side by side
};

struct ArenaPlan {
    std::vector<std::size_t> offsets;  ///< of each block, 64-byte aligned
    std::size_t bytes = 0;
};

/// Places blocks so that those alive at one step never overlap. Greedy by size (Pisarchyk & Lee 2020): the
/// largest first, each in the lowest gap that fits; within a few percent of the lower bound on our networks.
[[nodiscard]] ArenaPlan plan_arena(std::vector<ArenaBlock> const& blocks);

/// For steps that run side by side where `order` lets them. Memory that is given on makes them wait for each other, so
/// that it rests for so many steps between two that know nothing of each other. In a chain that costs nothing.
[[nodiscard]] ArenaPlan plan_arena(std::vector<ArenaBlock> const& blocks, Precedence const& order, int rest);

}  // namespace vitrum
