// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string_view>

#include "op_case.h"

namespace vitrum::test {

struct AddCase {
    std::string_view name;
    int n = 1, h = 1, w = 1, c = 60;
    bool same = false;  ///< a + a
    double deviation = 1;
};

inline constexpr auto kAddCases = std::to_array<AddCase>({
    {.name = "one_pixel", .c = 1},
    {.name = "c3", .h = 5, .w = 7, .c = 3},
    {.name = "c16", .h = 8, .w = 8, .c = 16},
    {.name = "c30", .n = 2, .h = 3, .w = 5, .c = 30},
    {.name = "c60", .h = 16, .w = 17},
    {.name = "c180", .h = 9, .w = 8, .c = 180},
    {.name = "same", .h = 5, .w = 6, .c = 60, .same = true},
    {.name = "large_stream", .h = 8, .w = 8, .c = 60, .deviation = 1e5},
});

struct ActivateCase {
    std::string_view name;
    int n = 1, h = 1, w = 1, c = 60;
    Activation activation = Activation::leaky_relu;
    float negative_slope = 0;
    double deviation = 1;
};

inline constexpr auto kActivateCases = std::to_array<ActivateCase>({
    {.name = "one_value", .c = 1, .negative_slope = 0.01F},
    {.name = "leaky_relu", .h = 9, .w = 7, .c = 64, .negative_slope = 0.01F},
    {.name = "leaky_relu_c3", .n = 2, .h = 5, .w = 7, .c = 3, .negative_slope = 0.2F},
    {.name = "slope_above_one", .h = 5, .w = 7, .c = 12, .negative_slope = 1.5F},
    {.name = "relu", .h = 9, .w = 7, .c = 30},
    {.name = "gelu", .h = 16, .w = 13, .c = 60, .activation = Activation::gelu},
    {.name = "gelu_c3", .n = 2, .h = 5, .w = 7, .c = 3, .activation = Activation::gelu},
    {.name = "gelu_far", .h = 9, .w = 7, .c = 30, .activation = Activation::gelu, .deviation = 20},
    {.name = "gelu_near_zero", .h = 9, .w = 7, .c = 30, .activation = Activation::gelu, .deviation = 1e-4},
    {.name = "none", .h = 3, .w = 5, .c = 12, .activation = Activation::none},
});

[[nodiscard]] OpCase to_case(AddCase const& c);
[[nodiscard]] OpCase to_case(ActivateCase const& c);

}  // namespace vitrum::test
