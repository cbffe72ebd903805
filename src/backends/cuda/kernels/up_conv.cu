// SPDX-License-Identifier: Apache-2.0
// Transposed convolutions of 2 × 2 with stride 2: each pixel has four of its own in the result. Blocks stay, with the
// weights of some of the four positions in shared memory. A warp goes through groups of sixteen pixels, which it holds
// as operands in registers while the next group is on its way; stores are whole quads.
#include "../fused_kernels.h"
#include "fragments.cuh"
#include "packed_fragments.cuh"

namespace vitrum::cuda {
namespace {

constexpr int kWarps = 4, kThreads = 32 * kWarps, kGroup = 16;  // pixels of a warp

struct UpConv {
    Pixels x, y;
    std::uint32_t const* weights;
    float const* bias;  ///< [channel][position], or null
};

/// kSteps · 16 channels that are read, kPairs · 16 that are written.
template <int kSteps_, int kPairs_>
struct UpTile {
    static constexpr int kSteps = kSteps_, kPairs = kPairs_;
    static constexpr int kPairWords = kSteps * 2 * UpConvWeights::kTileWords;
    static constexpr int kPositions = 8192 / (kPairs * kPairWords);  ///< of a block: 32 KiB of weights
    static constexpr int kShares = UpConvWeights::kPositions / kPositions;
    static constexpr int kBlocks = kSteps == 4 ? 4 : 3;  ///< on a multiprocessor, as registers allow

    alignas(16) std::uint32_t weights[kPositions * kPairs][kPairWords];
    float4 bias[kPositions * kPairs][4];

    __device__ void fetch(UpConv const& conv, int first_position) {
        constexpr int kQuads = kPositions * kPairs * kPairWords / 4;
        std::uint32_t const* const from = conv.weights + first_position * kPairs * kPairWords;
        for (int i = static_cast<int>(threadIdx.x); i < kQuads; i += kThreads) {
            copy_async(&weights[0][0] + 4 * i, from + 4 * i);
        }
        commit_copies();
        for (int i = static_cast<int>(threadIdx.x); i < kPositions * kPairs * 4; i += kThreads) {
            int const position = first_position + i / (kPairs * 4), channel = i % (kPairs * 4) * 4;
            bias[i / 4][i % 4] = each(make_float4(0, 0, 0, 0), [&](float, int j) {
                bool const exists = conv.bias != nullptr && channel + j < conv.y.c;
                return exists ? conv.bias[(channel + j) * UpConvWeights::kPositions + position] : 0.0F;
            });
        }
    }
};

/// A group of pixels on its way: rows g and g + 8 of each step.
template <int kSteps>
struct UpGroup {
    float4 quads[2 * kSteps];

    __device__ void fetch(Pixels const& x, std::int64_t first, int t) {
        PixelQuad at[2 * kSteps];
#pragma unroll
        for (int i = 0; i < 2 * kSteps; ++i) {
            std::int64_t const pixel = first + i % 2 * 8;
            int const channel = i / 2 * 16 + 4 * t;
            at[i] = {x.at(pixel) + channel, x.c - channel, pixel < x.count()};
        }
        fetch_pixels(quads, at, x.vector);
    }
    [[nodiscard]] __device__ Left<Tf32> operand(int step, int count) const {
        Quads q;
        q.set(0, known_of(quads[2 * step], count));
        q.set(1, known_of(quads[2 * step + 1], count));
        return Left<Tf32>(q);
    }
};

/// All positions of a block for sixteen pixels.
template <class Tile>
__device__ void store_positions(UpConv const& conv, Tile const& tile, int first_position, std::int64_t first,
                                Left<Tf32> const (&left)[Tile::kSteps]) {
    Pixels const &x = conv.x, &y = conv.y;
    int const lane = static_cast<int>(threadIdx.x % 32), t = lane % 4;
    float* corner[2];
    bool exists[2];
#pragma unroll
    for (int r = 0; r < 2; ++r) {
        std::int64_t const pixel = first + 8 * r;
        exists[r] = pixel < x.count();
        Place const place(exists[r] ? pixel : 0, x.h, x.w);
        corner[r] = y.at((place.n * y.h + 2 * place.row) * y.w + 2 * place.column) + 4 * t;
    }
#pragma unroll 1
    for (int part = 0; part < Tile::kPositions * Tile::kPairs; ++part) {
        int const position = first_position + part / Tile::kPairs, channel = part % Tile::kPairs * 16;
        SumQuads sums = {};
#pragma unroll
        for (int s = 0; s < Tile::kSteps; ++s) {
#pragma unroll
            for (int j = 0; j < 2; ++j) {
                Right<Tf32> right;
                right.load(&tile.weights[part][(2 * s + j) * UpConvWeights::kTileWords], lane);
                multiply_add(sums.tiles[j], left[s], right);
            }
        }
        int const count = y.c - channel - 4 * t;
        if (count <= 0) continue;
        float4 const bias = tile.bias[part][t];
        std::int64_t const offset = (position / 2 * y.w + position % 2) * y.stride + channel;
#pragma unroll
        for (int r = 0; r < 2; ++r) {
            if (exists[r]) store4(corner[r] + offset, sums.quad(r) + bias, count, y.vector);
        }
    }
}

template <class Tile>
__global__ void __launch_bounds__(kThreads, Tile::kBlocks) up_conv_kernel(UpConv const conv) {
    auto& tile = dynamic_shared<Tile>();
    let_next_start();
    int const first_position = static_cast<int>(blockIdx.x % Tile::kShares) * Tile::kPositions;
    tile.fetch(conv, first_position);
    await_previous();
    int const g = static_cast<int>(threadIdx.x % 32 / 4), t = static_cast<int>(threadIdx.x % 4);
    std::int64_t const step = std::int64_t{gridDim.x / Tile::kShares} * kWarps * kGroup;
    std::int64_t first = (std::int64_t{blockIdx.x / Tile::kShares} * kWarps + threadIdx.x / 32) * kGroup;
    UpGroup<Tile::kSteps> next;
    next.fetch(conv.x, first + g, t);
    wait_for_copies<0>();
    __syncthreads();
#pragma unroll 1
    for (; first < conv.x.count(); first += step) {
        Left<Tf32> left[Tile::kSteps];
#pragma unroll
        for (int s = 0; s < Tile::kSteps; ++s) left[s] = next.operand(s, conv.x.c - 16 * s - 4 * t);
        next.fetch(conv.x, first + step + g, t);
        store_positions(conv, tile, first_position, first + g, left);
    }
}

template <int kSteps, int kPairs>
void run(void* stream, UpConv const& conv) {
    using Tile = UpTile<kSteps, kPairs>;
    std::int64_t const groups = divide_up(conv.x.count(), kGroup);
    std::int64_t const at_once = blocks_at_once(up_conv_kernel<Tile>, kThreads, sizeof(Tile)) / Tile::kShares;
    std::int64_t const blocks =
        std::clamp<std::int64_t>(divide_up(groups, kWarps), 1, std::max<std::int64_t>(at_once, 1));
    start_shared<Start::early>(stream, up_conv_kernel<Tile>, blocks * Tile::kShares, kThreads, sizeof(Tile), conv);
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
