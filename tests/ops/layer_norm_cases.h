// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string_view>

#include "op_case.h"

namespace vitrum::test {

struct LayerNormCase {
    std::string_view name;
    int n = 1, h = 1, w = 1, c = 60;
    double mean = 0;
    double deviation = 1;
    float epsilon = 1e-5F;
};

inline constexpr auto kLayerNormCases = std::to_array<LayerNormCase>({
    {.name = "one_pixel"},
    {.name = "one_channel", .h = 3, .w = 5, .c = 1},
    {.name = "c2", .h = 4, .w = 3, .c = 2},
    {.name = "c3", .h = 5, .w = 7, .c = 3},
    {.name = "c12", .n = 2, .h = 3, .w = 5, .c = 12},
    {.name = "c16", .h = 6, .w = 6, .c = 16},
    {.name = "c17", .h = 6, .w = 5, .c = 17},
    {.name = "c30", .h = 6, .w = 7, .c = 30},
    {.name = "c60", .h = 12, .w = 13, .c = 60},
    {.name = "c90", .n = 2, .h = 5, .w = 3, .c = 90},
    {.name = "c96", .h = 9, .w = 7, .c = 96},
    {.name = "c180", .h = 16, .w = 9, .c = 180},
    {.name = "c240", .h = 8, .w = 8, .c = 240},
    // The stream of a trained SwinIR, a mean that drowns a one-pass variance, and values below epsilon.
    {.name = "large_stream", .h = 8, .w = 9, .c = 180, .deviation = 1e5},
    {.name = "far_mean", .h = 7, .w = 9, .c = 60, .mean = 1000},
    {.name = "tiny", .h = 7, .w = 9, .c = 60, .deviation = 1e-3},
    {.name = "below_epsilon", .h = 7, .w = 9, .c = 60, .deviation = 1e-6},
    {.name = "large_epsilon", .h = 5, .w = 5, .c = 60, .epsilon = 1e-2F},
    {.name = "no_epsilon", .h = 5, .w = 5, .c = 60, .epsilon = 0.0F},
});

[[nodiscard]] OpCase to_case(LayerNormCase const& c);

}  // namespace vitrum::test
