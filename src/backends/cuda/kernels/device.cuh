// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <mutex>
#include <utility>

#include "../choices.h"
#include "backends/backend.h"
#include "ptx/early.cuh"

// What every kernel builds on: views of device memory, indices, launches.

namespace vitrum::cuda {

/// Rows of floats in device memory. `vector`: every row starts at a multiple of 16 bytes.
struct Matrix {
    float* data = nullptr;
    std::int64_t stride = 0;
    bool vector = false;

    Matrix() = default;
    __host__ __device__ Matrix(float* data_, std::int64_t stride_)
        : data(data_), stride(stride_), vector(stride_ % 4 == 0 && reinterpret_cast<std::uintptr_t>(data_) % 16 == 0) {}
    [[nodiscard]] __host__ __device__ float* at(std::int64_t row) const { return data + row * stride; }
    /// The rows from `row` on; none stay none.
    [[nodiscard]] Matrix from(std::int64_t row) const { return data == nullptr ? *this : Matrix(at(row), stride); }
};

/// An activation [N, H, W, C].
struct Pixels : Matrix {
    std::int64_t n = 0, h = 0, w = 0;
    int c = 0;

    Pixels() = default;
    explicit Pixels(TensorView const& view) {
        if (view.data == nullptr) return;
        Nhwc<float> const x = nhwc(view);
        static_cast<Matrix&>(*this) = Matrix(x.data, x.stride);
        n = x.n;
        h = x.h;
        w = x.w;
        c = static_cast<int>(x.c);
    }
    [[nodiscard]] __host__ __device__ std::int64_t count() const { return n * h * w; }
    [[nodiscard]] __host__ __device__ int quads() const { return (c + 3) / 4; }
};

[[nodiscard]] inline float const* floats(TensorView const& view) {
    return reinterpret_cast<float const*>(view.data);
}
[[nodiscard]] inline float const* floats(std::byte const* packed) {
    return reinterpret_cast<float const*>(packed);
}

/// Parts of a workspace, one behind the other, 256 bytes aligned.
class WorkspaceParts {
public:
    /// Without a workspace the parts have no addresses, only a size.
    explicit WorkspaceParts(std::byte* start) : start_(reinterpret_cast<std::uintptr_t>(start)) {}
    template <class T>
    T* take(std::int64_t count) {
        auto* const part = reinterpret_cast<T*>(start_ + used_);
        used_ += static_cast<std::size_t>(round_up(count * static_cast<std::int64_t>(sizeof(T)), 256));
        return part;
    }
    [[nodiscard]] std::size_t bytes() const { return used_; }

private:
    std::uintptr_t start_;
    std::size_t used_ = 0;
};

struct Quotient {
    std::int64_t whole, rest;
};
/// 64-bit division costs several times the 32-bit one, and most sizes are small.
[[nodiscard]] __host__ __device__ inline Quotient divide(std::int64_t a, std::int64_t b) {
    if (((a | b) >> 32) == 0) {
        auto const x = static_cast<std::uint32_t>(a);
        auto const y = static_cast<std::uint32_t>(b);
        return {x / y, x % y};
    }
    return {a / b, a % b};
}

/// Division by a number that the host knows: one product.
struct Divisor {
    int by;
    std::uint64_t magic;

    explicit Divisor(int by_) : by(by_), magic(division_magic(static_cast<std::uint32_t>(by_))) {}
    [[nodiscard]] __host__ __device__ int whole(int k) const {
        return static_cast<int>(static_cast<std::uint32_t>(k) * magic >> 32);
    }
};

/// A pixel's place in [N, H, W].
struct Place {
    std::int64_t n, row, column;

    __host__ __device__ Place(std::int64_t pixel, std::int64_t h, std::int64_t w) {
        Quotient const line = divide(pixel, w);
        Quotient const picture = divide(line.whole, h);
        n = picture.whole;
        row = picture.rest;
        column = line.rest;
    }
};

/// Up to four of `count` floats and nothing done with them, so that the thread may go on while they are on their way:
/// what lies behind the last one is whatever memory holds.
[[nodiscard]] __device__ inline float4 fetch4(float const* from, int count, bool vector) {
    float4 v = make_float4(0, 0, 0, 0);
    if (vector) {
        if (count > 0) v = *reinterpret_cast<float4 const*>(from);
    } else {
        if (count > 0) v.x = from[0];
        if (count > 1) v.y = from[1];
        if (count > 2) v.z = from[2];
        if (count > 3) v.w = from[3];
    }
    return v;
}

/// Zeros beyond `count`.
[[nodiscard]] __device__ inline float4 first4(float4 v, int count) {
    return make_float4(count > 0 ? v.x : 0, count > 1 ? v.y : 0, count > 2 ? v.z : 0, count > 3 ? v.w : 0);
}

/// Up to four of `count` floats, zeros for the others: what lies behind the last channel must not be seen.
[[nodiscard]] __device__ inline float4 load4(float const* from, std::int64_t count, bool vector) {
    float4 v = make_float4(0, 0, 0, 0);
    if (vector && count > 0) v = *reinterpret_cast<float4 const*>(from);
    else if (count > 0) {
        v.x = from[0];
        if (count > 1) v.y = from[1];
        if (count > 2) v.z = from[2];
        if (count > 3) v.w = from[3];
    }
    if (count < 4) {
        v.w = 0;
        if (count < 3) v.z = 0;
        if (count < 2) v.y = 0;
    }
    return v;
}

/// The way back; padding may be written, other memory not.
__device__ inline void store4(float* to, float4 v, std::int64_t count, bool vector) {
    if (vector) {
        *reinterpret_cast<float4*>(to) = v;
        return;
    }
    if (count > 0) to[0] = v.x;
    if (count > 1) to[1] = v.y;
    if (count > 2) to[2] = v.z;
    if (count > 3) to[3] = v.w;
}

[[nodiscard]] __device__ inline float4 operator+(float4 a, float4 b) {
    return make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w);
}

/// f(value, index) for each of the four.
template <class F>
[[nodiscard]] __device__ float4 each(float4 v, F const& f) {
    return make_float4(f(v.x, 0), f(v.y, 1), f(v.z, 2), f(v.w, 3));
}

[[nodiscard]] __device__ inline float gelu(float x) {
    return 0.5F * x * (1.0F + erff(x * 0.70710678118654752F));
}

[[nodiscard]] __device__ inline float activate(Activation activation, float negative_slope, float x) {
    switch (activation) {
        case Activation::none: return x;
        case Activation::leaky_relu: return x < 0 ? x * negative_slope : x;
        case Activation::gelu: return gelu(x);
    }
    return x;
}

[[nodiscard]] __device__ inline float warp_sum(float value) {
    for (int lane = 16; lane > 0; lane /= 2) value += __shfl_xor_sync(0xFFFFFFFFU, value, lane);
    return value;
}

[[nodiscard]] inline int device_attribute(cudaDeviceAttr which) {
    int device = 0, value = 0;
    cudaError_t status = cudaGetDevice(&device);
    if (status == cudaSuccess) status = cudaDeviceGetAttribute(&value, which, device);
    if (status != cudaSuccess) fail("the GPU does not answer: {}", cudaGetErrorString(status));
    return value;
}

/// Whether a block may have so much shared memory.
[[nodiscard]] inline Support shared_support(std::size_t bytes) {
    int const most = device_attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin);
    if (bytes <= static_cast<std::size_t>(most)) return {};
    return {false, fmt::format("needs {} KiB of shared memory, and a block may have {}", bytes >> 10, most >> 10)};
}

/// What a block may have without asking.
constexpr std::size_t kUsualSharedBytes = 48 << 10;

/// Lets the blocks of a kernel have so much. What it was let have before is never taken back: the limit belongs to the
/// kernel, and other sessions may be launching it for larger problems at this very moment.
[[nodiscard]] inline cudaError_t allow_shared(void const* kernel, std::size_t bytes) {
    static std::mutex mutex;
    static std::map<std::pair<int, void const*>, std::size_t> allowed;  // by device
    if (bytes <= kUsualSharedBytes) return cudaSuccess;
    int device = 0;
    if (cudaError_t const status = cudaGetDevice(&device); status != cudaSuccess) return status;
    std::scoped_lock const lock(mutex);
    std::size_t& most = allowed[{device, kernel}];
    if (bytes <= most) return cudaSuccess;
    cudaError_t const status =
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes));
    if (status == cudaSuccess) most = bytes;
    return status;
}

/// When a kernel begins: when the one before it in the stream has ended, or as soon as its blocks find room, in which
/// case it waits by itself before it touches what other kernels read or write (await_previous). GPUs before Hopper
/// start all kernels after.
enum class Start { after, early };

[[nodiscard]] inline bool can_start_early() {
    return device_attribute(cudaDevAttrComputeCapabilityMajor) >= 9;
}

/// Queues a kernel whose blocks get `shared_bytes` of dynamic shared memory. Nothing waits: what fails later is seen by
/// whoever synchronises.
template <Start kStart = Start::after, class... Parameters, class... Arguments>
void start_shared(void* stream, void (*kernel)(Parameters...), std::int64_t blocks, int threads,
                  std::size_t shared_bytes, Arguments&&... arguments) {
    if (blocks <= 0) return;
    VITRUM_ASSERT(blocks < std::int64_t{1} << 31);
    cudaLaunchConfig_t config{};
    config.gridDim = dim3(static_cast<unsigned>(blocks));
    config.blockDim = dim3(static_cast<unsigned>(threads));
    config.dynamicSmemBytes = shared_bytes;
    config.stream = static_cast<cudaStream_t>(stream);
    cudaLaunchAttribute early{};
    early.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    early.val.programmaticStreamSerializationAllowed = 1;
    if (kStart == Start::early && can_start_early()) config.attrs = &early, config.numAttrs = 1;
    cudaError_t status = allow_shared(reinterpret_cast<void const*>(kernel), shared_bytes);
    if (status == cudaSuccess) status = cudaLaunchKernelEx(&config, kernel, Parameters(arguments)...);
    if (status == cudaErrorMemoryAllocation) fail_as(ErrorKind::out_of_memory, "no memory left to load a kernel");
    if (status != cudaSuccess) fail("the GPU refused a kernel: {}", cudaGetErrorString(status));
}

template <Start kStart = Start::after, class... Parameters, class... Arguments>
void start(void* stream, void (*kernel)(Parameters...), std::int64_t blocks, int threads, Arguments&&... arguments) {
    start_shared<kStart>(stream, kernel, blocks, threads, 0, std::forward<Arguments>(arguments)...);
}

/// Queues a kernel that takes its turn by itself: early where its blocks are so few that they do no harm while they
/// wait beside those of the kernel before.
template <class... Parameters, class... Arguments>
void start_in_turn(void* stream, void (*kernel)(Parameters...), std::int64_t blocks, int threads,
                   Arguments&&... arguments) {
    constexpr std::int64_t kFewBlocks = 64;
    if (blocks <= kFewBlocks) start<Start::early>(stream, kernel, blocks, threads, arguments...);
    else start(stream, kernel, blocks, threads, arguments...);
}

constexpr int kElementThreads = 256;

template <class F>
__global__ void __launch_bounds__(kElementThreads) for_each_kernel(std::int64_t count, F f) {
    take_turn();
    std::int64_t const step = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
    for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step) f(i);
}

/// f(i) for each i below count.
template <class F>
void for_each(void* stream, std::int64_t count, F const& f) {
    std::int64_t const blocks = std::min<std::int64_t>(divide_up(count, kElementThreads), 1 << 16);
    start_in_turn(stream, for_each_kernel<F>, blocks, kElementThreads, count, f);
}

}  // namespace vitrum::cuda
