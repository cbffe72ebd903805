// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "fragments.cuh"

// Tiles of kRows × 16 pixels, with pixels around them, held by a block. As rows of products they come in two orders:
// the halo's pixels in groups of sixteen, one behind the other, and the tile's own in patches, so that a lane has
// neighbours and a depthwise filter reads each pixel of shared memory for several results.

namespace vitrum::cuda {

/// Neighbouring pixels that one lane filters.
template <int kRows, int kColumns>
struct Patch {
    static constexpr int kPatchRows = kRows, kPatchColumns = kColumns, kPatch = kRows * kColumns;
};

template <int kRows_, int kHalo, int kWarps_, int kPatchRows_, int kPatchColumns_>
struct HaloTile : Patch<kPatchRows_, kPatchColumns_> {
    static constexpr int kRows = kRows_, kColumns = 16;
    static constexpr int kWarps = kWarps_, kThreads = kWarps * 32;
    static constexpr int kHaloRows = kRows + 2 * kHalo, kHaloColumns = kColumns + 2 * kHalo;
    static constexpr int kHaloPixels = kHaloRows * kHaloColumns;
    static constexpr int kHaloGroups = (kHaloPixels + 15) / 16;
    static constexpr int kGroupsOfWarp = (kHaloGroups + kWarps - 1) / kWarps;
    static constexpr int kAcross = kColumns / kPatchColumns_;  ///< patches side by side

    /// Row r of a group of the halo as a pixel: rows 0 … 3 lie as far apart as patches do, for the banks' sake.
    [[nodiscard]] static __device__ int halo_pixel(int group, int r) {
        constexpr int kApart = 16 / kPatchColumns_;
        return group * 16 + r % kApart * kPatchColumns_ + r / kApart;
    }
    /// Row and column of lane g's patch in a strip of eight patches.
    [[nodiscard]] static __device__ int patch_row(int strip, int g) {
        return (strip * (8 / kAcross) + g / kAcross) * kPatchRows_;
    }
    [[nodiscard]] static __device__ int patch_column(int g) { return g % kAcross * kPatchColumns_; }
};

/// Where a block's tile lies.
struct TilePlace {
    std::int64_t first;  ///< the picture's first pixel
    int row, column;     ///< the tile's first ones
    int h, w;

    [[nodiscard]] __device__ bool contains(int r, int c) const {
        return static_cast<unsigned>(r) < static_cast<unsigned>(h) &&
               static_cast<unsigned>(c) < static_cast<unsigned>(w);
    }
    [[nodiscard]] __device__ std::int64_t pixel(int r, int c) const {
        return first + static_cast<std::int64_t>(r) * w + c;
    }
};

struct TileGrid {
    std::int64_t n, h, w, down, across;

    TileGrid(Pixels const& x, int rows, int columns)
        : n(x.n), h(x.h), w(x.w), down(divide_up(x.h, rows)), across(divide_up(x.w, columns)) {}
    [[nodiscard]] std::int64_t count() const { return n * down * across; }
    template <class Tile>
    [[nodiscard]] __device__ TilePlace place(std::int64_t index) const {
        Place const at(index, down, across);
        return {at.n * h * w, static_cast<int>(at.row) * Tile::kRows, static_cast<int>(at.column) * Tile::kColumns,
                static_cast<int>(h), static_cast<int>(w)};
    }
};

/// A 3 × 3 filter of four channels over a patch: quads come from source(row, column), row and column 0 being the
/// patch's upper left neighbour.
template <class Tile, class Quad, class Source>
__device__ void filter_patch(Quad const (&filter)[9], Source const& source, Quad (&sums)[Tile::kPatch]) {
#pragma unroll
    for (Quad& sum : sums) sum = Quad{};
#pragma unroll
    for (int row = 0; row < Tile::kPatchRows + 2; ++row) {
#pragma unroll
        for (int column = 0; column < Tile::kPatchColumns + 2; ++column) {
            Quad const v = source(row, column);
#pragma unroll
            for (int i = 0; i < Tile::kPatch; ++i) {
                int const down = row - i / Tile::kPatchColumns, right = column - i % Tile::kPatchColumns;
                if (down < 0 || down > 2 || right < 0 || right > 2) continue;
                sums[i] = multiply_add(v, filter[down * 3 + right], sums[i]);
            }
        }
    }
}

/// The taps of four channels, of filters [9][channels] that are packed as quads are held.
template <class Quad>
__device__ void load_filter(Quad (&filter)[9], std::byte const* filters, int channel, int channels) {
    auto const* const from = reinterpret_cast<Quad const*>(filters) + channel / 4;
#pragma unroll
    for (int tap = 0; tap < 9; ++tap) filter[tap] = from[tap * (channels / 4)];
}

/// Four channels of several pixels, their residual added where there is one.
template <int kCount>
__device__ void store_patch(Pixels const& y, Matrix const& residual, std::int64_t const (&pixels)[kCount],
                            bool const (&exists)[kCount], int channel, float4 const (&sums)[kCount]) {
    int const left = y.c - channel;
    float4 added[kCount];
    if (residual.data != nullptr) {
        QuadAt at[kCount];
#pragma unroll
        for (int i = 0; i < kCount; ++i) at[i] = {residual.at(pixels[i]) + channel, exists[i] ? left : 0};
        load_quads(added, at, residual);
    }
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
        if (!exists[i] || left <= 0) continue;
        float4 const v = residual.data == nullptr ? sums[i] : sums[i] + added[i];
        store4(y.at(pixels[i]) + channel, v, left, y.vector);
    }
}

/// A left operand in shared memory, or the quads that it is made of.
template <class Operand>
struct StoredLeft {
    float4 lanes[2][32];
    __device__ void set(int lane, Quads const& q) { lanes[0][lane] = q.quad(0), lanes[1][lane] = q.quad(1); }
    [[nodiscard]] __device__ Left<Operand> get(int lane) const {
        Quads q;
        q.set(0, lanes[0][lane]);
        q.set(1, lanes[1][lane]);
        return Left<Operand>(q);
    }
};
template <>
struct StoredLeft<Fp16> {
    uint4 lanes[32];
    __device__ void set(int lane, Quads const& q) {
        Left<Fp16> const left(q);
        lanes[lane] = {left.a[0], left.a[1], left.a[2], left.a[3]};
    }
    [[nodiscard]] __device__ Left<Fp16> get(int lane) const {
        uint4 const v = lanes[lane];
        Left<Fp16> left;
        left.a[0] = v.x, left.a[1] = v.y, left.a[2] = v.z, left.a[3] = v.w;
        return left;
    }
};

}  // namespace vitrum::cuda
