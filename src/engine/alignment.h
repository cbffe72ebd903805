// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace vitrum {

/// Where tensors begin, in memory and in engine files: at cache lines, which hold the widest vectors.
inline constexpr std::size_t kAlignment = 64;

[[nodiscard]] constexpr std::size_t aligned(std::size_t bytes) {
    return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace vitrum
