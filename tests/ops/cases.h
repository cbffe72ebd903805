// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "op_case.h"

namespace vitrum::test {

/// Every case of every operator.
[[nodiscard]] std::vector<OpCase> all_cases();

/// Weights so large or small that float16 does not hold what lies between an operator's products, and pictures of so
/// many tiles that a GPU's blocks have several: for devices, and no less exact precision than TF32.
[[nodiscard]] std::vector<OpCase> wide_cases();

}  // namespace vitrum::test
