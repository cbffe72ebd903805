// SPDX-License-Identifier: Apache-2.0
// How the inputs of cases are drawn: what the `to_case` functions are made of.
#pragma once

#include <cmath>
#include <string>
#include <string_view>

#include <fmt/core.h>

#include "op_case.h"

namespace vitrum::test {

template <class O>
std::string full_name(std::string_view name) {
    return fmt::format("{}_{}", O::kName, name);
}

inline CaseInput activation(Shape const& shape, double deviation = 1) {
    return {.shape = shape, .deviation = deviation};
}

/// Deviation 1/√fan_in keeps a product's output at the deviation of its input.
inline CaseInput matrix(Shape const& shape, double fan_in) {
    return {.shape = shape, .role = Role::weight, .deviation = 1 / std::sqrt(fan_in)};
}

inline CaseInput vector(std::int64_t size, double mean, double deviation) {
    return {.shape = {size}, .role = Role::weight, .mean = mean, .deviation = deviation};
}

inline CaseInput residual(Residual kind, Shape const& shape, int x, double deviation) {
    if (kind == Residual::none) return {};
    return {.shape = shape, .deviation = deviation, .same_as = kind == Residual::same_as_x ? x : -1};
}

}  // namespace vitrum::test
