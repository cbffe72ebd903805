// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string_view>

#include "op_case.h"

namespace vitrum::test {

struct SpectralAttentionCase {
    std::string_view name;
    int n = 1, h = 1, w = 1, c = 31, heads = 1;
    bool guide = false;
    Residual residual = Residual::same_as_x;
    double rescale = 1;  ///< the mean of the factors on the cosines; the larger, the sharper the softmax
    double mean = 0;     ///< of x: features far from zero make dot products cancel
    double stream = 1;   ///< the deviation of x and of the residual
};

inline constexpr auto kSpectralAttentionCases = std::to_array<SpectralAttentionCase>({
    // Sizes: fewer pixels than taps, rows and columns of one, tails of every vector length, two pictures.
    {.name = "one_pixel"},
    {.name = "one_row", .h = 1, .w = 33},
    {.name = "one_column", .h = 35, .w = 1},
    {.name = "two_by_two", .h = 2, .w = 2, .c = 12, .heads = 2},
    {.name = "three_rows", .h = 3, .w = 17, .c = 5},
    {.name = "batch", .n = 3, .h = 6, .w = 7, .c = 12, .heads = 2},
    {.name = "batch_of_pixels", .n = 2, .c = 12, .heads = 3},
    {.name = "long_rows", .h = 4, .w = 131, .c = 12},
    {.name = "wide", .h = 3, .w = 600, .c = 6, .heads = 2},
    {.name = "tall", .h = 150, .w = 5, .c = 6, .heads = 2},
    // Channels of the families: 31 and 28, two and four times.
    {.name = "mst_31", .h = 16, .w = 24},
    {.name = "mst_62", .h = 9, .w = 20, .c = 62, .heads = 2},
    {.name = "mst_124", .h = 8, .w = 13, .c = 124, .heads = 4},
    {.name = "cassi_28", .h = 16, .w = 16, .c = 28, .guide = true},
    {.name = "cassi_56", .h = 9, .w = 10, .c = 56, .heads = 2, .guide = true},
    {.name = "cassi_112", .n = 2, .h = 5, .w = 6, .c = 112, .heads = 4, .guide = true},
    {.name = "one_channel", .h = 5, .w = 6, .c = 1},
    {.name = "heads_of_one", .h = 5, .w = 6, .c = 4, .heads = 4},
    {.name = "c16", .h = 8, .w = 16, .c = 16, .heads = 2},
    // Options.
    {.name = "no_residual", .h = 9, .w = 11, .c = 12, .residual = Residual::none},
    {.name = "other_residual", .h = 9, .w = 11, .c = 12, .residual = Residual::other},
    {.name = "guide_other_residual", .n = 2, .h = 5, .w = 19, .c = 12, .guide = true, .residual = Residual::other},
    // Values: sharp softmax, features with a large common part, a stream far from one.
    {.name = "sharp", .h = 12, .w = 17, .c = 12, .rescale = 20},
    {.name = "offset", .h = 40, .w = 50, .c = 31, .mean = 5},
    {.name = "large_stream", .h = 12, .w = 17, .c = 31, .stream = 1e4},
    {.name = "small_stream", .h = 12, .w = 17, .c = 31, .stream = 1e-6},
    {.name = "many_pixels", .h = 120, .w = 128, .c = 12, .heads = 2},
});

[[nodiscard]] OpCase to_case(SpectralAttentionCase const& c);

}  // namespace vitrum::test
