// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>

#include "vitrum/measure.h"

namespace vitrum {

/// Every figure of the report over the finite values of `actual`; the others are counted.
[[nodiscard]] TensorComparison compare_tensors(std::string name, std::span<float const> expected,
                                               std::span<float const> actual, double value_range);

/// Whether all values are finite and every normalised error keeps to the limit.
[[nodiscard]] bool all_within(std::span<TensorComparison const> outputs, double tolerance);

}  // namespace vitrum
