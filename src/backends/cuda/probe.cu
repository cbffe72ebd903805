// SPDX-License-Identifier: Apache-2.0
#include "probe.h"

namespace vitrum::cuda {
namespace {

/// Stands for all kernels: every one is built for the same architectures.
__global__ void nothing() {}

}  // namespace

cudaError_t probe_code() {
    cudaFuncAttributes attributes{};
    cudaError_t const result = cudaFuncGetAttributes(&attributes, nothing);
    static_cast<void>(cudaGetLastError());
    return result;
}

}  // namespace vitrum::cuda
