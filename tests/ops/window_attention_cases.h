// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string_view>

#include "op_case.h"

namespace vitrum::test {

struct WindowAttentionCase {
    std::string_view name;
    int n = 1, h = 8, w = 8, c = 60;
    int heads = 6;
    int window = 8;
    int shift = 0;
    bool qkv_bias = true;
    bool norm = true;
    Residual residual = Residual::same_as_x;
    double logits = 1;  ///< their deviation: from 10 on softmax saturates
    double stream = 1;  ///< the deviation of x and of the residual
    double inside = 1;  ///< that of q, k and v
};

inline constexpr auto kWindowAttentionCases = std::to_array<WindowAttentionCase>({
    // SwinIR's layers: lightweight (60, 6 heads of 10), middle (180, 6 of 30), large (240, 8 of 30), JPEG's window 7.
    {.name = "light", .h = 16, .w = 24},
    {.name = "light_shifted", .h = 16, .w = 24, .shift = 4},
    {.name = "middle", .h = 16, .w = 16, .c = 180},
    {.name = "middle_shifted", .h = 24, .w = 16, .c = 180, .shift = 4},
    {.name = "large", .h = 8, .w = 16, .c = 240, .heads = 8},
    {.name = "large_shifted", .h = 16, .w = 16, .c = 240, .heads = 8, .shift = 4},
    {.name = "jpeg", .h = 14, .w = 21, .c = 180, .window = 7},
    {.name = "jpeg_shifted", .h = 14, .w = 21, .c = 180, .window = 7, .shift = 3},
    // One window: rolled onto itself, with up to four regions.
    {.name = "one_window", .c = 30, .heads = 3},
    {.name = "one_window_shifted", .c = 30, .heads = 3, .shift = 4},
    {.name = "one_window_seven", .h = 7, .w = 7, .c = 60, .window = 7},
    {.name = "one_window_seven_shifted", .h = 7, .w = 7, .c = 60, .window = 7, .shift = 3},
    {.name = "one_row_of_windows", .h = 8, .w = 40, .c = 12, .heads = 2, .shift = 4},
    {.name = "one_column_of_windows", .h = 40, .w = 8, .c = 12, .heads = 2, .shift = 4},
    {.name = "odd_shift", .h = 16, .w = 24, .c = 16, .heads = 2, .shift = 3},
    {.name = "shift_one", .h = 16, .w = 16, .c = 30, .heads = 2, .shift = 1},
    // Batches, heads and head sizes.
    {.name = "batch", .n = 2, .h = 16, .w = 8, .c = 60},
    {.name = "batch_shifted", .n = 3, .h = 16, .w = 16, .c = 24, .heads = 2, .shift = 4},
    {.name = "heads2_dim5", .h = 16, .w = 8, .c = 10, .heads = 2},
    {.name = "heads2_dim6", .h = 16, .w = 8, .c = 12, .heads = 2, .shift = 4},
    {.name = "heads3_dim10", .h = 16, .w = 16, .c = 30, .heads = 3, .shift = 4},
    {.name = "heads4_dim15", .h = 16, .w = 8, .c = 60, .heads = 4},
    {.name = "heads5_dim12", .h = 8, .w = 16, .c = 60, .heads = 5, .shift = 4},
    {.name = "heads6_dim15", .h = 16, .w = 16, .c = 90, .heads = 6, .shift = 4},
    {.name = "heads3_dim32", .h = 14, .w = 14, .c = 96, .heads = 3, .window = 7, .shift = 3},
    {.name = "heads8_dim12", .h = 16, .w = 8, .c = 96, .heads = 8},
    {.name = "heads1_dim16", .h = 8, .w = 16, .c = 16, .heads = 1},
    {.name = "heads1_dim1", .h = 8, .w = 8, .c = 1, .heads = 1, .norm = false, .residual = Residual::none},
    {.name = "heads3_dim1", .h = 8, .w = 16, .c = 3, .heads = 3, .shift = 4, .residual = Residual::none},
    // Other windows.
    {.name = "window4", .h = 12, .w = 16, .c = 60, .window = 4},
    {.name = "window4_shifted", .h = 12, .w = 16, .c = 60, .window = 4, .shift = 2},
    {.name = "window5_shifted", .h = 10, .w = 15, .c = 30, .heads = 5, .window = 5, .shift = 2},
    {.name = "window1", .h = 3, .w = 5, .c = 12, .heads = 2, .window = 1},
    {.name = "window12", .h = 12, .w = 24, .c = 32, .heads = 2, .window = 12, .shift = 6},
    {.name = "window16", .h = 16, .w = 32, .c = 30, .heads = 2, .window = 16, .shift = 8},
    // Sides that are no multiple of the window: Swin in detection codes.
    {.name = "extended", .h = 9, .w = 13, .c = 24, .heads = 2, .window = 7},
    {.name = "extended_shifted", .n = 2, .h = 9, .w = 13, .c = 24, .heads = 2, .window = 7, .shift = 3},
    {.name = "extended_rows", .h = 9, .w = 16, .c = 16, .heads = 2},
    {.name = "extended_columns_shifted", .h = 16, .w = 23, .c = 16, .heads = 2, .shift = 4},
    {.name = "smaller_than_window", .h = 3, .w = 5, .c = 24, .heads = 3, .window = 7},
    {.name = "smaller_than_window_shifted", .h = 3, .w = 5, .c = 24, .heads = 3, .window = 7, .shift = 3},
    {.name = "one_pixel_shifted", .h = 1, .w = 1, .c = 24, .heads = 3, .window = 7, .shift = 3},
    {.name = "extended_bare_shifted",
     .h = 10,
     .w = 15,
     .c = 24,
     .heads = 2,
     .window = 7,
     .shift = 3,
     .qkv_bias = false,
     .norm = false,
     .residual = Residual::none},
    {.name = "extended_window12", .h = 13, .w = 25, .c = 32, .heads = 1, .window = 12, .shift = 6},
    {.name = "extended_other_residual",
     .h = 8,
     .w = 15,
     .c = 24,
     .heads = 2,
     .window = 7,
     .shift = 3,
     .residual = Residual::other},
    {.name = "extended_light", .n = 2, .h = 19, .w = 13},
    {.name = "extended_light_shifted", .n = 2, .h = 19, .w = 13, .shift = 4},
    {.name = "extended_middle", .h = 9, .w = 17, .c = 180},
    {.name = "extended_middle_shifted", .h = 9, .w = 17, .c = 180, .shift = 4},
    // Swin's first stages, and its widest.
    {.name = "swin_first", .h = 10, .w = 15, .c = 96, .heads = 3, .window = 7},
    {.name = "swin_first_shifted", .h = 10, .w = 15, .c = 96, .heads = 3, .window = 7, .shift = 3},
    {.name = "swin_second_shifted", .h = 9, .w = 8, .c = 192, .heads = 6, .window = 7, .shift = 3},
    {.name = "swin_third", .h = 9, .w = 13, .c = 256, .heads = 8, .window = 7},
    {.name = "swin_third_shifted", .n = 2, .h = 7, .w = 9, .c = 224, .heads = 8, .window = 7, .shift = 3},
    {.name = "heads48_dim32", .h = 7, .w = 8, .c = 1536, .heads = 48, .window = 7, .shift = 3},
    // Pixels enough for kernels that want to fill a GPU.
    {.name = "rows_first_shifted", .h = 23, .w = 31, .c = 96, .heads = 3, .window = 7, .shift = 3},
    {.name = "rows_second", .h = 24, .w = 25, .c = 192, .heads = 6, .window = 7, .residual = Residual::none},
    {.name = "rows_third_shifted",
     .n = 2,
     .h = 17,
     .w = 19,
     .c = 384,
     .heads = 12,
     .window = 7,
     .shift = 3,
     .residual = Residual::other,
     .logits = 10},
    {.name = "rows_window8_shifted", .h = 32, .w = 24, .c = 64, .heads = 2, .shift = 4, .stream = 1e5},
    {.name = "rows_window5", .n = 3, .h = 15, .w = 16, .c = 32, .heads = 1, .window = 5, .shift = 2},
    // Optional inputs.
    {.name = "no_norm", .h = 16, .w = 16, .c = 60, .shift = 4, .norm = false},
    {.name = "no_residual", .h = 16, .w = 16, .c = 60, .shift = 4, .residual = Residual::none},
    {.name = "other_residual", .h = 16, .w = 16, .c = 60, .residual = Residual::other},
    {.name = "other_residual_shifted", .h = 16, .w = 24, .c = 60, .shift = 4, .residual = Residual::other},
    {.name = "no_qkv_bias", .h = 8, .w = 16, .c = 60, .qkv_bias = false},
    {.name = "bare",
     .h = 16,
     .w = 8,
     .c = 60,
     .shift = 4,
     .qkv_bias = false,
     .norm = false,
     .residual = Residual::none},
    {.name = "bare_middle",
     .h = 9,
     .w = 16,
     .c = 180,
     .shift = 4,
     .qkv_bias = false,
     .norm = false,
     .residual = Residual::none},
    {.name = "other_residual_middle", .h = 16, .w = 8, .c = 180, .residual = Residual::other},
    // Softmax that saturates, and a residual stream beyond the range of float16.
    {.name = "hot", .h = 16, .w = 16, .c = 60, .logits = 30},
    {.name = "hot_shifted", .h = 16, .w = 16, .c = 60, .shift = 4, .residual = Residual::none, .logits = 30},
    {.name = "very_hot", .h = 8, .w = 16, .c = 60, .residual = Residual::none, .logits = 300},
    {.name = "large_stream", .h = 16, .w = 16, .c = 60, .shift = 4, .stream = 1e5},
    {.name = "large_stream_no_residual", .h = 16, .w = 16, .c = 180, .residual = Residual::none, .stream = 1e5},
});

inline constexpr auto kWideWindowAttentionCases = std::to_array<WindowAttentionCase>({
    {.name = "huge_light", .h = 16, .w = 8, .shift = 4, .inside = 1e6},
    {.name = "tiny_light", .h = 16, .w = 8, .inside = 1e-6},
    {.name = "huge_middle", .h = 8, .w = 16, .c = 180, .inside = 1e6},
    {.name = "tiny_middle", .h = 16, .w = 8, .c = 180, .shift = 4, .inside = 1e-6},
    {.name = "many_tiles_light", .h = 200, .w = 192, .shift = 4},
    {.name = "many_tiles_middle", .n = 2, .h = 104, .w = 128, .c = 180, .shift = 4},
    {.name = "huge_rows", .h = 23, .w = 31, .c = 96, .heads = 3, .window = 7, .shift = 3, .inside = 1e5},
    {.name = "tiny_rows", .h = 23, .w = 31, .c = 96, .heads = 3, .window = 7, .shift = 3, .inside = 1e-5},
});

[[nodiscard]] OpCase to_case(WindowAttentionCase const& c);

}  // namespace vitrum::test
