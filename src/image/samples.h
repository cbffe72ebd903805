// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace vitrum::image {

/// The sample value of white.
template <class T>
inline constexpr float kWhite = std::is_floating_point_v<T> ? 1.F : static_cast<float>(std::numeric_limits<T>::max());

/// A value in units of the sample type as a sample: clamped, rounded half up, NaN to 0.
template <class T>
[[nodiscard]] inline T to_sample(float value) {
    if constexpr (std::is_floating_point_v<T>) {
        return value;
    } else {
        // The order of the comparison sends NaN to 0. 65535.5 is exact in float32.
        float const clamped = value > 0 ? std::min(value, kWhite<T>) : 0.F;
        return static_cast<T>(clamped + 0.5F);
    }
}

/// Luma of BT.601 on encoded values.
[[nodiscard]] inline float luma(float r, float g, float b) {
    return 0.299F * r + 0.587F * g + 0.114F * b;
}

}  // namespace vitrum::image
