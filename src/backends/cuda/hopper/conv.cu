// SPDX-License-Identifier: Apache-2.0
// 3 × 3 convolutions as implicit matrix products. A block keeps the patch that its 16 × 16 pixels depend on in shared
// memory, so that a tap is an address: eight neighbouring pixels at eight channels are one of the 8 × 8 matrices that
// the products read, and the row of pixels below is the next one.
#include "../fused_kernels.h"
#include "../kernels/conv2d.cuh"
#include "device.h"
#include "tiles.cuh"

namespace vitrum::cuda::hopper {
namespace {

constexpr int kSide = 16;          // of a block's tile
constexpr int kPatch = kSide + 2;  // with the pixels around
constexpr int kPlane = 330;        // pixels from eight channels to the next: no two lanes on one bank
constexpr int kGroups = 2;         // computing warpgroups, eight rows each
constexpr int kThreads = (kGroups + 1) * kGroup;
constexpr int kConvSlots = 3;
static_assert(kPlane >= kPatch * kPatch);

/// What FP16 holds without losing fraction, with room for rounding.
constexpr float kLargest = 60000.0F, kSmallest = 0x1p-6F;

template <int kColumns, int kChunks>
struct Layout {
    static constexpr int kItems = 9 * kChunks;
    using Weights = Ring<kConvSlots, kItems, kConvChunk * kColumns * 2>;
    static constexpr int kPatchBytes = kChunks * kConvChunk / 8 * kPlane * 16;
    static constexpr int kWeights = (kPatchBytes + 127) / 128 * 128;
    static constexpr int kBarriers = kWeights + Weights::kBytes;
    static constexpr int kMaximum = kBarriers + Weights::kBarrierBytes;
    static constexpr int kBytes = kMaximum + 16;
    static constexpr int kBlocks = kColumns > 64 || kChunks > 1 ? 1 : 2;  ///< on a multiprocessor at once
    static constexpr int kRegisters = kBlocks == 1 ? 240 : 104;           ///< of a computing thread
    static_assert(kBytes * kBlocks <= 226 << 10);
};

struct Tiles {
    int across, down, columns;  ///< blocks of columns come first, so that neighbours share a patch in the cache
};

/// The patch of one tile, rounded to FP16 by all threads of the block.
struct PatchLoader {
    Pixels const& x;
    std::int64_t picture, top, left;

    /// Writes the patch times `scale`; returns the largest magnitude that this thread saw, unscaled.
    template <int kChunks>
    __device__ float load(std::byte* patch, float scale) const {
        constexpr int kEights = kChunks * kConvChunk / 8;
        float largest = 0;
        // Four lanes take 32 neighbouring channels of a pixel, a warp eight pixels.
        int const lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
        constexpr int kWarpTiles = (kPatch * kPatch + 7) / 8 * (kEights / 4);
        for (int i = warp; i < kWarpTiles; i += kThreads / 32) {
            int const pixel = i / (kEights / 4) * 8 + lane / 4, eight = i % (kEights / 4) * 4 + lane % 4;
            if (pixel >= kPatch * kPatch) continue;
            std::int64_t const row = top + pixel / kPatch - 1, column = left + pixel % kPatch - 1;
            float4 low = make_float4(0, 0, 0, 0), high = low;
            if (row >= 0 && row < x.h && column >= 0 && column < x.w) {
                float const* const from = x.at((picture * x.h + row) * x.w + column) + 8 * eight;
                low = load4(from, x.c - 8 * eight, x.vector);
                high = load4(from + 4, x.c - 8 * eight - 4, x.vector);
            }
            largest = fmaxf(largest, fmaxf(magnitude(low), magnitude(high)));
            uint4 const rounded =
                make_uint4(Fp16::pack(low.x * scale, low.y * scale), Fp16::pack(low.z * scale, low.w * scale),
                           Fp16::pack(high.x * scale, high.y * scale), Fp16::pack(high.z * scale, high.w * scale));
            *reinterpret_cast<uint4*>(patch + (eight * kPlane + pixel) * 16) = rounded;
        }
        return largest;
    }

private:
    [[nodiscard]] __device__ static float magnitude(float4 v) {
        return fmaxf(fmaxf(fabsf(v.x), fabsf(v.y)), fmaxf(fabsf(v.z), fabsf(v.w)));
    }
};

/// Loads the patch and returns the power of two that it was divided by: 1, but where a value leaves FP16's range.
template <int kChunks>
__device__ float load_patch(PatchLoader const& loader, std::byte* patch, unsigned* maximum) {
    if (threadIdx.x == 0) *maximum = 0;
    __syncthreads();
    float largest = loader.template load<kChunks>(patch, 1.0F);
    for (int lane = 16; lane > 0; lane /= 2) largest = fmaxf(largest, __shfl_xor_sync(0xFFFFFFFFU, largest, lane));
    if (threadIdx.x % 32 == 0) atomicMax(maximum, __float_as_uint(largest));  // magnitudes order as their bits do
    __syncthreads();
    largest = __uint_as_float(*maximum);
    float divisor = 1.0F;
    if (largest > kLargest || (largest > 0 && largest < kSmallest)) {
        divisor = exp2f(static_cast<float>(min(ilogbf(largest), 127) - 14));
        static_cast<void>(loader.template load<kChunks>(patch, 1.0F / divisor));
    }
    fence_shared();
    __syncthreads();
    return divisor;
}

/// Four columns that a shuffle leaves neighbours.
__device__ inline void store_sorted(ConvStore const& to, ConvStore::Row const& place, int column, float4 sums) {
    int const factor = to.factor, offsets = factor * factor, channels = to.channels / offsets;
    int const offset = column / channels, channel = column % channels;
    float4 bias = make_float4(0, 0, 0, 0);
    if (to.finish.bias != nullptr) {
        float const* const from = to.finish.bias + channel * offsets + offset;
        bias = make_float4(from[0], from[offsets], from[2 * offsets], from[3 * offsets]);
    }
    float* const y = place.corner + (offset / factor * to.y.w + offset % factor) * to.y.stride + channel;
    store4(y, to.finish(sums, bias, make_float4(0, 0, 0, 0)), 4, to.y.vector);
}

/// One warpgroup's eight rows of 16 pixels: two tiles of 64.
template <int kColumns, int kChunks>
struct Rows {
    using L = Layout<kColumns, kChunks>;
    float sums[2][kColumns / 2];

    __device__ void multiply(std::uint32_t patch, typename L::Weights const& weights, int group, Lane const& lane) {
#pragma unroll 1
        for (int item = 0; item < L::kItems; ++item) {
            int const tap = item / kChunks, chunk = item % kChunks;
            int const first = chunk * kConvChunk / 8 * kPlane + (8 * group + tap / 3) * kPatch + tap % 3;
            weights.wait_full(item);
            fence_products();
#pragma unroll
            for (int k = 0; k < kConvChunk / 16; ++k) {
                std::uint64_t const b = matrix_descriptor(weights.slot(item) + k * 2 * kColumns * 16, kColumns * 16);
#pragma unroll
                for (int half = 0; half < 2; ++half) {
                    std::uint64_t const a =
                        matrix_descriptor(patch + (first + 2 * k * kPlane + 8 * half) * 16, kPlane * 16, kPatch * 16);
                    begin_product<kColumns>(sums[half], a, b, item > 0 || k > 0 ? 1 : 0);
                }
            }
            commit_products();
            if (item == 0) continue;
            wait_for_products<1>();
            weights.release(item - 1, lane);
        }
        wait_for_products<0>();
        settle(sums[0]);
        settle(sums[1]);
    }

    __device__ void store(ConvStore const& to, std::int64_t picture, std::int64_t top, std::int64_t left,
                          int first_column, float scale, Lane const& lane) const {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
#pragma unroll
            for (int below = 0; below < 2; ++below) {
                std::int64_t const row = top + 2 * lane.warp + below, column = left + 8 * half + lane.row;
                if (row >= to.rows || column >= to.columns) continue;
                ConvStore::Row const place = to.row((picture * to.rows + row) * to.columns + column);
#pragma unroll
                for (int p = 0; p < kColumns / 16; ++p) {
                    int const channel = first_column + 16 * p + 4 * lane.quad;
                    if (channel >= to.channels) continue;
                    float const* const s = sums[half] + 8 * p + 2 * below;
                    float4 const v = make_float4(s[0] * scale, s[1] * scale, s[4] * scale, s[5] * scale);
                    if (ConvBlocks::are_sorted(to.channels, to.factor)) store_sorted(to, place, channel, v);
                    else to(place, to.column(channel), v);
                }
            }
        }
    }
};

template <int kColumns, int kChunks>
__global__ void __launch_bounds__(kThreads, Layout<kColumns, kChunks>::kBlocks)
    conv_kernel(Tiles tiles, Pixels x, std::byte const* packed, ConvStore store) {
    using L = Layout<kColumns, kChunks>;
    auto& bytes = dynamic_shared<std::byte[L::kBytes]>();
    std::uint32_t const shared = shared_address(bytes);
    typename L::Weights const weights(shared + L::kWeights, shared + L::kBarriers);
    if (threadIdx.x == 0) {
        weights.init(kGroups);
        publish_barriers();
    }
    int const block = static_cast<int>(blockIdx.x) % tiles.columns;
    Place const place(blockIdx.x / tiles.columns, tiles.down, tiles.across);
    std::int64_t const top = place.row * kSide, left = place.column * kSide;
    float const divisor =
        load_patch<kChunks>({x, place.n, top, left}, bytes, reinterpret_cast<unsigned*>(&bytes[L::kMaximum]));
    int const group = __shfl_sync(0xFFFFFFFFU, static_cast<int>(threadIdx.x) / kGroup, 0);
    if (group == kGroups) {
        give_registers<kCopyRegisters>();
        if (threadIdx.x % kGroup == 0) {
            weights.fill(packed + static_cast<std::int64_t>(block) * L::kItems * L::Weights::kSlotBytes, nullptr, 1);
        }
        return;
    }
    take_registers<L::kRegisters>();
    Lane const lane;
    Rows<kColumns, kChunks> rows;
    rows.multiply(shared, weights, group, lane);
    rows.store(store, place.n, top + 8 * group, left, block * kColumns, divisor, lane);
}

template <int kColumns, int kChunks>
void run(Pixels const& x, ConvStore const& store, ConvBlocks const& blocks, Launch const& launch) {
    Tiles const tiles{static_cast<int>(divide_up(x.w, kSide)), static_cast<int>(divide_up(x.h, kSide)), blocks.blocks};
    start_shared(launch.stream, conv_kernel<kColumns, kChunks>, x.n * tiles.across * tiles.down * tiles.columns,
                 kThreads, Layout<kColumns, kChunks>::kBytes, tiles, x, launch.packed[0], store);
}

}  // namespace
}  // namespace vitrum::cuda::hopper

namespace vitrum::cuda {

void HopperConvKernel::launch(Conv2d const& op, Launch const& launch) {
    Pixels const x(launch.inputs[Conv2d::kX]);
    ConvStore const store(op, launch);
    ConvBlocks const blocks(store.channels, x.c);
    if (blocks.chunks > 1) {
        if (blocks.columns == 192) hopper::run<192, 3>(x, store, blocks, launch);
        else hopper::run<64, 3>(x, store, blocks, launch);
    } else {
        switch (blocks.columns) {
            case 16: return hopper::run<16, 1>(x, store, blocks, launch);
            case 64: return hopper::run<64, 1>(x, store, blocks, launch);
            default: return hopper::run<128, 1>(x, store, blocks, launch);
        }
    }
}

}  // namespace vitrum::cuda
