// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "op_case.h"

namespace vitrum::test {

/// Operators on dense values and the two between layouts. What each function of an enum gives is held against ONNX's
/// own node tests (docs/onnx.md); these are the shapes: odd sizes, repeated extents, empty tensors, several threads.
[[nodiscard]] std::vector<OpCase> dense_cases();

}  // namespace vitrum::test
