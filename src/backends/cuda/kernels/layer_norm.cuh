// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "rows.cuh"

namespace vitrum::cuda {

/// LayerNorm of rows, also in place.
void layer_norm(void* stream, Matrix const& x, Matrix const& y, std::int64_t rows, int channels,
                TensorView const& weight, TensorView const& bias, float epsilon);

}  // namespace vitrum::cuda
