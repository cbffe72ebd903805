// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string_view>

#include "op_case.h"

namespace vitrum::test {

struct ResizeCase {
    std::string_view name;
    int n = 1, h = 1, w = 1, c = 3, to_h = 1, to_w = 1;
    bool add = false;
};

inline constexpr auto kResizeCases = std::to_array<ResizeCase>({
    {.name = "one_pixel", .c = 1},
    {.name = "from_one_pixel", .c = 5, .to_h = 3, .to_w = 4},
    {.name = "to_one_pixel", .h = 5, .w = 4, .c = 12},
    {.name = "same_size", .h = 5, .w = 7, .c = 16, .to_h = 5, .to_w = 7},
    {.name = "twice", .h = 4, .w = 5, .c = 64, .to_h = 8, .to_w = 10, .add = true},
    {.name = "half", .n = 2, .h = 8, .w = 12, .c = 64, .to_h = 4, .to_w = 6},
    {.name = "quarter", .h = 8, .w = 12, .c = 20, .to_h = 2, .to_w = 3},
    {.name = "eighth", .h = 16, .w = 8, .c = 7, .to_h = 2, .to_w = 1},
    {.name = "odd_up", .n = 2, .h = 13, .w = 10, .c = 30, .to_h = 26, .to_w = 19, .add = true},
    {.name = "odd_down", .h = 26, .w = 19, .c = 30, .to_h = 13, .to_w = 10},
    {.name = "up_and_down", .h = 3, .w = 17, .c = 12, .to_h = 11, .to_w = 5, .add = true},
});

struct SinePositionCase {
    std::string_view name;
    int h = 1, w = 1, c = 64;
};

inline constexpr auto kSinePositionCases = std::to_array<SinePositionCase>({
    {.name = "one_pixel", .c = 4},
    {.name = "c64", .h = 4, .w = 3},
    {.name = "c256", .h = 9, .w = 16, .c = 256},
    {.name = "one_row", .h = 1, .w = 40, .c = 12},
    {.name = "one_column", .h = 40, .w = 1, .c = 20},
});

struct AddPositionCase {
    std::string_view name;
    int n = 1, h = 1, w = 1, c = 64;
};

inline constexpr auto kAddPositionCases = std::to_array<AddPositionCase>({
    {.name = "one_value", .c = 1},
    {.name = "c3", .h = 5, .w = 7, .c = 3},
    {.name = "map", .h = 9, .w = 8},
    {.name = "batch", .n = 3, .h = 5, .w = 13, .c = 20},
    {.name = "queries", .n = 2, .w = 100, .c = 256},
});

struct TokensCase {
    std::string_view name;
    int batch = 1, q = 1, c = 64;
};

inline constexpr auto kTokensCases = std::to_array<TokensCase>({
    {.name = "one_value", .c = 1},
    {.name = "queries", .q = 20},
    {.name = "batch", .batch = 3, .q = 7, .c = 30},
});

[[nodiscard]] OpCase to_case(ResizeCase const& c);
[[nodiscard]] OpCase to_case(SinePositionCase const& c);
[[nodiscard]] OpCase to_case(AddPositionCase const& c);
[[nodiscard]] OpCase to_case(TokensCase const& c);

}  // namespace vitrum::test
