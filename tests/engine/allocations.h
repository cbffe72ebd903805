// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace vitrum::test {

/// How often this program has called operator new so far. The operators are replaced in a file of their own, where
/// no compiler can inline one half of a pair.
[[nodiscard]] long allocations();

}  // namespace vitrum::test
