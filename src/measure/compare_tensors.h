// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "vitrum/measure.h"

namespace vitrum {

/// Whether all values are finite and every normalised error keeps to the limit.
[[nodiscard]] bool all_within(std::span<TensorComparison const> outputs, double tolerance);

}  // namespace vitrum
