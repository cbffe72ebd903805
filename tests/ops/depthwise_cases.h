// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string_view>

#include "op_case.h"

namespace vitrum::test {

struct DepthwiseConvCase {
    std::string_view name;
    int n = 1, h = 1, w = 1, c = 1;
    int kernel = 3;
    bool bias = true;
    bool gated = false;
    double deviation = 1;  ///< of x: large ones saturate the gate
};

inline constexpr auto kDepthwiseConvCases = std::to_array<DepthwiseConvCase>({
    {.name = "one_pixel", .c = 5},
    {.name = "one_pixel_k5", .c = 5, .kernel = 5, .gated = true},
    {.name = "one_row", .h = 1, .w = 17, .c = 3},
    {.name = "one_column", .h = 19, .w = 1, .c = 3, .kernel = 5},
    {.name = "two_by_two", .h = 2, .w = 2, .c = 16, .kernel = 5},
    {.name = "batch", .n = 2, .h = 5, .w = 7, .c = 12, .bias = false},
    {.name = "c1", .h = 6, .w = 9, .c = 1},
    {.name = "c31", .h = 9, .w = 21, .c = 31, .kernel = 5, .gated = true},
    {.name = "c62", .n = 2, .h = 7, .w = 9, .c = 62, .kernel = 5, .gated = true},
    {.name = "c124", .h = 5, .w = 6, .c = 124, .kernel = 5, .gated = true},
    {.name = "cassi_28", .h = 12, .w = 66, .c = 28, .kernel = 5, .gated = true},
    {.name = "c16", .h = 8, .w = 16, .c = 16},
    {.name = "k3_gated", .h = 6, .w = 7, .c = 20, .bias = false, .gated = true},
    {.name = "saturated_gate", .h = 9, .w = 8, .c = 12, .kernel = 5, .gated = true, .deviation = 60},
});

[[nodiscard]] OpCase to_case(DepthwiseConvCase const& c);

struct ShiftBackCase {
    std::string_view name;
    int n = 1, h = 1, w = 1, c = 1;
    int to_w = 1;
    int step = 2;
    int full_rows = 256;
};

inline constexpr auto kShiftBackCases = std::to_array<ShiftBackCase>({
    // 256, 128 and 64 rows move channel c by 2c, c / 2 and c / 8 columns, fewer still less: rows here stand for
    // pictures of fewer full rows.
    {.name = "full", .h = 8, .w = 26, .c = 9, .to_w = 8, .full_rows = 8},
    {.name = "half", .n = 2, .h = 4, .w = 13, .c = 18, .to_w = 4, .full_rows = 8},
    {.name = "quarter", .h = 2, .w = 6, .c = 36, .to_w = 2, .full_rows = 8},
    {.name = "third", .h = 4, .w = 8, .c = 19, .to_w = 4, .full_rows = 12},
    {.name = "one_row", .h = 1, .w = 5, .c = 28, .to_w = 1},
    {.name = "step_one", .h = 5, .w = 9, .c = 4, .to_w = 6, .step = 1, .full_rows = 5},
    {.name = "no_shift", .h = 3, .w = 4, .c = 7, .to_w = 4, .step = 0},
});

[[nodiscard]] OpCase to_case(ShiftBackCase const& c);

}  // namespace vitrum::test
