// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string_view>

#include "op_case.h"

namespace vitrum::test {

struct ConvMlpCase {
    std::string_view name;
    int n = 1, h = 1, w = 1, c = 31, hidden = 124;
    bool norm = true;
    Residual residual = Residual::same_as_x;
    double stream = 1;  ///< the deviation of x and of the residual
};

inline constexpr auto kConvMlpCases = std::to_array<ConvMlpCase>({
    {.name = "one_pixel"},
    {.name = "one_row", .h = 1, .w = 33},
    {.name = "one_column", .h = 35, .w = 1},
    {.name = "two_by_two", .h = 2, .w = 2, .c = 12, .hidden = 48},
    {.name = "batch", .n = 3, .h = 5, .w = 7, .c = 12, .hidden = 24},
    {.name = "long_rows", .h = 4, .w = 131, .c = 6, .hidden = 24},
    {.name = "wide", .h = 3, .w = 600, .c = 5, .hidden = 9},
    {.name = "tall", .h = 150, .w = 5, .c = 6, .hidden = 13},
    {.name = "mst_31", .h = 16, .w = 24},
    {.name = "mst_62", .h = 7, .w = 20, .c = 62, .hidden = 248},
    {.name = "mst_124", .h = 5, .w = 9, .c = 124, .hidden = 496},
    {.name = "cassi_28", .h = 13, .w = 16, .c = 28, .hidden = 112},
    {.name = "cassi_112", .n = 2, .h = 3, .w = 6, .c = 112, .hidden = 448},
    {.name = "one_channel", .h = 5, .w = 6, .c = 1, .hidden = 1, .norm = false},
    {.name = "hidden_smaller", .h = 6, .w = 7, .c = 20, .hidden = 7},
    {.name = "no_norm", .h = 9, .w = 11, .c = 12, .hidden = 48, .norm = false},
    {.name = "no_residual", .h = 9, .w = 11, .c = 12, .hidden = 48, .residual = Residual::none},
    {.name = "other_residual", .h = 9, .w = 11, .c = 12, .hidden = 48, .residual = Residual::other},
    {.name = "bare", .h = 8, .w = 16, .c = 16, .hidden = 32, .norm = false, .residual = Residual::none},
    {.name = "large_stream", .h = 12, .w = 17, .stream = 1e5},
    {.name = "far_gelu",
     .h = 6,
     .w = 7,
     .c = 12,
     .hidden = 24,
     .norm = false,
     .residual = Residual::none,
     .stream = 20},
});

[[nodiscard]] OpCase to_case(ConvMlpCase const& c);

}  // namespace vitrum::test
