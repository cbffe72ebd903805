// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string_view>

#include "op_case.h"

namespace vitrum::test {

struct ShiftMlpCase {
    std::string_view name;
    int n = 1, h = 8, w = 8, c = 60;
    int hidden = 120;
    Residual residual = Residual::same_as_x;
    double stream = 1;  ///< the deviation of x and of the residual
};

inline constexpr auto kShiftMlpCases = std::to_array<ShiftMlpCase>({
    // ELAN's layers: light (60 channels) and full (180).
    {.name = "light", .h = 16, .w = 32},
    {.name = "light_wide", .h = 16, .w = 96},
    {.name = "full", .h = 16, .w = 16, .c = 180, .hidden = 360},
    {.name = "light_odd", .n = 2, .h = 13, .w = 27, .residual = Residual::other},
    {.name = "full_odd", .n = 2, .h = 9, .w = 19, .c = 180, .hidden = 360, .residual = Residual::none},
    {.name = "light_one_row", .h = 1, .w = 9, .residual = Residual::none},
    // Pictures of few pixels, of one row, of one column; widths around vectors and strips.
    {.name = "one_pixel", .h = 1, .w = 1},
    {.name = "one_row", .h = 1, .w = 19, .c = 15, .hidden = 30},
    {.name = "one_column", .h = 19, .w = 1, .c = 15, .hidden = 30},
    {.name = "two_by_two", .h = 2, .w = 2, .c = 10, .hidden = 10},
    {.name = "three_by_five", .h = 3, .w = 5, .c = 12, .hidden = 24},
    {.name = "width_15", .h = 5, .w = 15, .c = 15, .hidden = 30},
    {.name = "width_63", .h = 5, .w = 63, .c = 15, .hidden = 30},
    {.name = "width_64", .h = 5, .w = 64, .c = 15, .hidden = 30},
    {.name = "width_65", .h = 5, .w = 65, .c = 15, .hidden = 30},
    {.name = "width_129", .h = 11, .w = 129, .c = 10, .hidden = 20},
    {.name = "many_strips", .h = 67, .w = 33, .c = 15, .hidden = 30},
    {.name = "batch", .n = 3, .h = 9, .w = 13, .c = 30, .hidden = 60},
    // Channels that five does not divide, and fewer than five.
    {.name = "c18_hidden36", .h = 7, .w = 9, .c = 18, .hidden = 36},
    {.name = "c9_hidden9", .h = 6, .w = 7, .c = 9, .hidden = 9},
    {.name = "c4_hidden3", .h = 5, .w = 6, .c = 4, .hidden = 3},
    {.name = "c1_hidden1", .h = 5, .w = 6, .c = 1, .hidden = 1},
    {.name = "c3_hidden100", .h = 4, .w = 17, .c = 3, .hidden = 100},
    {.name = "c90", .h = 6, .w = 20, .c = 90, .hidden = 180},
    // Many channels: groups of hidden channels that are cut, or that share nothing; a last group of another size.
    {.name = "c104_hidden400", .h = 9, .w = 18, .c = 104, .hidden = 400},
    {.name = "c84_hidden4", .h = 3, .w = 17, .c = 84, .hidden = 4},
    {.name = "c184_hidden96", .h = 5, .w = 17, .c = 184, .hidden = 96, .residual = Residual::none},
    {.name = "full_large_stream", .h = 8, .w = 16, .c = 180, .hidden = 360, .stream = 1e5},
    // The residual, and a stream beyond the range of float16.
    {.name = "no_residual", .h = 6, .w = 20, .c = 30, .hidden = 60, .residual = Residual::none},
    {.name = "other_residual", .h = 6, .w = 20, .c = 30, .hidden = 60, .residual = Residual::other},
    {.name = "large_stream", .h = 8, .w = 16, .stream = 1e5},
    // More tiles of 8 × 8 pixels than a Hopper GPU's warpgroups have at a time: four or two on each of 132.
    {.name = "many_tiles_light", .h = 1, .w = 4240},
    {.name = "many_tiles_full", .h = 1, .w = 2120, .c = 180, .hidden = 360},
});

struct GroupWindowAttentionCase {
    std::string_view name;
    int n = 1, h = 16, w = 16, c = 60;
    std::array<int, 3> windows = {4, 8, 16};
    bool shifted = false;
    bool query = false;
    Residual residual = Residual::same_as_x;
    double logits = 1;  ///< their deviation: from 10 on softmax saturates
    double stream = 1;  ///< the deviation of the residual
};

inline constexpr auto kGroupWindowAttentionCases = std::to_array<GroupWindowAttentionCase>({
    // ELAN's layers: light (60 channels) with its shared maps, full (180).
    {.name = "light", .h = 32, .w = 48},
    {.name = "light_shifted", .h = 32, .w = 48, .shifted = true},
    {.name = "light_shared", .h = 32, .w = 48, .query = true},
    {.name = "light_shared_shifted", .h = 32, .w = 48, .shifted = true, .query = true},
    {.name = "full", .h = 16, .w = 32, .c = 180},
    {.name = "full_shifted", .h = 16, .w = 32, .c = 180, .shifted = true},
    // One largest window, rows and columns of them, batches.
    {.name = "one_window", .c = 30},
    {.name = "one_window_shifted", .c = 30, .shifted = true},
    {.name = "one_row_of_windows", .w = 80, .c = 12, .shifted = true},
    {.name = "one_column_of_windows", .h = 80, .c = 12, .shifted = true, .query = true},
    {.name = "batch", .n = 2, .w = 32, .c = 24},
    {.name = "batch_shifted", .n = 3, .w = 32, .c = 24, .shifted = true},
    // Channels per group from one on.
    {.name = "dim1", .c = 3},
    {.name = "dim1_shared", .c = 3, .query = true, .residual = Residual::none},
    {.name = "dim3_shifted_shared", .c = 9, .shifted = true, .query = true},
    {.name = "dim5", .c = 15},
    {.name = "dim6_shared", .w = 32, .c = 18, .query = true},
    {.name = "dim7_shifted", .w = 32, .c = 21, .shifted = true},
    {.name = "dim30", .w = 32, .c = 90},
    {.name = "dim44_shifted", .w = 32, .c = 132, .shifted = true, .residual = Residual::none},
    {.name = "dim30_shifted_shared", .w = 32, .c = 90, .shifted = true, .query = true},
    // Other windows: in another order, equal, not nested, of half a vector, of odd sides, larger than a tile.
    {.name = "windows_16_4_8", .w = 32, .c = 12, .windows = {16, 4, 8}},
    {.name = "windows_8_8_8", .h = 8, .w = 24, .c = 12, .windows = {8, 8, 8}},
    {.name = "windows_8_8_8_shifted", .h = 8, .w = 24, .c = 12, .windows = {8, 8, 8}, .shifted = true},
    {.name = "windows_4_6_12", .h = 12, .w = 24, .c = 12, .windows = {4, 6, 12}},
    {.name = "windows_4_6_12_shifted", .h = 12, .w = 24, .c = 12, .windows = {4, 6, 12}, .shifted = true},
    {.name = "windows_2_4_8", .h = 8, .w = 24, .c = 15, .windows = {2, 4, 8}, .query = true},
    {.name = "windows_2_4_8_shifted", .h = 8, .w = 24, .c = 15, .windows = {2, 4, 8}, .shifted = true, .query = true},
    {.name = "windows_1_3_5", .h = 15, .w = 30, .c = 12, .windows = {1, 3, 5}},
    {.name = "windows_7_14_28", .h = 28, .w = 28, .c = 12, .windows = {7, 14, 28}},
    {.name = "windows_8_16_32_shifted", .h = 32, .w = 64, .c = 12, .windows = {8, 16, 32}, .shifted = true},
    // The residual, saturated softmax, a stream beyond the range of float16.
    {.name = "no_residual", .w = 32, .residual = Residual::none},
    {.name = "no_residual_shifted", .w = 32, .shifted = true, .residual = Residual::none},
    {.name = "other_residual", .w = 32, .residual = Residual::other},
    {.name = "other_residual_shifted", .w = 32, .shifted = true, .residual = Residual::other},
    {.name = "hot", .w = 32, .c = 30, .logits = 30},
    {.name = "hot_shifted_shared", .w = 32, .c = 30, .shifted = true, .query = true, .logits = 30},
    {.name = "very_hot", .c = 30, .logits = 300},
    {.name = "large_stream", .c = 30, .residual = Residual::other, .stream = 1e5},
    {.name = "full_large_stream", .c = 180, .residual = Residual::other, .stream = 1e5},
});

[[nodiscard]] OpCase to_case(ShiftMlpCase const& c);
[[nodiscard]] OpCase to_case(GroupWindowAttentionCase const& c);

}  // namespace vitrum::test
