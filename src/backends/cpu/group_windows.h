// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "ir/op.h"

namespace vitrum::cpu {

/// The groups' windows, largest first.
[[nodiscard]] inline auto sorted_windows(GroupWindowAttention const& op) {
    auto sizes = op.windows;
    std::sort(sizes.begin(), sizes.end(), std::greater<>());
    return sizes;
}

/// Whether windows lie whole inside the next larger ones, each in whole vectors: then one pass over the largest windows
/// serves all groups. Shifted windows straddle each other.
[[nodiscard]] inline bool are_nested(GroupWindowAttention const& op, std::int64_t lanes) {
    auto const [large, middle, small] = sorted_windows(op);
    return !op.shifted && large % middle == 0 && middle % small == 0 && small * small % lanes == 0;
}

}  // namespace vitrum::cpu
