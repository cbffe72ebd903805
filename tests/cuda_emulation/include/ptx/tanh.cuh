// SPDX-License-Identifier: Apache-2.0
// The host's twin of src/backends/cuda/ptx/tanh.cuh.
#pragma once

#include <cuda_runtime.h>

namespace vitrum::cuda {

[[nodiscard]] inline float tanh_approximate(float x) {
    return std::tanh(x);
}

}  // namespace vitrum::cuda
