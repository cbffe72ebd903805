// SPDX-License-Identifier: Apache-2.0
#include "device.h"

#include <cuda_runtime.h>
#include <fmt/core.h>

namespace vitrum::cuda::hopper {
namespace {

int attribute(cudaDeviceAttr which) {
    int device = 0, value = 0;
    if (cudaGetDevice(&device) != cudaSuccess || cudaDeviceGetAttribute(&value, which, device) != cudaSuccess) return 0;
    return value;
}

}  // namespace

Support device_support() {
    int const major = attribute(cudaDevAttrComputeCapabilityMajor),
              minor = attribute(cudaDevAttrComputeCapabilityMinor);
    if (major == 9 && minor == 0) return {};
    return {false, fmt::format("needs compute capability 9.0, and this GPU has {}.{}", major, minor)};
}

int multiprocessors() {
    return attribute(cudaDevAttrMultiProcessorCount);
}

}  // namespace vitrum::cuda::hopper
