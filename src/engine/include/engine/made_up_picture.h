// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

namespace vitrum {

/// Fills [N, H, W, C], of `width` pixels a row, with what networks make sensible numbers of: waves, like the soft parts
/// of photos, and a little noise, between 0 and `range` but for the noise. The same on every machine.
void fill_with_waves(std::span<float> picture, std::int64_t width, std::int64_t channels, double range);

}  // namespace vitrum
