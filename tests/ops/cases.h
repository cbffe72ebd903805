// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "op_case.h"

namespace vitrum::test {

/// Every case of every operator.
[[nodiscard]] std::vector<OpCase> all_cases();

}  // namespace vitrum::test
