// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string_view>

#include "op_case.h"

namespace vitrum::test {

struct MlpCase {
    std::string_view name;
    int n = 1, h = 1, w = 1, c = 60, hidden = 120;
    bool norm = true;
    Residual residual = Residual::same_as_x;
    double stream = 1;  ///< the deviation of x and of the residual
    Activation activation = Activation::gelu;
    double inside = 1;  ///< the deviation of the hidden layer
};

inline constexpr auto kMlpCases = std::to_array<MlpCase>({
    {.name = "one_pixel"},
    {.name = "one_channel", .h = 3, .w = 5, .c = 1, .hidden = 2, .norm = false, .residual = Residual::none},
    {.name = "light", .h = 8, .w = 13},
    {.name = "middle", .h = 7, .w = 9, .c = 180, .hidden = 360},
    {.name = "large", .h = 5, .w = 6, .c = 240, .hidden = 480},
    {.name = "swin_tiny", .h = 7, .w = 6, .c = 96, .hidden = 384},
    {.name = "swin_second", .h = 3, .w = 7, .c = 192, .hidden = 768},
    {.name = "batch", .n = 2, .h = 5, .w = 7, .c = 30, .hidden = 60},
    {.name = "odd_hidden", .h = 9, .w = 5, .c = 60, .hidden = 121},
    {.name = "odd_channels", .h = 4, .w = 9, .c = 31, .hidden = 67},
    {.name = "hidden_one", .h = 3, .w = 4, .c = 12, .hidden = 1},
    {.name = "hidden_smaller", .h = 6, .w = 7, .c = 90, .hidden = 45},
    {.name = "c3", .h = 5, .w = 5, .c = 3, .hidden = 12},
    {.name = "c12", .h = 5, .w = 6, .c = 12, .hidden = 24},
    {.name = "c16", .h = 8, .w = 8, .c = 16, .hidden = 32},
    {.name = "many_pixels", .h = 33, .w = 47, .c = 16, .hidden = 32},
    {.name = "many_pixels_light", .h = 31, .w = 22},
    {.name = "many_pixels_middle", .h = 19, .w = 21, .c = 180, .hidden = 360},
    {.name = "bare_middle", .h = 4, .w = 9, .c = 180, .hidden = 360, .norm = false, .residual = Residual::none},
    {.name = "other_residual_middle", .h = 4, .w = 9, .c = 180, .hidden = 360, .residual = Residual::other},
    {.name = "no_norm", .h = 7, .w = 9, .norm = false},
    {.name = "no_residual", .h = 7, .w = 9, .residual = Residual::none},
    {.name = "other_residual", .h = 7, .w = 9, .residual = Residual::other},
    {.name = "bare", .h = 7, .w = 9, .c = 90, .hidden = 180, .norm = false, .residual = Residual::none},
    {.name = "large_stream", .h = 8, .w = 9, .stream = 1e5},
    {.name = "large_stream_no_residual",
     .h = 8,
     .w = 9,
     .c = 180,
     .hidden = 360,
     .residual = Residual::none,
     .stream = 1e5},
    {.name = "relu",
     .n = 2,
     .h = 5,
     .w = 7,
     .c = 64,
     .hidden = 256,
     .norm = false,
     .activation = Activation::leaky_relu},
    {.name = "relu_c256",
     .h = 3,
     .w = 7,
     .c = 256,
     .hidden = 600,
     .norm = false,
     .stream = 1e5,
     .activation = Activation::leaky_relu},
    {.name = "swin_third", .h = 3, .w = 6, .c = 384, .hidden = 800},
    // Queries: pictures of one row.
    {.name = "queries_relu",
     .w = 100,
     .c = 256,
     .hidden = 600,
     .norm = false,
     .stream = 1e5,
     .activation = Activation::leaky_relu},
    {.name = "queries_gelu", .n = 3, .w = 20, .c = 70, .hidden = 131, .norm = false},
    // Pixels enough for kernels that want to fill a GPU.
    {.name = "rows_relu",
     .h = 23,
     .w = 29,
     .c = 64,
     .hidden = 100,
     .norm = false,
     .activation = Activation::leaky_relu},
    {.name = "rows_many_relu",
     .n = 3,
     .h = 19,
     .w = 37,
     .c = 72,
     .hidden = 1030,
     .norm = false,
     .residual = Residual::other,
     .stream = 1e5,
     .activation = Activation::leaky_relu},
    {.name = "rows_third", .h = 19, .w = 29, .c = 384, .hidden = 500},
    {.name = "rows_fourth", .h = 21, .w = 25, .c = 768, .hidden = 260, .residual = Residual::none},
    {.name = "rows_fifth", .h = 16, .w = 32, .c = 1536, .hidden = 64, .stream = 1e-6},
    {.name = "far_gelu", .h = 6, .w = 7, .norm = false, .residual = Residual::none, .stream = 20},
});

inline constexpr auto kWideMlpCases = std::to_array<MlpCase>({
    {.name = "huge_light", .h = 8, .w = 13, .inside = 1e6},
    {.name = "tiny_light", .h = 8, .w = 13, .inside = 1e-6},
    {.name = "huge_middle", .h = 7, .w = 9, .c = 180, .hidden = 360, .inside = 1e6},
    {.name = "tiny_middle", .h = 7, .w = 9, .c = 180, .hidden = 360, .inside = 1e-6},
    {.name = "many_tiles_light", .h = 199, .w = 191},
    {.name = "many_tiles_middle", .h = 159, .w = 163, .c = 180, .hidden = 360},
    {.name = "huge_first", .h = 7, .w = 9, .c = 96, .hidden = 384, .inside = 1e6},
    {.name = "tiny_second", .h = 7, .w = 9, .c = 192, .hidden = 768, .inside = 1e-6},
    {.name = "many_tiles_first", .h = 159, .w = 163, .c = 96, .hidden = 384},
    {.name = "many_tiles_second", .h = 131, .w = 130, .c = 192, .hidden = 768},
    // Rows enough for both products in one kernel.
    {.name = "many_rows",
     .h = 113,
     .w = 109,
     .c = 256,
     .hidden = 256,
     .norm = false,
     .residual = Residual::other,
     .stream = 1e4,
     .activation = Activation::leaky_relu},
    {.name = "many_rows_gelu", .h = 97, .w = 128, .c = 184, .hidden = 384, .norm = false},
    {.name = "huge_rows", .h = 23, .w = 31, .c = 256, .hidden = 512, .inside = 1e6},
    {.name = "tiny_rows", .h = 23, .w = 31, .c = 256, .hidden = 512, .inside = 1e-6},
});

[[nodiscard]] OpCase to_case(MlpCase const& c);

}  // namespace vitrum::test
