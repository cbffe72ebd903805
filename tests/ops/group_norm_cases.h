// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string_view>

#include "op_case.h"

namespace vitrum::test {

struct GroupNormCase {
    std::string_view name;
    int n = 1, h = 1, w = 1, c = 64, groups = 32;
    double mean = 0;
    double deviation = 1;
    float epsilon = 1e-5F;
};

inline constexpr auto kGroupNormCases = std::to_array<GroupNormCase>({
    {.name = "one_pixel"},
    {.name = "c256", .h = 9, .w = 13, .c = 256},
    {.name = "batch", .n = 3, .h = 6, .w = 5, .c = 64},
    {.name = "odd_channels", .h = 7, .w = 5, .c = 21, .groups = 3},
    {.name = "one_group", .h = 8, .w = 7, .c = 17, .groups = 1},
    {.name = "one_channel_groups", .h = 8, .w = 7, .c = 18, .groups = 18},
    {.name = "many_pixels", .n = 2, .h = 67, .w = 45, .c = 48, .groups = 8},
    {.name = "wide", .h = 3, .w = 4, .c = 9000, .groups = 30},
    {.name = "large_stream", .h = 16, .w = 17, .deviation = 1e5},
    {.name = "far_mean", .h = 16, .w = 17, .mean = 1000},
    {.name = "tiny", .h = 16, .w = 17, .deviation = 1e-3},
    {.name = "below_epsilon", .h = 8, .w = 9, .deviation = 1e-6},
    {.name = "no_epsilon", .h = 8, .w = 9, .epsilon = 0.0F},
});

[[nodiscard]] OpCase to_case(GroupNormCase const& c);

}  // namespace vitrum::test
