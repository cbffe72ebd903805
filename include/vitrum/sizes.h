// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>

namespace vitrum {

/// The sizes of one run of a network: N pictures of H × W pixels at its input.
struct Sizes {
    std::int64_t n = 1, h = 1, w = 1;
    auto operator<=>(Sizes const&) const = default;
};

}  // namespace vitrum
