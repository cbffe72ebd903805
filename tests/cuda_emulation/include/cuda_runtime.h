// SPDX-License-Identifier: Apache-2.0
// Runs CUDA kernels on the host, one block after the other, so that their arithmetic and indices can be tested where
// there is no GPU. It stands in for the toolkit's header of the same name: the kernels are compiled as C++ unchanged.
// Threads of a block are fibers that run until they wait, forwards in one launch and backwards in the next, so that a
// missing barrier shows as a difference. What it cannot show: time, memory coalescing, limits of the hardware.
#pragma once

#include <cmath>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <functional>
#include <type_traits>

#define __global__
#define __device__
#define __host__
#define __shared__ static
#define __launch_bounds__(...)

struct alignas(8) float2 {
    float x, y;
};
struct alignas(16) float4 {
    float x, y, z, w;
};
inline float4 make_float4(float x, float y, float z, float w) {
    return {x, y, z, w};
}

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

extern dim3 threadIdx, blockIdx, blockDim, gridDim;

using cudaStream_t = void*;
enum cudaError_t { cudaSuccess };
inline char const* cudaGetErrorString(cudaError_t) {
    return "";
}
struct cudaLaunchConfig_t {
    dim3 gridDim, blockDim;
    unsigned long dynamicSmemBytes = 0;
    cudaStream_t stream = nullptr;
};

namespace emulation {

/// Runs `thread` for every thread of every block.
void run(dim3 grid, dim3 block, std::function<void()> const& thread);
/// The value that a thread of the caller's warp brings to the same exchange.
std::uint64_t exchange(std::uint64_t value, int source_lane);

}  // namespace emulation

void __syncthreads();
void __syncwarp(unsigned mask = 0xFFFFFFFFU);

template <class T>
T __shfl_xor_sync(unsigned, T value, int mask) {
    static_assert(sizeof(T) <= 8);
    std::uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof(T));
    bits = emulation::exchange(bits, static_cast<int>(threadIdx.x % 32) ^ mask);
    std::memcpy(&value, &bits, sizeof(T));
    return value;
}

template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(cudaLaunchConfig_t const* config, void (*kernel)(Parameters...),
                               Arguments&&... arguments) {
    emulation::run(config->gridDim, config->blockDim, [&] { kernel(arguments...); });
    return cudaSuccess;
}

// The toolkit has these without a namespace.
template <class T>
requires std::is_arithmetic_v<T> T min(T a, T b) {
    return b < a ? b : a;
}
template <class T>
requires std::is_arithmetic_v<T> T max(T a, T b) {
    return a < b ? b : a;
}
