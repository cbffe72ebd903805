// SPDX-License-Identifier: Apache-2.0
#include "engine/made_up_picture.h"

#include <cmath>

namespace vitrum {

void fill_with_waves(std::span<float> picture, std::int64_t width, std::int64_t channels, double range) {
    auto const w = static_cast<std::size_t>(width), c_count = static_cast<std::size_t>(channels);
    std::uint32_t state = 1;
    for (std::size_t i = 0; i < picture.size(); ++i) {
        auto const c = static_cast<double>(i % c_count), x = static_cast<double>(i / c_count % w),
                   y = static_cast<double>(i / c_count / w);
        state = state * 1664525U + 1013904223U;  // Numerical Recipes' generator
        double const noise = static_cast<double>(state >> 8) / (1 << 24) - 0.5;
        picture[i] =
            static_cast<float>((0.5 + 0.5 * std::sin(0.35 * y + c) * std::cos(0.27 * x - c) + 0.2 * noise) * range);
    }
}

}  // namespace vitrum
