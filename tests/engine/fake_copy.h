// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/tensor_view.h"

namespace vitrum::test {

/// What Queue::copy() does, element by element, on the host's memory. Returns what was wrong with the numbers (Fault).
/// Throws std::logic_error for copies that no device is asked for.
[[nodiscard]] std::uint32_t copy_elements(TensorView const& to, TensorView const& from);

}  // namespace vitrum::test
