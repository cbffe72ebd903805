// SPDX-License-Identifier: Apache-2.0
// Transposed convolutions of 2 × 2 with stride 2: each pixel has four of its own in the result. A warp holds sixteen
// pixels as operands in registers and goes through the four positions, or has one of them, where pixels are too few for
// all warps of a GPU; nothing is shared, and stores are whole quads.
#include "../fused_kernels.h"
#include "fragments.cuh"

namespace vitrum::cuda {
namespace {

constexpr int kWarps = 4, kThreads = 32 * kWarps, kGroup = 16;  // pixels of a warp

struct UpConv {
    Pixels x, y;
    std::uint32_t const* weights;
    float const* bias;  ///< [channel][position], or null
};

/// kSteps · 16 channels that are read, kPairs · 16 that are written, kEach positions of a warp.
template <int kSteps, int kPairs, int kEach>
__global__ void __launch_bounds__(kThreads) up_conv_kernel(UpConv const conv) {
    take_turn();
    Pixels const &x = conv.x, &y = conv.y;
    constexpr int kShares = UpConvWeights::kPositions / kEach;
    int const lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32, t = lane % 4;
    int const first_part = warp % kShares * kEach * kPairs;
    std::int64_t const group = static_cast<std::int64_t>(blockIdx.x) * (kWarps / kShares) + warp / kShares;
    std::int64_t const first = group * kGroup + lane / 4;
    bool exists[2];
    float* corner[2];
    QuadAt at[2 * kSteps];
#pragma unroll
    for (int r = 0; r < 2; ++r) {
        std::int64_t const pixel = first + 8 * r;
        exists[r] = pixel < x.count();
        Place const place(exists[r] ? pixel : 0, x.h, x.w);
        corner[r] = y.at((place.n * y.h + 2 * place.row) * y.w + 2 * place.column) + 4 * t;
#pragma unroll
        for (int s = 0; s < kSteps; ++s) {
            int const channel = 16 * s + 4 * t;
            at[2 * s + r] = {x.at(exists[r] ? pixel : 0) + channel, exists[r] ? x.c - channel : 0};
        }
    }
    float4 v[2 * kSteps];
    load_quads(v, at, x);
    Left<Tf32> left[kSteps];
#pragma unroll
    for (int s = 0; s < kSteps; ++s) {
        Quads quads;
        quads.set(0, v[2 * s]);
        quads.set(1, v[2 * s + 1]);
        left[s] = Left<Tf32>(quads);
    }
#pragma unroll 1
    for (int part = first_part; part < first_part + kEach * kPairs; ++part) {
        int const position = part / kPairs, channel = part % kPairs * 16, count = y.c - channel - 4 * t;
        std::uint32_t const* const weights = conv.weights + part * kSteps * 2 * UpConvWeights::kTileWords;
        SumQuads sums = {};
#pragma unroll
        for (int s = 0; s < kSteps; ++s) {
#pragma unroll
            for (int j = 0; j < 2; ++j) {
                Right<Tf32> right;
                right.load(weights + (2 * s + j) * UpConvWeights::kTileWords, lane);
                multiply_add(sums.tiles[j], left[s], right);
            }
        }
        if (count <= 0) continue;
        float4 bias = make_float4(0, 0, 0, 0);
        if (conv.bias != nullptr) {
            float const* const from = conv.bias + (channel + 4 * t) * UpConvWeights::kPositions + position;
            bias = each(bias, [&](float, int i) { return i < count ? from[i * UpConvWeights::kPositions] : 0.0F; });
        }
        std::int64_t const offset = (position / 2 * y.w + position % 2) * y.stride + channel;
#pragma unroll
        for (int r = 0; r < 2; ++r) {
            if (exists[r]) store4(corner[r] + offset, sums.quad(r) + bias, count, y.vector);
        }
    }
}

template <int kSteps, int kPairs>
void run(void* stream, UpConv const& conv) {
    constexpr int kEnough = 16;  // warps of a multiprocessor
    std::int64_t const groups = divide_up(conv.x.count(), kGroup);
    if (groups >= std::int64_t{kEnough} * device_attribute(cudaDevAttrMultiProcessorCount)) {
        start<Start::early>(stream, up_conv_kernel<kSteps, kPairs, UpConvWeights::kPositions>,
                            divide_up(groups, kWarps), kThreads, conv);
    } else {
        start<Start::early>(stream, up_conv_kernel<kSteps, kPairs, 1>, groups, kThreads, conv);
    }
}

}  // namespace

Support UpConvKernel::supports(Conv2d const& op, Problem const& problem) {
    Shape const& weight = problem.inputs[Conv2d::kWeight];
    if (op.kernel != 1 || op.stride != 1 || op.pixel_shuffle != 2)
        return {false, "for 1 × 1 and a shuffle by two only"};
    if (op.activation != Activation::none || problem.inputs[Conv2d::kResidual].rank() != 0) {
        return {false, "neither activation nor residual may follow"};
    }
    if (weight[1] <= 4) return {false, "colours are multiplied in fp32"};
    if (weight[1] > 128 || weight[0] > 4 * 64) return {false, "more than 128 channels, or than 64 behind the shuffle"};
    return serves(Precision::tf32, problem.precision);
}

void UpConvKernel::launch(Conv2d const&, Launch const& launch) {
    auto const in = launch.inputs;
    UpConv const conv{Pixels(in[Conv2d::kX]), Pixels(launch.outputs[0]),
                      reinterpret_cast<std::uint32_t const*>(launch.packed[0]), floats(in[Conv2d::kBias])};
    Shape const& weight = in[Conv2d::kWeight].shape;
    UpConvWeights const weights(weight[0], weight[1]);
    if (weights.steps == 4 && weights.pairs == 2) return run<4, 2>(launch.stream, conv);
    if (weights.steps == 4) return run<4, 4>(launch.stream, conv);
    if (weights.pairs == 2) return run<8, 2>(launch.stream, conv);
    run<8, 4>(launch.stream, conv);
}

}  // namespace vitrum::cuda
