// SPDX-License-Identifier: Apache-2.0
// Runs CUDA kernels on the host, one block after the other, so that their arithmetic and indices can be tested where
// there is no GPU. It stands in for the toolkit's header of the same name: the kernels are compiled as C++ unchanged.
// Threads of a block are fibers that run until they wait, forwards in one launch and backwards in the next, so that a
// missing barrier shows as a difference. What it cannot show: time, memory coalescing, limits of the hardware.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <type_traits>
#include <utility>

#define __global__
#define __grid_constant__
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
struct alignas(8) uint2 {
    unsigned x, y;
};
struct alignas(16) uint4 {
    unsigned x, y, z, w;
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
enum cudaError_t { cudaSuccess, cudaErrorMemoryAllocation };
inline char const* cudaGetErrorString(cudaError_t) {
    return "";
}
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize };
/// Bytes of shared memory that a kernel was let have last.
inline std::map<void const*, int> emulated_shared_limits;
template <class Kernel>
cudaError_t cudaFuncSetAttribute(Kernel* kernel, cudaFuncAttribute, int bytes) {
    emulated_shared_limits[reinterpret_cast<void const*>(kernel)] = bytes;
    return cudaSuccess;
}
/// A device of one processor that takes two blocks of a kernel: more blocks have to come in turns.
enum cudaDeviceAttr {
    cudaDevAttrMultiProcessorCount,
    cudaDevAttrMaxSharedMemoryPerBlockOptin,
    cudaDevAttrComputeCapabilityMajor
};
inline cudaError_t cudaGetDevice(int* device) {
    *device = 0;
    return cudaSuccess;
}
inline cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr which, int) {
    *value = which == cudaDevAttrMultiProcessorCount ? 1 : which == cudaDevAttrComputeCapabilityMajor ? 8 : 227 << 10;
    return cudaSuccess;
}
template <class Kernel>
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, Kernel*, int, std::size_t) {
    *blocks = 2;
    return cudaSuccess;
}
inline float2 make_float2(float x, float y) {
    return {x, y};
}
inline uint2 make_uint2(unsigned x, unsigned y) {
    return {x, y};
}
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) {
    return {x, y, z, w};
}
/// Nothing here begins early.
struct cudaLaunchAttribute {
    int id;
    struct {
        int programmaticStreamSerializationAllowed;
    } val;
};
constexpr int cudaLaunchAttributeProgrammaticStreamSerialization = 6;
struct cudaLaunchConfig_t {
    dim3 gridDim, blockDim;
    unsigned long dynamicSmemBytes = 0;
    cudaStream_t stream = nullptr;
    cudaLaunchAttribute* attrs = nullptr;
    unsigned numAttrs = 0;
};

namespace emulation {

/// Runs `thread` for every thread of every block, each with that much dynamic shared memory, which holds NaN at first.
void run(dim3 grid, dim3 block, std::size_t shared_bytes, std::function<void()> const& thread);
[[nodiscard]] void* dynamic_shared();
/// The value that a thread of the caller's warp brings to the same exchange.
std::uint64_t exchange(std::uint64_t value, int source_lane);
/// What all lanes of the caller's warp bring.
void share_bytes(void const* mine, std::size_t bytes, void* all);
template <class T>
std::array<T, 32> share(T const& mine) {
    std::array<T, 32> all;
    share_bytes(&mine, sizeof(T), all.data());
    return all;
}
/// Copies of 16 bytes that take place no sooner than their group is waited for, and zeros as early as they may.
void copy_later(void* to, void const* from, bool exists);
void commit_copies();
void wait_for_copies(int left);
/// Other threads run until it is true.
void wait_until(std::function<bool()> const& done);
/// Until so many threads of the block have come to the barrier of that number.
void named_barrier(int id, int threads);

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

template <class T>
T __shfl_sync(unsigned, T value, int source_lane) {
    static_assert(sizeof(T) <= 8);
    std::uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof(T));
    bits = emulation::exchange(bits, source_lane % 32);
    std::memcpy(&value, &bits, sizeof(T));
    return value;
}

inline int __any_sync(unsigned, int predicate) {
    auto const all = emulation::share(predicate);
    return std::any_of(all.begin(), all.end(), [](int value) { return value != 0; }) ? 1 : 0;
}

template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(cudaLaunchConfig_t const* config, void (*kernel)(Parameters...),
                               Arguments&&... arguments) {
    emulation::run(config->gridDim, config->blockDim, config->dynamicSmemBytes, [&] { kernel(arguments...); });
    return cudaSuccess;
}

/// Threads take turns, so that nothing comes between.
inline std::uint32_t atomicOr(std::uint32_t* word, std::uint32_t bits) {
    return std::exchange(*word, *word | bits);
}

// The toolkit has these without a namespace.
inline float rsqrtf(float x) {
    return 1.0F / std::sqrt(x);
}
template <class T>
requires std::is_arithmetic_v<T> T min(T a, T b) {
    return b < a ? b : a;
}
template <class T>
requires std::is_arithmetic_v<T> T max(T a, T b) {
    return a < b ? b : a;
}
