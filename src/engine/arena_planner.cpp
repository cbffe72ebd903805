// SPDX-License-Identifier: Apache-2.0
#include "arena_planner.h"

#include <algorithm>
#include <numeric>

#include "alignment.h"

namespace vitrum {
namespace {

/// Whether the lives of two blocks are less than `rest` steps apart, of which 0 is none.
bool live_together(ArenaBlock const& a, ArenaBlock const& b, int rest = 0) {
    return a.first <= b.last + rest && b.first <= a.last + rest;
}

/// Whether every step that touches `a` is over when the first one that touches `b` begins.
bool is_over(ArenaBlock const& a, ArenaBlock const& b, Precedence const& order) {
    return a.last < b.first && std::ranges::all_of(a.users, [&](int user) {
               return order.precedes(static_cast<std::size_t>(user), static_cast<std::size_t>(b.first));
           });
}

/// `apart(a, b)`: whether two blocks may not share memory.
template <class Apart>
ArenaPlan plan(std::vector<ArenaBlock> const& blocks, Apart const& apart) {
    std::vector<std::size_t> by_size(blocks.size());
    std::iota(by_size.begin(), by_size.end(), std::size_t{0});
    std::ranges::stable_sort(by_size, std::greater{}, [&](std::size_t i) { return blocks[i].bytes; });

    ArenaPlan plan{std::vector<std::size_t>(blocks.size(), 0), 0};
    std::vector<std::size_t> by_offset;  // already placed
    by_offset.reserve(blocks.size());
    for (std::size_t const i : by_size) {
        if (blocks[i].bytes == 0) break;  // as all that follow; steps without a workspace are many
        std::size_t const bytes = aligned(blocks[i].bytes);
        std::size_t offset = 0;
        for (std::size_t const other : by_offset) {
            if (!apart(blocks[i], blocks[other])) continue;
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

}  // namespace

ArenaPlan plan_arena(std::vector<ArenaBlock> const& blocks) {
    return plan(blocks, [](ArenaBlock const& a, ArenaBlock const& b) { return live_together(a, b); });
}

ArenaPlan plan_arena(std::vector<ArenaBlock> const& blocks, Precedence const& order, int rest) {
    return plan(blocks, [&](ArenaBlock const& a, ArenaBlock const& b) {
        if (live_together(a, b)) return true;
        return live_together(a, b, rest) && !is_over(a, b, order) && !is_over(b, a, order);
    });
}

}  // namespace vitrum
