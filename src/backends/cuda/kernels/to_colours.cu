// SPDX-License-Identifier: Apache-2.0
// 3 × 3 convolutions to a picture's colours: memory takes longer than the products. The nine taps of the few outputs
// are columns of one product of pixels, so that each pixel is read once, straight to registers, multiplied in float16,
// scaled to the range of its tile, and only those sums pass through shared memory, where an output finds its nine.
#include "../general_kernels.h"
#include "../to_colours_layout.h"
#include "conv2d.cuh"
#include "packed_fragments.cuh"
#include "scaled_halves.cuh"

namespace vitrum::cuda {
namespace {

constexpr int kAcross = 32, kDown = 16;  // pixels of a tile of the output
constexpr int kPatchColumns = kAcross + 2, kPatchPixels = kPatchColumns * (kDown + 2);
constexpr int kThreads = 256, kWarps = kThreads / 32;
constexpr int kRowTiles = (kPatchPixels + 15) / 16;
constexpr int kPlane = kRowTiles * 16 + 2;  // floats from column to column: lanes that write together meet in no bank
static_assert(kPlane % 8 == 2);
constexpr int kSteps = ToColoursWeights::kChunk / kFragmentChannels;
constexpr int kColumnTiles = ToColoursWeights::kColumns / kFragmentColumns;
constexpr int kSumsBytes = ToColoursWeights::kMostOutputs * 9 * kPlane * 4;

struct ToColoursStore {
    Pixels y;
    Matrix residual;    ///< null: none
    float const* bias;  ///< null: none
};

/// A pixel of the patch; null outside of the picture.
[[nodiscard]] __device__ float const* patch_pixel(Pixels const& x, Place const& tile, int pixel) {
    std::int64_t const row = tile.row + pixel / kPatchColumns - 1, column = tile.column + pixel % kPatchColumns - 1;
    bool const exists = pixel < kPatchPixels && row >= 0 && row < x.h && column >= 0 && column < x.w;
    return exists ? x.at((tile.n * x.h + row) * x.w + column) : nullptr;
}

/// A chunk of channels of sixteen pixels on its way to a warp.
struct ChunkOnItsWay {
    float4 values[2 * kSteps];
    int count;  ///< channels from this lane's first one on

    __device__ void fetch(Pixels const& x, Place const& tile, int row_tile, int chunk) {
        int const channel = chunk * ToColoursWeights::kChunk + static_cast<int>(threadIdx.x) % 4 * 4;
        int const first = 16 * row_tile + static_cast<int>(threadIdx.x) % 32 / 4;
        float const* const pixels[2] = {patch_pixel(x, tile, first), patch_pixel(x, tile, first + 8)};
        count = x.c - channel;
        PixelQuad at[2 * kSteps];
#pragma unroll
        for (int i = 0; i < 2 * kSteps; ++i) {
            int const further = i / 2 * kFragmentChannels;
            at[i] = {pixels[i % 2] + channel + further, count - further, pixels[i % 2] != nullptr};
        }
        fetch_pixels(values, at, x.vector);
    }
};

/// A warp's sums of sixteen pixels.
struct TapSums {
    float sums[kColumnTiles][4] = {};
    int quad = static_cast<int>(threadIdx.x) % 4, lane = static_cast<int>(threadIdx.x) % 32;

    /// Adds a chunk of channels; `scale`: what its operands and those before are multiplied by.
    __device__ void multiply(ChunkOnItsWay const& from, int chunk, ToColoursWeights const& weights,
                             std::uint32_t const* words, float& scale) {
        Quads quads[kSteps];
        float largest = 0;
#pragma unroll
        for (int i = 0; i < 2 * kSteps; ++i) {
            float4 const v = known_of(from.values[i], from.count - i / 2 * kFragmentChannels);
            quads[i / 2].set(i % 2, v);
            largest = fmaxf(largest, largest_of(v));
        }
        fit_scale(scale, largest, [&](float factor) { multiply_by(factor); });
#pragma unroll
        for (int s = 0; s < kSteps; ++s) {
#pragma unroll
            for (auto& row : quads[s].v) {
#pragma unroll
                for (float& v : row) v *= scale;
            }
            Left<Fp16> const left(quads[s]);
#pragma unroll
            for (int j = 0; j < kColumnTiles; ++j) {
                Right<Fp16> right;
                right.load(words + weights.tile(j, chunk * kSteps + s), lane);
                multiply_add(sums[j], left, right);
            }
        }
    }
    /// To planes of shared memory, one for each column.
    __device__ void put(float* planes, int first_pixel, int columns, float factor) const {
        float* const to = planes + first_pixel + lane / 4;
#pragma unroll
        for (int j = 0; j < kColumnTiles; ++j) {
#pragma unroll
            for (int e = 0; e < 4; ++e) {
                int const column = j / 2 * 16 + 4 * quad + j % 2 * 2 + e % 2;
                if (column < columns) to[column * kPlane + e / 2 * 8] = sums[j][e] * factor;
            }
        }
    }

private:
    __device__ void multiply_by(float factor) {
#pragma unroll
        for (auto& tile : sums) {
#pragma unroll
            for (float& sum : tile) sum *= factor;
        }
    }
};

/// The outputs of a tile, from the sums of all taps.
__device__ void add_taps(float const* planes, Place const& tile, ToColoursStore const& store) {
    for (int i = static_cast<int>(threadIdx.x); i < kAcross * kDown; i += kThreads) {
        std::int64_t const row = tile.row + i / kAcross, column = tile.column + i % kAcross;
        if (row >= store.y.h || column >= store.y.w) continue;
        std::int64_t const m = (tile.n * store.y.h + row) * store.y.w + column;
        float const* const from = planes + i / kAcross * kPatchColumns + i % kAcross;
        for (int output = 0; output < store.y.c; ++output) {
            float sum = store.bias != nullptr ? store.bias[output] : 0;
#pragma unroll
            for (int tap = 0; tap < 9; ++tap) {
                sum += from[(tap * store.y.c + output) * kPlane + tap / 3 * kPatchColumns + tap % 3];
            }
            if (store.residual.data != nullptr) sum += store.residual.at(m)[output];
            store.y.at(m)[output] = sum;
        }
    }
}

__global__ void __launch_bounds__(kThreads, 2)
    to_colours_kernel(std::int64_t tiles, int down, int across, Pixels x, ToColoursWeights weights,
                      std::byte const* packed, ToColoursStore store) {
    auto& staged = dynamic_shared<std::byte[kSumsBytes]>();  // weights, and behind them the sums
    auto* const planes = reinterpret_cast<float*>(staged + weights.unit_offset());
    let_next_start();
    for (int i = static_cast<int>(threadIdx.x) * 16; i < weights.unit_offset(); i += kThreads * 16) {
        copy_async(staged + i, packed + i);
    }
    commit_copies();
    float const unit = *reinterpret_cast<float const*>(packed + weights.unit_offset());
    wait_for_copies<0>();
    await_previous();
    for (std::int64_t index = blockIdx.x; index < tiles; index += gridDim.x) {
        Place tile(index, down, across);
        tile.row *= kDown, tile.column *= kAcross;
        float scale = 0;
        ChunkOnItsWay next;
        next.fetch(x, tile, static_cast<int>(threadIdx.x) / 32, 0);
        __syncthreads();  // weights are there, and everybody is done with the sums before
#pragma unroll 1
        for (int m = static_cast<int>(threadIdx.x) / 32; m < kRowTiles; m += kWarps) {
            TapSums sums;
#pragma unroll 1
            for (int chunk = 0; chunk < weights.chunks; ++chunk) {
                ChunkOnItsWay const now = next;
                bool const is_last = chunk + 1 == weights.chunks;
                if (!is_last || m + kWarps < kRowTiles)
                    next.fetch(x, tile, is_last ? m + kWarps : m, is_last ? 0 : chunk + 1);
                sums.multiply(now, chunk, weights, reinterpret_cast<std::uint32_t const*>(staged), scale);
            }
            sums.put(planes, 16 * m, 9 * store.y.c, unit / scale);
        }
        __syncthreads();
        add_taps(planes, tile, store);
    }
}

}  // namespace

Support ToColoursKernel::supports(Conv2d const& op, Problem const& problem) {
    Shape const& weight = problem.inputs[Conv2d::kWeight];
    if (problem.precision == Precision::fp32) return {false, "multiplies in fp16"};
    if (op.kernel != 3 || op.stride != 1) return {false, "for 3 × 3 and stride 1 only"};
    if (op.pixel_shuffle != 1 || op.activation != Activation::none) return {false, "nothing may follow"};
    if (weight[0] > ToColoursWeights::kMostOutputs) {
        return {false, fmt::format("to {} channels, more than {}", weight[0], ToColoursWeights::kMostOutputs)};
    }
    if (weight[1] < 16 || weight[1] > ToColoursWeights::kMostInputs) {
        return {false, fmt::format("{} channels: serves 16 to {}", weight[1], ToColoursWeights::kMostInputs)};
    }
    return shared_support(kSumsBytes + static_cast<std::size_t>(ToColoursWeights(weight[1]).unit_offset()));
}

void ToColoursKernel::launch(Conv2d const&, Launch const& launch) {
    Pixels const x(launch.inputs[Conv2d::kX]);
    ToColoursStore const store{Pixels(launch.outputs[0]), Pixels(launch.inputs[Conv2d::kResidual]),
                               floats(launch.inputs[Conv2d::kBias])};
    ToColoursWeights const weights(x.c);
    auto const down = static_cast<int>(divide_up(x.h, kDown)), across = static_cast<int>(divide_up(x.w, kAcross));
    std::int64_t const tiles = x.n * down * across;
    std::size_t const bytes = kSumsBytes + static_cast<std::size_t>(weights.unit_offset());
    std::int64_t const blocks = std::min(tiles, blocks_at_once(to_colours_kernel, kThreads, bytes));
    start_shared<Start::early>(launch.stream, to_colours_kernel, blocks, kThreads, bytes, tiles, down, across, x,
                               weights, launch.packed[0], store);
}

}  // namespace vitrum::cuda
