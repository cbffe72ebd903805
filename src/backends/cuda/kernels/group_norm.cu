// SPDX-License-Identifier: Apache-2.0
#include "../general_kernels.h"
#include "device.cuh"

namespace vitrum::cuda {
namespace {

constexpr int kThreads = 256;
constexpr std::int64_t kMostParts = 64;

struct Sum {
    double values, squares;
};

/// Sums in float64: the variance then comes from the squares without losing anything that float32 could hold.
struct Statistics {
    Pixels x;
    int groups;
    std::int64_t parts;
    Sum* sums;  ///< [N · groups][parts]

    [[nodiscard]] __host__ __device__ int channels() const { return x.c / groups; }
    /// Numbers of a group that are read together.
    [[nodiscard]] __host__ __device__ int width() const { return x.vector && channels() % 4 == 0 ? 4 : 1; }
};

template <int kWidth>
__global__ void __launch_bounds__(kThreads) sums_kernel(Statistics s) {
    __shared__ Sum shared[kThreads];
    Quotient const by_part = divide(static_cast<std::int64_t>(blockIdx.x), s.parts);
    Quotient const by_group = divide(by_part.whole, s.groups);
    int const thread = static_cast<int>(threadIdx.x), widths = s.channels() / kWidth;
    std::int64_t const first = by_group.rest * s.channels(), plane = s.x.h * s.x.w;
    std::int64_t const items = plane * widths, step = s.parts * kThreads;
    Sum own{0, 0};
#pragma unroll 4
    for (std::int64_t i = by_part.rest * kThreads + thread; i < items; i += step) {
        Quotient const at = divide(i, widths);
        float const* const from = s.x.at(by_group.whole * plane + at.whole) + first + at.rest * kWidth;
        float numbers[kWidth];
        if constexpr (kWidth == 4) {
            float4 const four = *reinterpret_cast<float4 const*>(from);
            numbers[0] = four.x, numbers[1] = four.y, numbers[2] = four.z, numbers[3] = four.w;
        } else {
            numbers[0] = *from;
        }
        for (float const number : numbers) {
            auto const value = static_cast<double>(number);
            own.values += value;
            own.squares += value * value;
        }
    }
    shared[thread] = own;
    for (int half = kThreads / 2; half > 0; half /= 2) {
        __syncthreads();
        if (thread >= half) continue;
        shared[thread].values += shared[thread + half].values;
        shared[thread].squares += shared[thread + half].squares;
    }
    if (thread == 0) s.sums[blockIdx.x] = shared[0];
}

/// Of a group.
struct Moments {
    double mean, factor;
};

/// A warp for a group's parts.
__global__ void __launch_bounds__(32) moments_kernel(Statistics s, float epsilon, Moments* moments) {
    take_turn();
    Sum total{0, 0};
    for (std::int64_t part = threadIdx.x; part < s.parts; part += 32) {
        Sum const own = s.sums[blockIdx.x * s.parts + part];
        total.values += own.values;
        total.squares += own.squares;
    }
    for (int lane = 16; lane > 0; lane /= 2) {
        total.values += __shfl_xor_sync(0xFFFFFFFFU, total.values, lane);
        total.squares += __shfl_xor_sync(0xFFFFFFFFU, total.squares, lane);
    }
    if (threadIdx.x > 0) return;
    auto const count = static_cast<double>(s.x.h * s.x.w * s.channels());
    double const mean = total.values / count;
    double const variance = fmax(total.squares / count - mean * mean, 0.0);
    moments[blockIdx.x] = {mean, 1.0 / sqrt(variance + static_cast<double>(epsilon))};
}

struct ApplyQuad {
    Pixels x, y;
    int groups;
    Moments const* moments;
    float const *weight, *bias;

    __device__ void operator()(std::int64_t i) const {
        Quotient const at = divide(i, y.quads());
        int const c = static_cast<int>(at.rest) * 4, left = y.c - c, channels = y.c / groups;
        Moments const* const own = moments + divide(at.whole, y.h * y.w).whole * groups;
        int const group = c / channels;
        bool const is_one = channels % 4 == 0;  // of all four
        float4 const v = each(load4(x.at(at.whole) + c, left, x.vector), [&](float value, int j) {
            if (j >= left) return 0.0F;
            Moments const& m = own[is_one ? group : (c + j) / channels];
            auto const normal = static_cast<float>((static_cast<double>(value) - m.mean) * m.factor);
            return fmaf(normal, weight[c + j], bias[c + j]);
        });
        store4(y.at(at.whole) + c, v, left, y.vector);
    }
};

struct Parts {
    std::int64_t parts;
    Sum* sums;
    Moments* moments;
    std::size_t bytes;

    Parts(GroupNorm const& op, Shape const& x, std::byte* workspace) {
        std::int64_t const numbers = x[1] * x[2] * (x[3] / op.groups);
        parts = std::clamp<std::int64_t>(divide_up(numbers, 16 * kThreads), 1, kMostParts);
        WorkspaceParts workspace_parts(workspace);
        sums = workspace_parts.take<Sum>(x[0] * op.groups * parts);
        moments = workspace_parts.take<Moments>(x[0] * op.groups);
        bytes = workspace_parts.bytes();
    }
};

}  // namespace

std::size_t GroupNormKernel::workspace_bytes(GroupNorm const& op, Problem const& problem, int) {
    return Parts(op, problem.inputs[GroupNorm::kX], nullptr).bytes;
}

void GroupNormKernel::launch(GroupNorm const& op, Launch const& launch) {
    auto const in = launch.inputs;
    Pixels const x(in[GroupNorm::kX]), y(launch.outputs[0]);
    Parts const parts(op, in[GroupNorm::kX].shape, launch.workspace);
    Statistics const statistics{x, op.groups, parts.parts, parts.sums};
    start(launch.stream, statistics.width() == 4 ? sums_kernel<4> : sums_kernel<1>, x.n * op.groups * parts.parts,
          kThreads, statistics);
    start<Start::early>(launch.stream, moments_kernel, x.n * op.groups, 32, statistics, op.epsilon, parts.moments);
    ApplyQuad const apply{x, y, op.groups, parts.moments, floats(in[GroupNorm::kWeight]), floats(in[GroupNorm::kBias])};
    for_each(launch.stream, y.count() * y.quads(), apply);
}

}  // namespace vitrum::cuda
