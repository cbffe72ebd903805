// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/tensor_view.h"

namespace vitrum::cuda {

/// Queue::copy() on a stream, of float32, float64, float16 and bfloat16; where both types differ one is float32.
void copy_elements(TensorView const& to, TensorView const& from, std::uint32_t* faults, void* stream);

}  // namespace vitrum::cuda
