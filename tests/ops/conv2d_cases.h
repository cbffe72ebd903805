// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string_view>

#include "op_case.h"

namespace vitrum::test {

struct Conv2dCase {
    std::string_view name;
    int n = 1, h = 1, w = 1, c_in = 1, c_out = 1;
    int kernel = 3;
    int stride = 1;
    Activation activation = Activation::none;
    float negative_slope = 0;
    int pixel_shuffle = 1;
    bool bias = true;
    bool residual = false;
    double residual_deviation = 1;
};

inline constexpr auto kConv2dCases = std::to_array<Conv2dCase>({
    // Sizes: fewer pixels than taps, one row, one column, two pictures.
    {.name = "one_pixel", .h = 1, .w = 1, .c_in = 3, .c_out = 5},
    {.name = "one_row", .h = 1, .w = 17, .c_in = 3, .c_out = 12},
    {.name = "one_column", .h = 19, .w = 1, .c_in = 12, .c_out = 3},
    {.name = "two_by_two", .h = 2, .w = 2, .c_in = 16, .c_out = 16},
    {.name = "batch", .n = 2, .h = 5, .w = 7, .c_in = 12, .c_out = 20},
    {.name = "batch_odd_channels", .n = 3, .h = 3, .w = 4, .c_in = 7, .c_out = 13},
    {.name = "long_rows", .h = 3, .w = 130, .c_in = 8, .c_out = 24},
    // Channels of the families.
    {.name = "grey_head", .h = 9, .w = 11, .c_in = 1, .c_out = 60},
    {.name = "grey_tail", .h = 9, .w = 11, .c_in = 60, .c_out = 1},
    {.name = "grey_to_grey", .h = 8, .w = 9, .c_in = 1, .c_out = 1},
    {.name = "rgb_head", .h = 13, .w = 10, .c_in = 3, .c_out = 60},
    {.name = "rgb_tail", .h = 13, .w = 10, .c_in = 64, .c_out = 3},
    {.name = "c12", .h = 6, .w = 9, .c_in = 12, .c_out = 12},
    {.name = "c16", .h = 16, .w = 16, .c_in = 16, .c_out = 16},
    {.name = "c30", .h = 7, .w = 9, .c_in = 30, .c_out = 30},
    {.name = "c60", .h = 12, .w = 13, .c_in = 60, .c_out = 60},
    {.name = "c64", .h = 8, .w = 15, .c_in = 64, .c_out = 64},
    {.name = "c180", .h = 8, .w = 9, .c_in = 180, .c_out = 180},
    {.name = "c180_to_64", .h = 7, .w = 8, .c_in = 180, .c_out = 64},
    {.name = "c240_to_60", .h = 5, .w = 6, .c_in = 240, .c_out = 60},
    {.name = "c64_to_256", .h = 6, .w = 7, .c_in = 64, .c_out = 256},
    {.name = "c256", .h = 4, .w = 5, .c_in = 256, .c_out = 256},
    {.name = "no_bias", .h = 6, .w = 7, .c_in = 12, .c_out = 60, .bias = false},
    // 1 × 1.
    {.name = "k1_one_pixel", .c_in = 3, .c_out = 12, .kernel = 1},
    {.name = "k1_grey", .h = 5, .w = 7, .c_in = 1, .c_out = 3, .kernel = 1},
    {.name = "k1_c60", .n = 2, .h = 7, .w = 9, .c_in = 60, .c_out = 60, .kernel = 1},
    {.name = "k1_c240_to_60", .h = 7, .w = 5, .c_in = 240, .c_out = 60, .kernel = 1},
    {.name = "k1_c45_to_180", .h = 6, .w = 6, .c_in = 45, .c_out = 180, .kernel = 1, .bias = false},
    {.name = "k1_c256_to_12", .h = 5, .w = 6, .c_in = 256, .c_out = 12, .kernel = 1},
    // Strides and other kernels: down-sampling of U-shaped networks, stems of residual networks, patch embedding.
    {.name = "k3_stride2", .h = 9, .w = 12, .c_in = 12, .c_out = 20, .stride = 2},
    {.name = "k3_stride2_one_pixel", .c_in = 5, .c_out = 4, .stride = 2},
    {.name = "k1_stride2", .n = 2, .h = 7, .w = 8, .c_in = 16, .c_out = 24, .kernel = 1, .stride = 2, .bias = false},
    {.name = "k4_stride2", .h = 8, .w = 10, .c_in = 31, .c_out = 62, .kernel = 4, .stride = 2, .bias = false},
    {.name = "k4_stride2_odd", .h = 7, .w = 5, .c_in = 3, .c_out = 6, .kernel = 4, .stride = 2},
    {.name = "k7_stride2", .h = 15, .w = 18, .c_in = 3, .c_out = 64, .kernel = 7, .stride = 2},
    {.name = "k7_stride2_small", .h = 2, .w = 3, .c_in = 3, .c_out = 8, .kernel = 7, .stride = 2},
    {.name = "k4_stride4", .n = 2, .h = 16, .w = 12, .c_in = 3, .c_out = 96, .kernel = 4, .stride = 4},
    {.name = "k4_stride4_odd", .h = 13, .w = 10, .c_in = 3, .c_out = 12, .kernel = 4, .stride = 4},
    {.name = "k5", .h = 6, .w = 9, .c_in = 4, .c_out = 7, .kernel = 5},
    {.name = "k5_gelu_residual",
     .h = 7,
     .w = 6,
     .c_in = 6,
     .c_out = 9,
     .kernel = 5,
     .activation = Activation::gelu,
     .residual = true},
    {.name = "k3_stride2_leaky_relu_residual",
     .h = 9,
     .w = 7,
     .c_in = 8,
     .c_out = 12,
     .stride = 2,
     .activation = Activation::leaky_relu,
     .negative_slope = 0.2F,
     .residual = true},
    {.name = "k3_stride2_shuffle2", .h = 7, .w = 9, .c_in = 8, .c_out = 12, .stride = 2, .pixel_shuffle = 2},
    // Activations.
    {.name = "leaky_relu",
     .h = 9,
     .w = 8,
     .c_in = 60,
     .c_out = 64,
     .activation = Activation::leaky_relu,
     .negative_slope = 0.01F},
    {.name = "leaky_relu_steep",
     .h = 5,
     .w = 6,
     .c_in = 12,
     .c_out = 30,
     .activation = Activation::leaky_relu,
     .negative_slope = 0.2F,
     .bias = false},
    {.name = "relu", .h = 5, .w = 6, .c_in = 12, .c_out = 16, .activation = Activation::leaky_relu},
    {.name = "gelu", .h = 6, .w = 7, .c_in = 30, .c_out = 60, .activation = Activation::gelu},
    {.name = "k1_leaky_relu",
     .h = 7,
     .w = 6,
     .c_in = 45,
     .c_out = 45,
     .kernel = 1,
     .activation = Activation::leaky_relu,
     .negative_slope = 0.2F},
    {.name = "k1_gelu", .h = 5, .w = 5, .c_in = 30, .c_out = 120, .kernel = 1, .activation = Activation::gelu},
    // Residuals, added after the activation; a stream far larger than the convolution's own output.
    {.name = "residual", .h = 9, .w = 7, .c_in = 60, .c_out = 60, .residual = true},
    {.name = "residual_batch", .n = 2, .h = 5, .w = 6, .c_in = 30, .c_out = 30, .residual = true},
    {.name = "residual_no_bias", .h = 6, .w = 9, .c_in = 12, .c_out = 3, .bias = false, .residual = true},
    {.name = "residual_leaky_relu",
     .h = 6,
     .w = 5,
     .c_in = 64,
     .c_out = 64,
     .activation = Activation::leaky_relu,
     .negative_slope = 0.2F,
     .residual = true},
    {.name = "residual_gelu",
     .h = 6,
     .w = 5,
     .c_in = 16,
     .c_out = 30,
     .activation = Activation::gelu,
     .residual = true},
    {.name = "residual_rgb", .h = 11, .w = 13, .c_in = 60, .c_out = 3, .residual = true},
    {.name = "residual_large_stream",
     .h = 8,
     .w = 8,
     .c_in = 60,
     .c_out = 60,
     .residual = true,
     .residual_deviation = 1e5},
    {.name = "k1_residual", .h = 7, .w = 7, .c_in = 60, .c_out = 60, .kernel = 1, .residual = true},
    // PixelShuffle.
    {.name = "shuffle2_rgb", .h = 9, .w = 7, .c_in = 60, .c_out = 12, .pixel_shuffle = 2},
    {.name = "shuffle3_rgb", .h = 6, .w = 5, .c_in = 60, .c_out = 27, .pixel_shuffle = 3},
    {.name = "shuffle4_rgb", .h = 5, .w = 4, .c_in = 60, .c_out = 48, .pixel_shuffle = 4},
    {.name = "shuffle2_c64", .n = 2, .h = 5, .w = 6, .c_in = 64, .c_out = 256, .pixel_shuffle = 2},
    {.name = "shuffle3_c64", .h = 4, .w = 5, .c_in = 64, .c_out = 576, .pixel_shuffle = 3},
    {.name = "shuffle2_grey", .h = 3, .w = 5, .c_in = 12, .c_out = 4, .pixel_shuffle = 2, .bias = false},
    {.name = "shuffle2_activation_residual",
     .h = 5,
     .w = 6,
     .c_in = 16,
     .c_out = 24,
     .activation = Activation::leaky_relu,
     .negative_slope = 0.1F,
     .pixel_shuffle = 2,
     .residual = true},
    {.name = "k1_shuffle2", .h = 4, .w = 6, .c_in = 30, .c_out = 60, .kernel = 1, .pixel_shuffle = 2},
});

[[nodiscard]] OpCase to_case(Conv2dCase const& c);

}  // namespace vitrum::test
