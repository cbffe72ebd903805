// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "../kernels/scaled_halves.cuh"
#include "tiles.cuh"

// The patches that tiles of a convolution depend on, brought to shared memory a chunk of channels at a time.

namespace vitrum::cuda::hopper {

constexpr int kSide = 16;          // of a tile of pixels
constexpr int kPatch = kSide + 2;  // with the pixels around
constexpr int kPlane = 326;        // pixels from eight channels to the next: no two lanes on one bank
static_assert(kPlane >= kPatch * kPatch);

/// What FP16 holds without losing fraction, with room for rounding.
constexpr float kLargest = 60000.0F, kSmallest = 0x1p-6F;

/// The tiles of all pictures, those of a block `step` apart; each block computes one of `blocks` blocks of columns.
struct ConvTiles {
    int across, down, count, blocks;

    [[nodiscard]] __device__ int column_block() const { return static_cast<int>(blockIdx.x) % blocks; }
    [[nodiscard]] __device__ int first() const { return static_cast<int>(blockIdx.x) / blocks; }
    [[nodiscard]] __device__ int step() const { return static_cast<int>(gridDim.x) / blocks; }
    [[nodiscard]] __device__ int rounds() const { return (count - first() + step() - 1) / step(); }
};

struct ConvTile {
    std::int64_t picture, top, left;

    __device__ ConvTile(ConvTiles const& tiles, int index) {
        Place const place(index, tiles.down, tiles.across);
        picture = place.n, top = place.row * kSide, left = place.column * kSide;
    }
};

/// Slots of shared memory for chunks of patches, FP16, that the loaders fill in turn and the computing warpgroups
/// empty. A chunk is [eight channels][pixel][channel], its values divided by a power of two.
template <int kSlots, int kLoaders>
struct PatchSlots {
    static constexpr int kSlotBytes = kConvChunk / 8 * kPlane * 16;
    static constexpr int kBytes = kSlots * kSlotBytes;
    static constexpr int kControlBytes = kSlots * (8 + 8 + 4) + 2 * kLoaders * 4;
    std::byte* bytes;
    std::uint32_t slots, full, empty;
    float *divisors, *largest;  ///< of slots; of loaders, in turns

    __device__ PatchSlots(std::byte* bytes_, std::byte* control)
        : bytes(bytes_),
          slots(shared_address(bytes_)),
          full(shared_address(control)),
          empty(full + 8 * kSlots),
          divisors(reinterpret_cast<float*>(control + 16 * kSlots)),
          largest(divisors + kSlots) {}
    __device__ void init(int groups) const {
        for (int i = 0; i < kSlots; ++i) {
            init_barrier(full + 8 * i, 1);
            init_barrier(empty + 8 * i, 4 * groups);
        }
    }
    [[nodiscard]] __device__ std::uint32_t slot(int chunk) const { return slots + chunk % kSlots * kSlotBytes; }
    /// Returns what the values were divided by.
    __device__ float wait_full(int chunk) const {
        wait(full + chunk % kSlots * 8, chunk / kSlots & 1);
        return divisors[chunk % kSlots];
    }
    /// By each computing warp.
    __device__ void release(int chunk, Lane const& lane) const {
        if (lane.first()) arrive(empty + chunk % kSlots * 8);
    }
    __device__ void wait_empty(int chunk) const { wait(empty + chunk % kSlots * 8, (chunk / kSlots & 1) ^ 1); }
};

/// The warps that load patches: every chunk of every tile of the block.
template <int kSlots, int kChunks, int kLoaders>
struct PatchLoader {
    static constexpr int kBarrier = 1;  // of the loaders
    using Slots = PatchSlots<kSlots, kLoaders>;
    Slots const& to;
    Pixels const& x;
    Matrix residual;
    int warp, lane;

    __device__ PatchLoader(Slots const& to_, Pixels const& x_, Matrix residual_, int warp_)
        : to(to_), x(x_), residual(residual_), warp(warp_), lane(static_cast<int>(threadIdx.x) % 32) {}

    __device__ void run(ConvTiles const& tiles) const {
        int chunk = 0;
        for (int index = tiles.first(); index < tiles.count; index += tiles.step()) {
            ConvTile const tile(tiles, index);
            for (int part = 0; part < kChunks; ++part, ++chunk) {
                to.wait_empty(chunk);
                // By now the tile before is being multiplied, and memory has time.
                if (chunk >= kSlots && part == kChunks / 2) prefetch(tile);
                float const divisor = fill(tile, part, chunk);
                if (warp == 0 && lane == 0) {
                    to.divisors[chunk % kSlots] = divisor;
                    arrive(to.full + chunk % kSlots * 8);
                }
            }
        }
    }

private:
    /// Returns the power of two that the values were divided by: 1, but where one leaves FP16's range.
    __device__ float fill(ConvTile const& tile, int part, int chunk) const {
        float const own = load(tile, part, chunk, 1.0F);
        float* const seen = to.largest + chunk % 2 * kLoaders;
        if (lane == 0) seen[warp] = own;
        named_barrier(kBarrier, 32 * kLoaders);
        float most = seen[0];
#pragma unroll
        for (int i = 1; i < kLoaders; ++i) most = fmaxf(most, seen[i]);
        if (most <= kLargest && (most >= kSmallest || most == 0)) return 1.0F;
        float const divisor = exp2f(static_cast<float>(min(ilogbf(most), 127) - 14));
        static_cast<void>(load(tile, part, chunk, 1.0F / divisor));
        named_barrier(kBarrier, 32 * kLoaders);
        return divisor;
    }

    /// Writes a chunk times `scale`; returns the largest magnitude that the warp saw, unscaled.
    __device__ float load(ConvTile const& tile, int part, int chunk, float scale) const {
        std::byte* const slot = to.bytes + chunk % kSlots * Slots::kSlotBytes;
        float const largest = x.vector ? load<true>(tile, part, slot, scale) : load<false>(tile, part, slot, scale);
        fence_shared();
        return warp_max(largest);
    }

    /// Four lanes take 32 neighbouring channels of a pixel, a warp eight pixels. Nothing is done with what is fetched
    /// until all of a turn is under way.
    template <bool kAligned>
    __device__ float load(ConvTile const& tile, int part, std::byte* slot, float scale) const {
        constexpr int kEights = kConvChunk / 8, kHalves = kEights / 4, kInFlight = kAligned ? 4 : 1;
        constexpr int kItems = (kPatch * kPatch + 7) / 8 * kHalves;
        std::int64_t const corner = (tile.picture * x.h + tile.top - 1) * x.w + tile.left - 1;
        float const* const base = x.at(corner) + part * kConvChunk;
        int const channels = x.c - part * kConvChunk;
        float largest = 0;
#pragma unroll 1
        for (int first = warp; first < kItems; first += kLoaders * kInFlight) {
            float4 low[kInFlight], high[kInFlight];
#pragma unroll
            for (int i = 0; i < kInFlight; ++i) {
                int const item = first + i * kLoaders, channel = 8 * (item % kHalves * 4 + lane % 4);
                int const offset = offset_of(tile, item / kHalves * 8 + lane / 4);
                int const count = offset >= 0 ? channels - channel : 0;
                float const* const from = base + (offset + channel);
                low[i] = fetch4(from, count, kAligned), high[i] = fetch4(from + 4, count - 4, kAligned);
            }
#pragma unroll
            for (int i = 0; i < kInFlight; ++i) {
                int const item = first + i * kLoaders, pixel = item / kHalves * 8 + lane / 4;
                int const eight = item % kHalves * 4 + lane % 4;
                if (x.c % 4 != 0) {
                    low[i] = first4(low[i], channels - 8 * eight), high[i] = first4(high[i], channels - 8 * eight - 4);
                }
                float4 const a = low[i], b = high[i];
                largest = fmaxf(largest, fmaxf(largest_of(a), largest_of(b)));
                if (pixel >= kPatch * kPatch) continue;
                *reinterpret_cast<uint4*>(slot + (eight * kPlane + pixel) * 16) =
                    make_uint4(Fp16::pack(a.x * scale, a.y * scale), Fp16::pack(a.z * scale, a.w * scale),
                               Fp16::pack(b.x * scale, b.y * scale), Fp16::pack(b.z * scale, b.w * scale));
            }
        }
        return largest;
    }

    /// Floats from the patch's first pixel to another; −1 outside of the picture.
    [[nodiscard]] __device__ int offset_of(ConvTile const& tile, int pixel) const {
        int const row = pixel / kPatch, column = pixel % kPatch;
        bool const is_inside = static_cast<std::uint64_t>(tile.top + row - 1) < static_cast<std::uint64_t>(x.h) &&
                               static_cast<std::uint64_t>(tile.left + column - 1) < static_cast<std::uint64_t>(x.w);
        if (pixel >= kPatch * kPatch || !is_inside) return -1;
        return (row * static_cast<int>(x.w) + column) * static_cast<int>(x.stride);
    }
    /// Asks for the rest of what the tile will read to be brought to the second-level cache.
    __device__ void prefetch(ConvTile const& tile) const {
        if (warp == 0 && lane < kPatch) {
            prefetch_row(x, tile, tile.top + lane - 1, tile.left - 1, tile.left + kSide + 1);
        }
        if (warp == 1 && lane < kSide && residual.data != nullptr) {
            prefetch_row(residual, tile, tile.top + lane, tile.left, tile.left + kSide);
        }
    }
    __device__ void prefetch_row(Matrix const& from, ConvTile const& tile, std::int64_t row, std::int64_t begin,
                                 std::int64_t end) const {
        begin = max(begin, std::int64_t{0}), end = min(end, x.w);
        if (row < 0 || row >= x.h || begin >= end || !from.vector) return;
        prefetch_bulk(from.at((tile.picture * x.h + row) * x.w + begin),
                      static_cast<int>((end - begin) * from.stride * 4));
    }
};

}  // namespace vitrum::cuda::hopper
