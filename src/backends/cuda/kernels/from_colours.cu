// SPDX-License-Identifier: Apache-2.0
// 3 × 3 convolutions of a picture's own colours, in float32: with so few channels the sums are short, and memory takes
// as long. A thread has two channels of the output, whose weights for all taps stay in its registers, and walks along a
// row of pixels, so that each step brings one more column of three pixels. Blocks stay and go through the tiles.
#include "../general_kernels.h"
#include "conv2d.cuh"
#include "packed_fragments.cuh"

namespace vitrum::cuda {
namespace {

constexpr int kSide = 3;
constexpr int kRun = 48;  // pixels of a row of a tile
constexpr int kThreads = 256, kMostRows = 16;
constexpr int kPatchColumns = kRun + kSide - 1;
static_assert(kRun % kSide == 0);

/// Tiles of the output, and how a block's threads share one: the pairs of channels of a row, then the next row's.
struct ColourTiles {
    std::int64_t count;
    int down, across;  ///< of a picture
    int rows, pairs;

    explicit ColourTiles(Pixels const& y) : pairs(static_cast<int>(divide_up(y.c, 2))) {
        rows = std::clamp(kThreads / pairs, 1, kMostRows);
        down = static_cast<int>(divide_up(y.h, rows)), across = static_cast<int>(divide_up(y.w, kRun));
        count = y.n * down * across;
    }
    [[nodiscard]] int threads() const { return static_cast<int>(round_up(rows * pairs, 32)); }
};

/// A thread's weights [output][kIn][3][3] of two outputs, zeros behind the last one.
template <int kIn>
struct ColourWeights {
    float2 taps[kSide][kSide][kIn];  ///< column by column
    float2 bias;

    __device__ ColourWeights(float const* weight, float const* biases, int first, int outputs) {
        constexpr int kOf = kSide * kSide * kIn;
        bool const both = first + 1 < outputs;
        bias.x = biases != nullptr ? biases[first] : 0;
        bias.y = biases != nullptr && both ? biases[first + 1] : 0;
        float const* const from = weight + first * kOf;
#pragma unroll
        for (int i = 0; i < kOf; ++i) {
            taps[i % kSide][i / kSide % kSide][i / (kSide * kSide)] = {from[i], both ? from[kOf + i] : 0};
        }
    }
};

/// Pixels that a tile depends on, zeros outside of the picture. Behind them in shared memory lie the weights, from
/// where each thread takes its own.
struct ColourPatch {
    float4 pixels[kMostRows + kSide - 1][kPatchColumns];

    [[nodiscard]] static std::size_t bytes_with(std::int64_t weights) {
        return sizeof(ColourPatch) + static_cast<std::size_t>(weights) * sizeof(float);
    }
    [[nodiscard]] __device__ float* weights() { return reinterpret_cast<float*>(this + 1); }

    __device__ void load(Pixels const& x, Place const& tile, int rows) {
        int const count = (rows + kSide - 1) * kPatchColumns;
        for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) {
            std::int64_t const row = tile.row + i / kPatchColumns - 1, column = tile.column + i % kPatchColumns - 1;
            bool const exists = row >= 0 && row < x.h && column >= 0 && column < x.w;
            (&pixels[0][0])[i] = load4(x.at((tile.n * x.h + row) * x.w + column), exists ? x.c : 0, x.vector);
        }
    }
};

template <int kIn>
struct ColourColumn {
    float of[kSide][kIn];

    __device__ void take(ColourPatch const& patch, int row, int column) {
#pragma unroll
        for (int i = 0; i < kSide; ++i) {
            float4 const v = patch.pixels[row + i][column];
            float const all[] = {v.x, v.y, v.z, v.w};
#pragma unroll
            for (int c = 0; c < kIn; ++c) of[i][c] = all[c];
        }
    }
    __device__ void add_to(float2& sum, float2 const (&taps)[kSide][kIn]) const {
#pragma unroll
        for (int i = 0; i < kSide; ++i) {
#pragma unroll
            for (int c = 0; c < kIn; ++c) {
                sum.x = fmaf(of[i][c], taps[i][c].x, sum.x), sum.y = fmaf(of[i][c], taps[i][c].y, sum.y);
            }
        }
    }
};

/// A thread's part of a tile: `count` pixels of a row from `to` on.
template <int kIn>
__device__ void run_along(ColourPatch const& patch, int row, ColourWeights<kIn> const& weights, float* to,
                          std::int64_t stride, int count, bool both, bool is_vector) {
    ColourColumn<kIn> columns[kSide];
    columns[0].take(patch, row, 0);
    columns[1].take(patch, row, 1);
#pragma unroll 1
    for (int first = 0; first < count; first += kSide) {
#pragma unroll
        for (int i = 0; i < kSide; ++i, to += stride) {
            columns[(i + 2) % kSide].take(patch, row, first + i + 2);
            float2 sum = weights.bias;
#pragma unroll
            for (int tap = 0; tap < kSide; ++tap) columns[(i + tap) % kSide].add_to(sum, weights.taps[tap]);
            if (first + i >= count) break;
            if (is_vector) {
                *reinterpret_cast<float2*>(to) = sum;
            } else {
                to[0] = sum.x;
                if (both) to[1] = sum.y;
            }
        }
    }
}

template <int kIn>
__global__ void __launch_bounds__(kThreads, 2)
    from_colours_kernel(ColourTiles tiles, Pixels x, Pixels y, float const* weight, float const* bias) {
    auto& patch = dynamic_shared<ColourPatch>();
    int const row = static_cast<int>(threadIdx.x) / tiles.pairs,
              channel = static_cast<int>(threadIdx.x) % tiles.pairs * 2;
    let_next_start();
    for (int i = static_cast<int>(threadIdx.x); i < y.c * kSide * kSide * kIn; i += static_cast<int>(blockDim.x)) {
        patch.weights()[i] = weight[i];
    }
    __syncthreads();
    ColourWeights<kIn> const weights(patch.weights(), bias, channel, y.c);
    await_previous();
    for (std::int64_t index = blockIdx.x; index < tiles.count; index += gridDim.x) {
        Place tile(index, tiles.down, tiles.across);
        tile.row *= tiles.rows, tile.column *= kRun;
        __syncthreads();  // everybody is done with the patch before
        patch.load(x, tile, tiles.rows);
        __syncthreads();
        if (row >= tiles.rows || tile.row + row >= y.h) continue;
        auto const count = static_cast<int>(min(std::int64_t{kRun}, y.w - tile.column));
        float* const to = y.at((tile.n * y.h + tile.row + row) * y.w + tile.column) + channel;
        run_along(patch, row, weights, to, y.stride, count, channel + 1 < y.c, y.vector);
    }
}

template <int kIn>
void run(Launch const& launch) {
    Pixels const x(launch.inputs[Conv2d::kX]), y(launch.outputs[0]);
    ColourTiles const tiles(y);
    std::size_t const bytes = ColourPatch::bytes_with(launch.inputs[Conv2d::kWeight].shape.count());
    std::int64_t const blocks = std::min(tiles.count, blocks_at_once(from_colours_kernel<kIn>, tiles.threads(), bytes));
    start_shared<Start::early>(launch.stream, from_colours_kernel<kIn>, blocks, tiles.threads(), bytes, tiles, x, y,
                               floats(launch.inputs[Conv2d::kWeight]), floats(launch.inputs[Conv2d::kBias]));
}

}  // namespace

Support FromColoursKernel::supports(Conv2d const& op, Problem const& problem) {
    Shape const& weight = problem.inputs[Conv2d::kWeight];
    if (op.kernel != kSide || op.stride != 1) return {false, "for 3 × 3 and stride 1 only"};
    bool const is_bare =
        op.pixel_shuffle == 1 && op.activation == Activation::none && !problem.present[Conv2d::kResidual];
    if (!is_bare) return {false, "nothing may follow"};
    if (weight[1] > 4) return {false, fmt::format("{} channels, more than 4", weight[1])};
    if (weight[0] < 16 || weight[0] > 2 * kThreads) {
        return {false, fmt::format("to {} channels: serves 16 to {}", weight[0], 2 * kThreads)};
    }
    return shared_support(ColourPatch::bytes_with(weight.count()));
}

void FromColoursKernel::launch(Conv2d const&, Launch const& launch) {
    switch (launch.inputs[Conv2d::kWeight].shape[1]) {
        case 1: return run<1>(launch);
        case 2: return run<2>(launch);
        case 3: return run<3>(launch);
        default: return run<4>(launch);
    }
}

}  // namespace vitrum::cuda
