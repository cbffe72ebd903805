// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string_view>

#include "op_case.h"

namespace vitrum::test {

struct PatchMergingCase {
    std::string_view name;
    int n = 1, h = 2, w = 2, c = 12, out = 24;
    double stream = 1;  ///< the deviation of x
};

inline constexpr auto kPatchMergingCases = std::to_array<PatchMergingCase>({
    {.name = "one_square"},
    {.name = "one_pixel", .h = 1, .w = 1},
    {.name = "one_row", .h = 1, .w = 9},
    {.name = "even", .n = 2, .h = 8, .w = 10, .c = 16, .out = 32},
    {.name = "odd", .h = 9, .w = 13, .c = 24, .out = 48},
    {.name = "odd_channels", .h = 7, .w = 6, .c = 7, .out = 13},
    {.name = "swin_tiny", .h = 14, .w = 13, .c = 96, .out = 192},
    {.name = "many_pixels", .h = 31, .w = 43, .c = 12, .out = 24},
    {.name = "narrow_tile", .h = 15, .w = 17, .c = 800, .out = 40},
    // So many that Hopper's warpgroups take them: rows of 160, 384, 768 and 1536 channels.
    {.name = "warpgroups", .n = 2, .h = 37, .w = 45, .c = 40, .out = 36},
    {.name = "warpgroups_tiny", .h = 45, .w = 48, .c = 96, .out = 192},
    {.name = "warpgroups_wide", .h = 46, .w = 47, .c = 192, .out = 40},
    {.name = "warpgroups_widest", .h = 46, .w = 46, .c = 384, .out = 24},
    {.name = "warpgroups_large_stream", .h = 50, .w = 45, .c = 24, .out = 48, .stream = 1e5},
    {.name = "large_stream", .h = 8, .w = 8, .c = 24, .out = 48, .stream = 1e5},
});

[[nodiscard]] OpCase to_case(PatchMergingCase const& c);

}  // namespace vitrum::test
