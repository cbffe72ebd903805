// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace vitrum {

/// One axis of a linear resampling: for each new position up to four old ones with weights.
struct AxisTaps {
    struct Tap {
        std::array<std::int32_t, 4> from{};
        std::array<float, 4> weight{};
    };
    std::vector<Tap> taps;
    [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(taps.size()); }
};

/// PyTorch's interpolate(mode="bilinear", align_corners=False): two neighbours, half-pixel centres, edges
/// repeated, nothing widened when shrinking; positions in float32 as there.
[[nodiscard]] AxisTaps bilinear_axis(std::int64_t from, std::int64_t to);

/// PyTorch's interpolate(mode="nearest"): the old position of each new one.
[[nodiscard]] std::vector<std::int32_t> nearest_axis(std::int64_t from, std::int64_t to);

/// First from `from` to `padded`, of which the first `kept` positions go on to `to`.
[[nodiscard]] AxisTaps bilinear_axis_through(std::int64_t from, std::int64_t padded, std::int64_t kept,
                                             std::int64_t to);

}  // namespace vitrum
