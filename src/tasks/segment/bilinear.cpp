// SPDX-License-Identifier: Apache-2.0
#include "tasks/segment/bilinear.h"

#include <algorithm>
#include <cmath>

namespace vitrum {

AxisTaps bilinear_axis(std::int64_t from, std::int64_t to) {
    float const scale = static_cast<float>(from) / static_cast<float>(to);
    AxisTaps axis;
    axis.taps.resize(static_cast<std::size_t>(to));
    for (std::int64_t i = 0; i < to; ++i) {
        float const at = std::max(scale * (static_cast<float>(i) + 0.5F) - 0.5F, 0.0F);
        auto const first = std::min(static_cast<std::int32_t>(at), static_cast<std::int32_t>(from - 1));
        auto const second = std::min(first + 1, static_cast<std::int32_t>(from - 1));
        float const share = std::min(at - static_cast<float>(first), 1.0F);
        axis.taps[static_cast<std::size_t>(i)] = {{first, second}, {1.0F - share, share}};
    }
    return axis;
}

std::vector<std::int32_t> nearest_axis(std::int64_t from, std::int64_t to) {
    float const scale = static_cast<float>(from) / static_cast<float>(to);
    std::vector<std::int32_t> axis(static_cast<std::size_t>(to));
    for (std::int64_t i = 0; i < to; ++i) {
        auto const at = static_cast<std::int32_t>(std::floor(static_cast<float>(i) * scale));
        axis[static_cast<std::size_t>(i)] = std::min(at, static_cast<std::int32_t>(from - 1));
    }
    return axis;
}

AxisTaps bilinear_axis_through(std::int64_t from, std::int64_t padded, std::int64_t kept, std::int64_t to) {
    AxisTaps const first = bilinear_axis(from, padded), second = bilinear_axis(kept, to);
    AxisTaps axis;
    for (AxisTaps::Tap const& outer : second.taps) {
        AxisTaps::Tap tap;
        for (std::size_t k = 0; k < 4; ++k) {
            AxisTaps::Tap const& inner = first.taps[static_cast<std::size_t>(outer.from[k / 2])];
            tap.from[k] = inner.from[k % 2];
            tap.weight[k] = outer.weight[k / 2] * inner.weight[k % 2];
        }
        axis.taps.push_back(tap);
    }
    return axis;
}

}  // namespace vitrum
