// SPDX-License-Identifier: Apache-2.0
// Convolutions of few channels: memory takes longer than the products, so that pixels have to be on their way all the
// time. Blocks stay and go through the tiles of the output; while the patch that one tile depends on is multiplied,
// that of the next one is brought to registers. From there it goes to shared memory as float16, 32 channels at a time,
// multiplied by a power of two that brings its largest number to 2^14 … 2^15, and serves all taps as an offset of the
// rows that a warp loads. A row of the patch is loaded once for all rows of the output that it belongs to.
#include "../general_kernels.h"
#include "fragments.cuh"
#include "packed_fragments.cuh"
#include "row_tile.cuh"

namespace vitrum::cuda {
namespace {

constexpr int kAcross = 16;  // pixels of a row of a tile
constexpr int kThreads = kTensorThreads, kWarps = kThreads / 32;
constexpr int kChunk = 32;  // channels at a time
constexpr int kSteps = kChunk / 16, kQuads = kChunk / 4;
constexpr int kPairs = 2;                // of 16 columns, that a warp has
constexpr int kPitch = kChunk * 2 + 16;  // bytes from pixel to pixel: eight neighbours meet in no bank

template <int kKernel_, int kStride_, int kRows_, int kColumns_, int kBlocks_>
struct NarrowTile {
    static constexpr int kKernel = kKernel_, kStride = kStride_, kTaps = kKernel * kKernel;
    static constexpr int kRows = kRows_, kColumns = kColumns_;
    static constexpr int kBlocks = kBlocks_;  ///< on a multiprocessor at least
    static constexpr int kWarpsAcross = kColumns / (16 * kPairs), kRowsEach = kRows * kWarpsAcross / kWarps;
    static constexpr int kPatchRows = (kRows - 1) * kStride + kKernel;
    static constexpr int kPatchColumns = (kAcross - 1) * kStride + kKernel;
    static constexpr int kPixels = kPatchRows * kPatchColumns;
    static constexpr int kLoads = (kPixels * kQuads + kThreads - 1) / kThreads;
    /// Columns that lie as far apart as outputs do are neighbours.
    static constexpr int kPhase = (kPatchColumns + kStride - 1) / kStride;
    static_assert(kPhase * kStride == kPatchColumns);
    [[nodiscard]] static __device__ unsigned place(unsigned column) {
        return column % kStride * kPhase + column / kStride;
    }

    Registers4 b[kTaps][kSteps][kColumns / 16][32];
    alignas(16) std::byte patch[kPixels][kPitch];
    float largest[kWarps];
};

struct NarrowStore {
    Pixels y;
    Matrix residual;    ///< null: none
    float const* bias;  ///< null: none
};

struct NarrowExtent {
    unsigned down, across;  ///< tiles of a picture
    int items, chunks;      ///< tiles times blocks of columns; of channels
    int channel_steps, columns;
    std::int64_t weight_bytes;
};

/// What a block computes: a tile's pixels for a block of columns.
struct NarrowItem {
    std::int64_t n;
    int row, column;  ///< of the tile's first pixel
    int first_column;

    template <class Tile>
    static __device__ NarrowItem of(int item, NarrowExtent const& extent) {
        unsigned const blocks = static_cast<unsigned>(extent.columns) / Tile::kColumns;
        unsigned const tile = static_cast<unsigned>(item) / blocks, line = tile / extent.across, n = line / extent.down;
        return {n, static_cast<int>(line - n * extent.down) * Tile::kRows,
                static_cast<int>(tile - line * extent.across) * kAcross,
                static_cast<int>(static_cast<unsigned>(item) - tile * blocks) * Tile::kColumns};
    }
};

/// A chunk of a patch on its way.
template <class Tile>
struct PatchOnItsWay {
    float4 quads[Tile::kLoads];
    int count;  ///< channels from this thread's first one on
    unsigned
        thread;  ///< unknown to the compiler: what follows from it takes less time to compute than registers to keep

    [[nodiscard]] __device__ unsigned pixel(unsigned i) const { return (thread + i * kThreads) / kQuads; }
    __device__ void fetch(Pixels const& x, NarrowItem const& item, int chunk) {
        thread = threadIdx.x;
        asm volatile("" : "+r"(thread));
        int const channel = chunk * kChunk + static_cast<int>(threadIdx.x % kQuads) * 4;
        int const top = item.row * Tile::kStride - 1, left = item.column * Tile::kStride - 1;
        int const h = static_cast<int>(x.h), w = static_cast<int>(x.w), stride = static_cast<int>(x.stride);
        float const* const corner = x.at((item.n * x.h + top) * x.w + left) + channel;
        count = x.c - channel;
        PixelQuad at[Tile::kLoads];
#pragma unroll
        for (unsigned i = 0; i < Tile::kLoads; ++i) {
            unsigned const p = pixel(i);
            int const row = static_cast<int>(p / Tile::kPatchColumns),
                      column = static_cast<int>(p % Tile::kPatchColumns);
            bool const exists = p < Tile::kPixels && static_cast<unsigned>(top + row) < static_cast<unsigned>(h) &&
                                static_cast<unsigned>(left + column) < static_cast<unsigned>(w);
            at[i] = {corner + (row * w + column) * stride, count, exists};
        }
        fetch_pixels(quads, at, x.vector);
    }
    /// Waits; sets channels that do not exist to zero. Returns the largest absolute value.
    __device__ float arrive() {
        float largest = 0;
#pragma unroll
        for (float4& v : quads) {
            v = known_of(v, count);
            largest = fmaxf(largest, fmaxf(fmaxf(fabsf(v.x), fabsf(v.y)), fmaxf(fabsf(v.z), fabsf(v.w))));
        }
        return largest;
    }
    __device__ void put(Tile& tile, float scale) {
        asm volatile("" : "+r"(thread));
        unsigned const quad = threadIdx.x % kQuads;
#pragma unroll
        for (unsigned i = 0; i < Tile::kLoads; ++i) {
            unsigned const p = pixel(i);
            if (p >= Tile::kPixels) continue;
            float4 const v = quads[i];
            unsigned const to = p / Tile::kPatchColumns * Tile::kPatchColumns + Tile::place(p % Tile::kPatchColumns);
            *reinterpret_cast<Registers2*>(&tile.patch[to][quad * 8]) = {
                {Fp16::pack(v.x * scale, v.y * scale), Fp16::pack(v.z * scale, v.w * scale)}};
        }
    }
};

/// The weights of a chunk's channels for all taps.
template <class Tile>
__device__ void fetch_weights(Tile& tile, std::byte const* weight, NarrowExtent const& extent, int first_column,
                              int chunk) {
    constexpr int kOfStep = Tile::kColumns * 2;
    auto const* const b = reinterpret_cast<Registers4 const*>(weight) + first_column * 2;
    int const steps = min(kSteps, extent.channel_steps - chunk * kSteps);
    for (int s = 0; s < steps; ++s) {
        for (int at = static_cast<int>(threadIdx.x); at < Tile::kTaps * kOfStep; at += kThreads) {
            int const tap = at / kOfStep, rest = at % kOfStep, step = tap * extent.channel_steps + chunk * kSteps + s;
            copy_async(&tile.b[tap][s][0][0] + rest, b + static_cast<std::int64_t>(step) * extent.columns * 2 + rest);
        }
    }
    commit_copies();
}

/// A warp's rows of a tile.
template <class Tile>
struct NarrowSums {
    using Sums = TensorSums<Fp16, Tile::kRowsEach, kPairs>;
    Sums sums;
    int lane, own_row, own_pair;

    __device__ NarrowSums()
        : lane(static_cast<int>(threadIdx.x % 32)),
          own_row(static_cast<int>(threadIdx.x / 32 / Tile::kWarpsAcross) * Tile::kRowsEach),
          own_pair(static_cast<int>(threadIdx.x / 32 % Tile::kWarpsAcross) * kPairs) {}

    __device__ void multiply(Tile const& tile, int steps) {
#pragma unroll 1
        for (int s = 0; s < steps; ++s) {
#pragma unroll 1
            for (int v = 0; v < Tile::kKernel; ++v) {
                constexpr int kRowsRead = (Tile::kRowsEach - 1) * Tile::kStride + Tile::kKernel;
                int const first = own_row * Tile::kStride * Tile::kPatchColumns +
                                  static_cast<int>(Tile::place(static_cast<unsigned>(v))) + lane % 16;
                std::uint32_t left[kRowsRead][4];
#pragma unroll
                for (int row = 0; row < kRowsRead; ++row) {
                    load_matrices(left[row], &tile.patch[first + row * Tile::kPatchColumns][s * 32 + lane / 16 * 16]);
                }
#pragma unroll
                for (int u = 0; u < Tile::kKernel; ++u) {
                    Registers4 right[kPairs];
#pragma unroll
                    for (int j = 0; j < kPairs; ++j) right[j] = tile.b[u * Tile::kKernel + v][s][own_pair + j][lane];
#pragma unroll
                    for (int i = 0; i < Tile::kRowsEach; ++i) {
                        Sums::add(sums.sums[i], left[u + i * Tile::kStride], right);
                    }
                }
            }
        }
    }

    __device__ void store(NarrowStore const& to, NarrowItem const& item, float unit) {
        sums.scale(unit);
        int const channel = item.first_column + own_pair * 16 + lane % 4 * 4;
        int const h = static_cast<int>(to.y.h), w = static_cast<int>(to.y.w);
        int const row = item.row + own_row, column = item.column + lane / 4;
        std::int64_t const first = (item.n * h + row) * w + column;
        float const* const residual = to.residual.at(first) + channel;
        float* const y = to.y.at(first) + channel;
        int const residual_stride = static_cast<int>(to.residual.stride), stride = static_cast<int>(to.y.stride);
        float4 bias[kPairs] = {};
        if (to.bias != nullptr) {
#pragma unroll
            for (int j = 0; j < kPairs; ++j) bias[j] = load_some(to.bias + channel + 16 * j, to.y.c - channel - 16 * j);
        }
#pragma unroll
        for (int i = 0; i < Tile::kRowsEach; ++i) {
            PixelQuad at[2 * kPairs];
            float4 added[2 * kPairs] = {};
#pragma unroll
            for (int n = 0; n < 2 * kPairs; ++n) {
                int const half = n / kPairs, j = n % kPairs;
                at[n] = {residual + ((i * w + 8 * half) * residual_stride + 16 * j), to.y.c - channel - 16 * j,
                         row + i < h && column + 8 * half < w};
            }
            if (to.residual.data != nullptr) fetch_pixels(added, at, to.residual.vector);
            auto const store_row = [&](bool is_vector) {
#pragma unroll
                for (int n = 0; n < 2 * kPairs; ++n) {
                    int const half = n / kPairs, j = n % kPairs;
                    if (!at[n].exists || at[n].count <= 0) continue;
                    float const* const low = sums.sums[i][2 * j] + 2 * half;
                    float const* const high = sums.sums[i][2 * j + 1] + 2 * half;
                    float4 const v = make_float4(low[0], low[1], high[0], high[1]) + bias[j] + added[n];
                    store4(y + ((i * w + 8 * half) * stride + 16 * j), v, at[n].count, is_vector);
                }
            };
            if (to.y.vector) store_row(true);
            else store_row(false);
        }
    }
};

template <class Tile>
__global__ void __launch_bounds__(kThreads, Tile::kBlocks)
    narrow_kernel(NarrowExtent const extent, Pixels const x, std::byte const* weight, NarrowStore const store) {
    Tile& tile = dynamic_shared<Tile>();
    int const warp = static_cast<int>(threadIdx.x) / 32, blocks = static_cast<int>(gridDim.x);
    bool const weights_stay = extent.chunks == 1 && extent.columns == Tile::kColumns;
    let_next_start();
    NarrowItem item = NarrowItem::of<Tile>(static_cast<int>(blockIdx.x), extent);
    fetch_weights(tile, weight, extent, item.first_column, 0);
    float const weight_unit = *reinterpret_cast<float const*>(weight + extent.weight_bytes);
    await_previous();
    PatchOnItsWay<Tile> next;
    next.fetch(x, item, 0);
    NarrowSums<Tile> sums;
    float scale = 1;
    for (int index = static_cast<int>(blockIdx.x), chunk = 0; index < extent.items;) {
        float const own = largest_of_warp(next.arrive());
        if (threadIdx.x % 32 == 0) tile.largest[warp] = own;
        __syncthreads();  // and everybody is done with the patch before
        float largest = tile.largest[0];
#pragma unroll
        for (int i = 1; i < kWarps; ++i) largest = fmaxf(largest, tile.largest[i]);
        float const before = scale;
        scale = chunk == 0 ? row_scale(largest) : fminf(row_scale(largest), before);
        next.put(tile, scale);
        if (!weights_stay && (chunk > 0 || index >= blocks)) {
            fetch_weights(tile, weight, extent, item.first_column, chunk);
        }
        if (chunk == 0) sums.sums = {};
        else sums.sums.scale(scale / before);
        wait_for_copies<0>();
        __syncthreads();
        int const steps = min(kSteps, extent.channel_steps - chunk * kSteps);
        NarrowItem const current = item;
        bool const is_last = ++chunk == extent.chunks;
        if (is_last) chunk = 0, index += blocks, item = NarrowItem::of<Tile>(index, extent);
        if (index < extent.items) next.fetch(x, item, chunk);
        sums.multiply(tile, steps);
        if (is_last) sums.store(store, current, weight_unit / scale);
    }
}

template <class Tile>
void run(Launch const& launch) {
    Pixels const x(launch.inputs[Conv2d::kX]);
    NarrowStore const store{Pixels(launch.outputs[0]), Pixels(launch.inputs[Conv2d::kResidual]),
                            floats(launch.inputs[Conv2d::kBias])};
    OperandExtent const weights = patch_extent(Precision::fp16, store.y.c, x.c, Tile::kTaps);
    std::int64_t const down = divide_up(store.y.h, Tile::kRows), across = divide_up(store.y.w, kAcross);
    std::int64_t const items = x.n * down * across * (weights.columns / Tile::kColumns);
    VITRUM_ASSERT(items < std::int64_t{1} << 31);
    auto const steps = static_cast<int>(weights.steps / Tile::kTaps);
    NarrowExtent const extent{.down = static_cast<unsigned>(down),
                              .across = static_cast<unsigned>(across),
                              .items = static_cast<int>(items),
                              .chunks = static_cast<int>(divide_up(steps, kSteps)),
                              .channel_steps = steps,
                              .columns = static_cast<int>(weights.columns),
                              .weight_bytes = weights.bytes()};
    std::int64_t const blocks = std::min(items, blocks_at_once(narrow_kernel<Tile>, kThreads, sizeof(Tile)));
    start_shared<Start::early>(launch.stream, narrow_kernel<Tile>, blocks, kThreads, sizeof(Tile), extent, x,
                               launch.packed[0], store);
}

using Tile3 = NarrowTile<3, 1, 16, 32, 2>;
using Tile4 = NarrowTile<4, 2, 4, 64, 2>;

}  // namespace

Support NarrowConvKernel::supports(Conv2d const& op, Problem const& problem) {
    if (Support const exact = rounds_colours(Precision::fp16, problem); !exact.ok) return exact;
    if (problem.precision == Precision::fp32) return {false, "multiplies in fp16"};
    if (op.pixel_shuffle != 1 || op.activation != Activation::none) return {false, "nothing may follow"};
    Shape const& weight = problem.inputs[Conv2d::kWeight];
    std::int64_t const columns = patch_columns(Precision::fp16, weight[0]);
    if (op.kernel == 3 && op.stride == 1) {
        if (weight[1] > kChunk || columns != Tile3::kColumns) return {false, "of 3 × 3 for at most 32 channels only"};
        return shared_support(sizeof(Tile3));
    }
    if (op.kernel != 4 || op.stride != 2) return {false, "for 3 × 3 and for 4 × 4 and stride 2 only"};
    if (columns != Tile4::kColumns) return {false, "of 4 × 4 for 33 to 64 channels or multiples of them only"};
    return shared_support(sizeof(Tile4));
}

void NarrowConvKernel::launch(Conv2d const& op, Launch const& launch) {
    if (op.kernel == 3) return run<Tile3>(launch);
    run<Tile4>(launch);
}

}  // namespace vitrum::cuda
