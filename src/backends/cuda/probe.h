// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime_api.h>

namespace vitrum::cuda {

/// Whether this build holds code for the calling thread's GPU: cudaSuccess, or why not.
[[nodiscard]] cudaError_t probe_code();

}  // namespace vitrum::cuda
