// SPDX-License-Identifier: Apache-2.0
#include "arena_planner.h"

#include <algorithm>
#include <numeric>

#include "alignment.h"

namespace vitrum {
namespace {

bool live_together(ArenaBlock const& a, ArenaBlock const& b) {
    return a.first <= b.last && b.first <= a.last;
}

}  // namespace

ArenaPlan plan_arena(std::vector<ArenaBlock> const& blocks) {
    std::vector<std::size_t> by_size(blocks.size());
    std::iota(by_size.begin(), by_size.end(), std::size_t{0});
    std::ranges::stable_sort(by_size, std::greater{}, [&](std::size_t i) { return blocks[i].bytes; });

    ArenaPlan plan{std::vector<std::size_t>(blocks.size(), 0), 0};
    std::vector<std::size_t> by_offset;  // already placed
    for (std::size_t const i : by_size) {
        std::size_t const bytes = aligned(blocks[i].bytes);
        std::size_t offset = 0;
        for (std::size_t const other : by_offset) {
            if (!live_together(blocks[i], blocks[other])) continue;
            if (offset + bytes <= plan.offsets[other]) break;
            offset = std::max(offset, plan.offsets[other] + aligned(blocks[other].bytes));
        }
        plan.offsets[i] = offset;
        plan.bytes = std::max(plan.bytes, offset + bytes);
        by_offset.insert(
            std::ranges::upper_bound(by_offset, offset, {}, [&](std::size_t j) { return plan.offsets[j]; }), i);
    }
    return plan;
}

}  // namespace vitrum
