// SPDX-License-Identifier: Apache-2.0
// 3 × 3 convolutions on tensor cores. A block has 16 × 16 pixels of the output; the 18 × 18 pixels of the input that
// they depend on pass through shared memory once, some channels at a time, and serve all nine taps from there: a tap is
// an offset of the rows that a warp loads. While the taps of one chunk of channels are multiplied, the next chunk is
// loaded, a ninth of the patch beside each tap, and the weights of the next tap.
//
// Of fp16 operands nobody knows the range: x may be the stream of a network. So a picture is multiplied by a power of
// two that brings its largest number to 2^14 … 2^15, and the sums by its inverse, which is exact. Numbers lose bits of
// their fraction only where they are below 2^-28 of the largest.
#include <bit>

#include "../general_kernels.h"
#include "conv2d.cuh"

namespace vitrum::cuda {
namespace {

constexpr int kSide = 16;   // of the output's tile
constexpr int kAround = 2;  // more pixels of the input, either way
constexpr int kPatchSide = kSide + kAround;
constexpr int kTaps = 9;
constexpr int kChunkUnits = 4;               // 128 bytes of operands of a pixel at a time
constexpr int kPitch = kChunkUnits * 8 + 4;  // registers from pixel to pixel: eight neighbours meet in no bank
constexpr int kPixelsOfPart = kPatchSide * kPatchSide / kTaps;
static_assert(kPatchSide * kPatchSide % kTaps == 0);

using Patch = std::uint32_t[kPatchSide * kPatchSide][kPitch];

template <class Operand>
constexpr bool kIsScaled = Operand::kPrecision == Precision::fp16;

/// kHoldsTaps: the weights of all taps of the only chunk, so that no tap waits for its own.
template <class Operand, int kColumns, bool kHoldsTaps_ = false>
struct PatchTile {
    static constexpr int kWarpsAcross = kColumns > 32 ? 2 : 1;
    static constexpr int kWarpsDown = kTensorThreads / 32 / kWarpsAcross;
    static constexpr int kRowTiles = kSide / kWarpsDown;
    static constexpr int kPairs = kColumns / kWarpsAcross / 16;
    static constexpr bool kHoldsTaps = kHoldsTaps_;
    static constexpr int kSteps = kChunkUnits / kParts<Operand>;
    static constexpr int kChunkChannels = kSteps * step_depth(Operand::kPrecision);
    static constexpr int kQuads = kChunkChannels / 4;  // of a pixel
    static constexpr int kLoads = (kPixelsOfPart * kQuads + kTensorThreads - 1) / kTensorThreads;

    Registers4 b[kHoldsTaps ? kTaps : 2][kChunkUnits][kColumns / 16][32];
    Patch patches[2];  ///< the second one only where there are several chunks
};

// ---- The scale of fp16.

constexpr int kMaxima = 256;  // of parts of a picture, a block each

[[nodiscard]] __device__ float warp_largest(float value) {
    for (int lane = 16; lane > 0; lane /= 2) value = fmaxf(value, __shfl_xor_sync(0xFFFFFFFFU, value, lane));
    return value;
}

/// The largest of what the threads of a block bring.
[[nodiscard]] __device__ float block_largest(float value) {
    __shared__ float of_warps[kTensorThreads / 32];
    value = warp_largest(value);
    if (threadIdx.x % 32 == 0) of_warps[threadIdx.x / 32] = value;
    __syncthreads();
    for (int i = 0; i < kTensorThreads / 32; ++i) value = fmaxf(value, of_warps[i]);
    return value;
}

__global__ void __launch_bounds__(kTensorThreads) maxima_kernel(Pixels x, float* maxima) {
    take_turn();
    Quotient const at = divide(static_cast<std::int64_t>(blockIdx.x), kMaxima);
    std::int64_t const quads = x.h * x.w * x.quads();
    float largest = 0;
    for (std::int64_t i = at.rest * kTensorThreads + threadIdx.x; i < quads; i += kMaxima * kTensorThreads) {
        Quotient const pixel = divide(i, x.quads());
        int const c = static_cast<int>(pixel.rest) * 4;
        float4 const v = load4(x.at(at.whole * x.h * x.w + pixel.whole) + c, x.c - c, x.vector);
        largest = fmaxf(fmaxf(fmaxf(fabsf(v.x), fabsf(v.y)), fmaxf(fabsf(v.z), fabsf(v.w))), largest);
    }
    largest = block_largest(largest);
    if (threadIdx.x == 0) maxima[blockIdx.x] = largest;
}

struct Scale {
    float factor, inverse;

    /// Of a picture with that largest number, infinity included: 2^a and 2^-a.
    [[nodiscard]] static __device__ Scale of(float largest) {
        auto const exponent = static_cast<int>(std::bit_cast<std::uint32_t>(largest) >> 23);
        int const a = min(max(141 - exponent, -126), 126);
        return {std::bit_cast<float>(static_cast<std::uint32_t>(127 + a) << 23),
                std::bit_cast<float>(static_cast<std::uint32_t>(127 - a) << 23)};
    }
};

// ----

struct PatchExtent {
    std::int64_t down, across;  ///< tiles of a picture
    int channel_steps, chunks;
    OperandExtent operands;
};

/// Where a block is.
struct PatchPlace {
    std::int64_t n, row, column;  ///< of the tile's first pixel
    int first_column;             ///< of the product

    template <int kColumns>
    __device__ static PatchPlace of(std::int64_t block, PatchExtent const& extent) {
        Quotient const by_columns = divide(block, extent.operands.columns / kColumns);
        Place const at(by_columns.whole, extent.down, extent.across);
        return {at.n, at.row * kSide, at.column * kSide, static_cast<int>(by_columns.rest) * kColumns};
    }
};

/// A ninth of a chunk's patch on its way from the picture to shared memory.
template <class Operand, class Tile>
struct PatchPart {
    float4 staged[Tile::kLoads];

    __device__ void fetch(Pixels const& x, PatchPlace const& place, int chunk, int part) {
#pragma unroll
        for (int i = 0; i < Tile::kLoads; ++i) {
            int const item = static_cast<int>(threadIdx.x) + i * kTensorThreads;
            int const pixel = part * kPixelsOfPart + item / Tile::kQuads;
            std::int64_t const row = place.row + pixel / kPatchSide - 1, column = place.column + pixel % kPatchSide - 1;
            int const c = chunk * Tile::kChunkChannels + item % Tile::kQuads * 4;
            bool const exists =
                item < kPixelsOfPart * Tile::kQuads && row >= 0 && row < x.h && column >= 0 && column < x.w;
            staged[i] = fetch4(x.at((place.n * x.h + row) * x.w + column) + c, exists ? x.c - c : 0, x.vector);
        }
    }
    __device__ void put(Pixels const& x, Patch& patch, int chunk, int part, [[maybe_unused]] float factor) {
#pragma unroll
        for (int i = 0; i < Tile::kLoads; ++i) {
            int const item = static_cast<int>(threadIdx.x) + i * kTensorThreads;
            if (item >= kPixelsOfPart * Tile::kQuads) continue;
            staged[i] = first4(staged[i], x.c - chunk * Tile::kChunkChannels - item % Tile::kQuads * 4);
            if constexpr (kIsScaled<Operand>) staged[i] = each(staged[i], [&](float v, int) { return v * factor; });
            int const pixel = part * kPixelsOfPart + item / Tile::kQuads;
            store_operands<Operand>([&](int index) { return &patch[pixel][index]; },
                                    quad_register<Operand>(item % Tile::kQuads), staged[i]);
        }
    }
};

/// The weights of a chunk's channels for a tap.
template <class Tile, int kColumns>
__device__ void fetch_weights(Tile& tile, int buffer, Registers4 const* b, PatchExtent const& extent, int first_column,
                              int chunk, int tap) {
    int const units = min(Tile::kSteps, extent.channel_steps - chunk * Tile::kSteps) * (kChunkUnits / Tile::kSteps);
    std::int64_t const first = tap * extent.channel_steps + chunk * Tile::kSteps;
    Registers4 const* const from =
        b + (first * (kChunkUnits / Tile::kSteps) * extent.operands.columns + first_column) * 2;
    Registers4* const to = &tile.b[buffer][0][0][0];
    for (int at = static_cast<int>(threadIdx.x); at < units * kColumns * 2; at += kTensorThreads) {
        int const unit = at / (kColumns * 2);
        copy_async(to + at, from + unit * extent.operands.columns * 2 + at % (kColumns * 2));
    }
    commit_copies();
}

/// The weights to begin with.
template <class Tile, int kColumns>
__device__ void fetch_first_weights(Tile& tile, Registers4 const* b, PatchExtent const& extent, int first_column) {
    for (int tap = 0; tap < (Tile::kHoldsTaps ? kTaps : 1); ++tap) {
        fetch_weights<Tile, kColumns>(tile, tap, b, extent, first_column, 0, tap);
    }
}

template <class Operand, int kColumns, bool kHoldsTaps>
__global__ void __launch_bounds__(kTensorThreads, kColumns > 64 || (kParts<Operand> == 2 && kColumns > 32) ? 1 : 2)
    patch_kernel(PatchExtent extent, Pixels x, float const* maxima, std::byte const* weight, ConvStore store) {
    using Tile = PatchTile<Operand, kColumns, kHoldsTaps>;
    Tile& tile = dynamic_shared<Tile>();
    auto const* const b = reinterpret_cast<Registers4 const*>(weight);
    PatchPlace const place = PatchPlace::of<kColumns>(static_cast<std::int64_t>(blockIdx.x), extent);
    int const lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
    int const own_row = warp / Tile::kWarpsAcross * Tile::kRowTiles;
    int const own_pair = warp % Tile::kWarpsAcross * Tile::kPairs;

    let_next_start();
    fetch_first_weights<Tile, kColumns>(tile, b, extent, place.first_column);
    await_previous();
    Scale scale{1, 1};
    if constexpr (kIsScaled<Operand>) scale = Scale::of(block_largest(maxima[place.n * kMaxima + threadIdx.x]));
    TensorSums<Operand, Tile::kRowTiles, Tile::kPairs> sums{};
    for (int i = 0; i < kTaps; i += 3) {  // many loads under way
        PatchPart<Operand, Tile> parts[3];
#pragma unroll
        for (int j = 0; j < 3; ++j) parts[j].fetch(x, place, 0, i + j);
#pragma unroll
        for (int j = 0; j < 3; ++j) parts[j].put(x, tile.patches[0], 0, i + j, scale.factor);
    }
    PatchPart<Operand, Tile> part;
    wait_for_copies<0>();
    __syncthreads();
    int buffer = 0;
    for (int chunk = 0; chunk < extent.chunks; ++chunk) {
        bool const more = chunk + 1 < extent.chunks;
        int const steps = min(Tile::kSteps, extent.channel_steps - chunk * Tile::kSteps);
        Patch const& patch = tile.patches[chunk & 1];
        for (int tap = 0; tap < kTaps; ++tap, buffer ^= 1) {
            bool const is_last = tap == kTaps - 1;
            if (!kHoldsTaps && (!is_last || more)) {
                fetch_weights<Tile, kColumns>(tile, buffer ^ 1, b, extent, place.first_column,
                                              is_last ? chunk + 1 : chunk, is_last ? 0 : tap + 1);
            }
            if (more) part.fetch(x, place, chunk + 1, tap);
            std::uint32_t const* const a =
                &patch[(own_row + tap / 3) * kPatchSide + tap % 3 + lane % 16][lane / 16 * 4];
#pragma unroll
            for (int s = 0; s < Tile::kSteps; ++s) {
                if (s >= steps) break;
                auto const row = [&](int i, int index) {
                    return a + i * kPatchSide * kPitch + s * kStepRegisters<Operand> + index * 8;
                };
                sums.multiply(row, &tile.b[kHoldsTaps ? tap : buffer][s * kParts<Operand>][own_pair][lane],
                              kColumns * 2);
            }
            sums.end_stage();
            if (more) part.put(x, tile.patches[(chunk + 1) & 1], chunk + 1, tap, scale.factor);
            if (kHoldsTaps) continue;
            wait_for_copies<0>();
            __syncthreads();
        }
    }
    if constexpr (kIsScaled<Operand>) {
        sums.scale(scale.inverse * *reinterpret_cast<float const*>(weight + extent.operands.bytes()));
    }
    sums.store(store, place.first_column + own_pair * 16, store.channels, [&](int i, int column) {
        std::int64_t const row = place.row + own_row + i, at = place.column + column;
        return row < x.h && at < x.w ? (place.n * x.h + row) * x.w + at : -1;
    });
}

/// f(std::type_identity of the tile for that many chunks)
template <class Operand, int kColumns, class F>
auto with_tile(PatchExtent const& extent, F const& f) {
    if constexpr (kColumns <= 32) {
        if (extent.chunks == 1) return f(std::type_identity<PatchTile<Operand, kColumns, true>>{});
    }
    return f(std::type_identity<PatchTile<Operand, kColumns>>{});
}

template <class Tile>
std::size_t patch_bytes(PatchExtent const& extent) {
    return sizeof(Tile) - (extent.chunks > 1 ? 0 : sizeof(Patch));
}

template <class Operand, int kColumns>
void start_patch_kernel(Launch const& launch, PatchExtent const& extent, Pixels const& x, ConvStore const& store) {
    std::int64_t const blocks = x.n * extent.down * extent.across * (extent.operands.columns / kColumns);
    auto* const maxima = reinterpret_cast<float*>(launch.workspace);
    if constexpr (kIsScaled<Operand>) {
        start<Start::early>(launch.stream, maxima_kernel, x.n * kMaxima, kTensorThreads, x, maxima);
    }
    with_tile<Operand, kColumns>(extent, [&](auto tile) {
        using Tile = typename decltype(tile)::type;
        start_shared<Start::early>(launch.stream, patch_kernel<Operand, kColumns, Tile::kHoldsTaps>, blocks,
                                   kTensorThreads, patch_bytes<Tile>(extent), extent, x, maxima, launch.packed[0],
                                   store);
    });
}

/// Of a convolution that reads [.., h, w, inputs].
template <Precision operands>
PatchExtent extent_of(std::int64_t h, std::int64_t w, std::int64_t inputs, std::int64_t outputs) {
    auto const steps = static_cast<int>(divide_up(inputs, step_depth(operands)));
    return {divide_up(h, kSide), divide_up(w, kSide), steps,
            static_cast<int>(divide_up(steps, kChunkUnits / operand_parts(operands))),
            patch_extent(operands, outputs, inputs)};
}

/// f(the columns of a block), a compile-time constant.
template <Precision operands, class F>
auto with_columns(std::int64_t outputs, F const& f) {
    switch (patch_columns(operands, outputs)) {
        case 16: return f(std::integral_constant<int, 16>{});
        case 32: return f(std::integral_constant<int, 32>{});
        case 64: return f(std::integral_constant<int, 64>{});
        default: return f(std::integral_constant < int, operands == Precision::fp32 ? 64 : 96 > {});
    }
}

}  // namespace

template <Precision operands>
Support PatchConvKernel<operands>::supports(Conv2d const& op, Problem const& problem) {
    if (op.kernel != 3 || op.stride != 1) return {false, "for 3 × 3 and stride 1 only"};
    if (Support const exact = rounds_colours(operands, problem); !exact.ok) return exact;
    if (Support const served = serves(operands, problem.precision); !served.ok) return served;
    Shape const& weight = problem.inputs[Conv2d::kWeight];
    PatchExtent const extent = extent_of<operands>(1, 1, weight[1], weight[0]);
    return shared_support(with_columns<operands>(weight[0], [&](auto columns) {
        using Operand = typename OperandOf<operands>::Type;
        return with_tile<Operand, columns>(extent, [&](auto tile) { return patch_bytes<typename decltype(tile)::type>(extent); });
    }));
}

template <Precision operands>
std::size_t PatchConvKernel<operands>::workspace_bytes(Conv2d const&, Problem const& problem, int) {
    auto const pictures = static_cast<std::size_t>(problem.inputs[Conv2d::kX][0]);
    return operands == Precision::fp16 ? pictures * kMaxima * sizeof(float) : 0;
}

template <Precision operands>
void PatchConvKernel<operands>::launch(Conv2d const& op, Launch const& launch) {
    using Operand = typename OperandOf<operands>::Type;
    Pixels const x(launch.inputs[Conv2d::kX]);
    ConvStore const store(op, launch);
    PatchExtent const extent = extent_of<operands>(x.h, x.w, x.c, store.channels);
    with_columns<operands>(store.channels,
                           [&](auto columns) { start_patch_kernel<Operand, columns>(launch, extent, x, store); });
}

template struct PatchConvKernel<Precision::fp16>;
template struct PatchConvKernel<Precision::tf32>;
template struct PatchConvKernel<Precision::fp32>;

}  // namespace vitrum::cuda
