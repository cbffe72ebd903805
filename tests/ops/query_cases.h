// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string_view>

#include "op_case.h"

namespace vitrum::test {

struct QueryAttentionCase {
    std::string_view name;
    int n = 1, q = 20, h = 1, w = 1, c = 64;
    int heads = 8;
    bool mask = true;
    double mask_mean = 0;  ///< masks deviate by 1 from it: from −√3 on, all of them hide all
    double logits = 1;     ///< their deviation: from 10 on softmax saturates
};

inline constexpr auto kQueryAttentionCases = std::to_array<QueryAttentionCase>({
    {.name = "one_key", .q = 1, .c = 1, .heads = 1},
    {.name = "levels_of_swin_tiny", .q = 100, .h = 8, .w = 16, .c = 256},
    {.name = "queries_to_queries", .q = 100, .w = 100, .c = 256, .mask = false},
    {.name = "queries_of_two_tiles", .n = 2, .q = 131, .h = 21, .w = 17, .c = 64, .heads = 2},
    {.name = "seen_late", .q = 40, .h = 40, .w = 30, .c = 32, .heads = 1, .mask_mean = -1.72},
    {.name = "tile_and_one", .q = 17, .h = 1, .w = 61},
    {.name = "several_tiles", .h = 13, .w = 19},
    {.name = "batch", .n = 3, .q = 5, .h = 7, .w = 9, .c = 24, .heads = 2},
    {.name = "batch_unmasked", .n = 2, .q = 10, .w = 10, .c = 64, .mask = false},
    {.name = "three_queries", .q = 3, .h = 4, .w = 5, .c = 12, .heads = 3},
    {.name = "sixteen_queries", .q = 16, .h = 9, .w = 9},
    {.name = "many_queries", .q = 200, .h = 4, .w = 3, .c = 32},
    {.name = "odd_head", .q = 9, .h = 6, .w = 6, .c = 35, .heads = 5},
    {.name = "nothing_hidden", .h = 8, .w = 9, .mask_mean = 5},
    {.name = "everything_hidden", .h = 8, .w = 9, .mask_mean = -5},
    {.name = "nearly_everything_hidden", .q = 30, .h = 8, .w = 16, .mask_mean = -1.7},
    {.name = "hot", .h = 8, .w = 9, .logits = 30},
    {.name = "hot_unmasked", .h = 8, .w = 9, .mask = false, .logits = 100},
});

struct QueryMasksCase {
    std::string_view name;
    int n = 1, h = 1, w = 1, c = 64, q = 20;
};

inline constexpr auto kQueryMasksCases = std::to_array<QueryMasksCase>({
    {.name = "one_value", .c = 1, .q = 1},
    {.name = "swin_tiny", .h = 16, .w = 20, .c = 256, .q = 100},
    {.name = "three_queries", .h = 5, .w = 7, .c = 12, .q = 3},
    {.name = "batch", .n = 3, .h = 7, .w = 9, .c = 30, .q = 17},
    {.name = "many_queries", .h = 4, .w = 3, .q = 200},
    {.name = "one_row", .w = 49, .q = 16},
});

struct DeformableAttentionCase {
    std::string_view name;
    int n = 1, h = 4, w = 5, c = 64;
    int heads = 8, points = 4;
    int scale = 1;                   ///< of x: 4, 2 or 1 times the coarsest level
    double offsets = 2;              ///< their deviation, in pixels
    int coarse_h = 0, coarse_w = 0;  ///< the coarsest level's size, where it is not x's divided by scale
};

inline constexpr auto kDeformableAttentionCases = std::to_array<DeformableAttentionCase>({
    {.name = "one_pixel", .h = 1, .w = 1, .c = 8, .heads = 2},
    {.name = "coarse"},
    {.name = "middle", .h = 8, .w = 10, .scale = 2},
    {.name = "fine", .h = 12, .w = 16, .scale = 4},
    {.name = "swin_tiny", .h = 8, .w = 16, .c = 256, .scale = 2},
    {.name = "batch", .n = 3, .h = 6, .w = 5, .c = 32},
    {.name = "odd_sizes", .h = 13, .w = 10, .c = 64, .scale = 4, .coarse_h = 4, .coarse_w = 3},
    {.name = "odd_head", .h = 5, .w = 7, .c = 20, .heads = 4},
    {.name = "head_of_one", .h = 3, .w = 5, .c = 4, .heads = 4},
    {.name = "head_of_66", .h = 5, .w = 3, .c = 132, .heads = 2},
    {.name = "one_point", .h = 5, .w = 4, .points = 1},
    {.name = "seven_points", .h = 5, .w = 4, .c = 24, .heads = 3, .points = 7},
    {.name = "far_offsets", .h = 9, .w = 7, .offsets = 40},
    {.name = "batch_of_eight_heads", .n = 3, .h = 5, .w = 6, .c = 256},
    {.name = "two_heads_of_20", .n = 2, .h = 7, .w = 6, .c = 40, .heads = 2, .offsets = 6},
    {.name = "head_of_128", .h = 5, .w = 7, .c = 256, .heads = 2},
    {.name = "nine_thousand_pixels", .h = 96, .w = 88, .c = 16, .heads = 1, .scale = 4},
    {.name = "whole_offsets", .h = 9, .w = 7, .offsets = 0},
});

[[nodiscard]] OpCase to_case(QueryAttentionCase const& c);
[[nodiscard]] OpCase to_case(QueryMasksCase const& c);
[[nodiscard]] OpCase to_case(DeformableAttentionCase const& c);

}  // namespace vitrum::test
