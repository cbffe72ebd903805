// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string_view>

#include "op_case.h"

namespace vitrum::test {

struct PixelShuffleCase {
    std::string_view name;
    int n = 1, h = 1, w = 1, c = 4, factor = 2;
};

inline constexpr auto kPixelShuffleCases = std::to_array<PixelShuffleCase>({
    {.name = "one_pixel"},
    {.name = "x2_rgb", .h = 5, .w = 7, .c = 12},
    {.name = "x3_rgb", .n = 2, .h = 3, .w = 5, .c = 27, .factor = 3},
    {.name = "x4_rgb", .h = 3, .w = 5, .c = 48, .factor = 4},
    {.name = "x2_c64", .h = 6, .w = 5, .c = 256},
    {.name = "x3_c30", .h = 4, .w = 3, .c = 270, .factor = 3},
    {.name = "x1", .h = 4, .w = 3, .c = 12, .factor = 1},
});

struct ResizeNearestCase {
    std::string_view name;
    int n = 1, h = 1, w = 1, c = 3, factor = 2;
};

inline constexpr auto kResizeNearestCases = std::to_array<ResizeNearestCase>({
    {.name = "one_pixel"},
    {.name = "x2_c64", .h = 5, .w = 7, .c = 64},
    {.name = "x3_c12", .n = 2, .h = 3, .w = 4, .c = 12, .factor = 3},
    {.name = "x4_c1", .h = 5, .w = 3, .c = 1, .factor = 4},
    {.name = "x1", .h = 4, .w = 3, .c = 30, .factor = 1},
});

struct MaxPool2dCase {
    std::string_view name;
    int n = 1, h = 1, w = 1, c = 3, kernel = 3, stride = 2;
};

inline constexpr auto kMaxPool2dCases = std::to_array<MaxPool2dCase>({
    {.name = "one_pixel"},
    {.name = "even", .h = 8, .w = 6, .c = 64},
    {.name = "odd", .n = 2, .h = 7, .w = 9, .c = 17},
    {.name = "one_row", .h = 1, .w = 8, .c = 12},
    {.name = "k2", .h = 6, .w = 7, .c = 12, .kernel = 2},
    {.name = "stride1", .h = 5, .w = 6, .c = 12, .stride = 1},
});

struct ReflectPadCase {
    std::string_view name;
    int n = 1, h = 1, w = 1, c = 3, multiple = 8;
};

inline constexpr auto kReflectPadCases = std::to_array<ReflectPadCase>({
    {.name = "one_pixel"},
    {.name = "nothing_to_pad", .h = 16, .w = 8},
    {.name = "odd", .h = 13, .w = 21},
    {.name = "grey", .h = 9, .w = 10, .c = 1},
    {.name = "batch", .n = 2, .h = 10, .w = 7, .c = 12},
    {.name = "smaller_than_padding", .h = 2, .w = 3},
    {.name = "one_row", .h = 1, .w = 11},
    {.name = "one_column", .h = 9, .w = 1, .c = 30},
    {.name = "multiple7", .h = 15, .w = 20, .multiple = 7},
    {.name = "multiple64", .h = 5, .w = 40, .multiple = 64},
    {.name = "multiple1", .h = 5, .w = 3, .multiple = 1},
});

struct CropCase {
    std::string_view name;
    int n = 1, h = 1, w = 1, c = 3, to_h = 1, to_w = 1;
};

inline constexpr auto kCropCases = std::to_array<CropCase>({
    {.name = "one_pixel"},
    {.name = "whole", .h = 7, .w = 9, .to_h = 7, .to_w = 9},
    {.name = "rgb", .h = 16, .w = 24, .to_h = 13, .to_w = 21},
    {.name = "grey", .h = 16, .w = 16, .c = 1, .to_h = 1, .to_w = 15},
    {.name = "batch", .n = 2, .h = 8, .w = 8, .c = 12, .to_h = 5, .to_w = 6},
    {.name = "c60", .n = 2, .h = 9, .w = 8, .c = 60, .to_h = 8, .to_w = 1},
});

[[nodiscard]] OpCase to_case(PixelShuffleCase const& c);
[[nodiscard]] OpCase to_case(ResizeNearestCase const& c);
[[nodiscard]] OpCase to_case(MaxPool2dCase const& c);
[[nodiscard]] OpCase to_case(ReflectPadCase const& c);
[[nodiscard]] OpCase to_case(CropCase const& c);

}  // namespace vitrum::test
