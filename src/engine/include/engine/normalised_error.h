// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

namespace vitrum {

/// max|y − ŷ| / std(y) of as many numbers on both sides. Infinite where one is none, and where all of `expected` are
/// the same, so that there is nothing to compare with.
[[nodiscard]] double normalised_error(std::span<float const> made, std::span<float const> expected);

}  // namespace vitrum
