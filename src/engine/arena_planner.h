// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

namespace vitrum {

/// Memory that steps `first` to `last` (inclusive) of a program need.
struct ArenaBlock {
    std::size_t bytes = 0;
    int first = 0;
    int last = 0;
};

struct ArenaPlan {
    std::vector<std::size_t> offsets;  ///< of each block, 64-byte aligned
    std::size_t bytes = 0;
};

/// Places blocks so that those alive at one step never overlap. Greedy by size (Pisarchyk & Lee 2020): the
/// largest first, each in the lowest gap that fits; within a few percent of the lower bound on our networks.
[[nodiscard]] ArenaPlan plan_arena(std::vector<ArenaBlock> const& blocks);

}  // namespace vitrum
