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

template <int kRows_, int kHalo_, int kWarps_, int kPatchRows_, int kPatchColumns_>
struct HaloTile : Patch<kPatchRows_, kPatchColumns_> {
    static constexpr int kRows = kRows_, kColumns = 16, kHalo = kHalo_;
    static constexpr int kWarps = kWarps_, kThreads = kWarps * 32;
    static constexpr int kHaloRows = kRows + 2 * kHalo, kHaloColumns = kColumns + 2 * kHalo;
    static constexpr int kHaloPixels = kHaloRows * kHaloColumns;
    static constexpr int kHaloGroups = (kHaloPixels + 15) / 16;
    static constexpr int kGroupsOfWarp = (kHaloGroups + kWarps - 1) / kWarps;
    static constexpr int kAcross = kColumns / kPatchColumns_;  ///< patches side by side

    /// Of a warp's groups i · kWarps + warp the last may not exist.
    [[nodiscard]] static __device__ bool has_group(int group) {
        return kHaloGroups % kWarps == 0 || group < kHaloGroups;
    }

    /// Row r of a group of the halo as a pixel: rows 0 … 3 lie as far apart as patches do, for the banks' sake.
    [[nodiscard]] static __device__ int halo_pixel(int group, int r) {
        constexpr unsigned kApart = 16 / kPatchColumns_;
        auto const row = static_cast<unsigned>(r);
        return group * 16 + static_cast<int>(row % kApart * kPatchColumns_ + row / kApart);
    }
    /// Row and column of lane g's patch in a strip of eight patches.
    [[nodiscard]] static __device__ int patch_row(int strip, int g) {
        return (strip * (8 / kAcross) + static_cast<int>(static_cast<unsigned>(g) / kAcross)) * kPatchRows_;
    }
    [[nodiscard]] static __device__ int patch_column(int g) {
        return static_cast<int>(static_cast<unsigned>(g) % kAcross) * kPatchColumns_;
    }
    /// A pixel of the halo from the tile's first one on.
    [[nodiscard]] static __device__ int halo_row(int h) {
        return static_cast<int>(static_cast<unsigned>(h) / kHaloColumns) - kHalo;
    }
    [[nodiscard]] static __device__ int halo_column(int h) {
        return static_cast<int>(static_cast<unsigned>(h) % kHaloColumns) - kHalo;
    }
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
    // There are no more tiles than blocks of a launch: 32 bits are enough for their numbers.
    [[nodiscard]] __device__ std::int64_t picture(std::int64_t index) const {
        return static_cast<std::uint32_t>(index) / static_cast<std::uint32_t>(down * across);
    }
    template <class Tile>
    [[nodiscard]] __device__ TilePlace place(std::int64_t index) const {
        auto const tile = static_cast<std::uint32_t>(index), line_tiles = static_cast<std::uint32_t>(across);
        auto const picture_lines = static_cast<std::uint32_t>(down);
        std::uint32_t const line = tile / line_tiles, pictures = line / picture_lines;  // before this tile
        return {pictures * h * w, static_cast<int>(line - pictures * picture_lines) * Tile::kRows,
                static_cast<int>(tile - line * line_tiles) * Tile::kColumns, static_cast<int>(h), static_cast<int>(w)};
    }
};

/// Channels of pixels by their place from a tile's first one on. Distances fit 32 bits, the tile being small.
struct TilePixels {
    float* first;  ///< null: there are none
    int w, stride;
    bool vector;

    __device__ TilePixels(Matrix const& pixels, TilePlace const& tile)
        : first(pixels.data == nullptr ? nullptr : pixels.at(tile.pixel(tile.row, tile.column))),
          w(tile.w),
          stride(static_cast<int>(pixels.stride)),
          vector(pixels.vector) {}
    [[nodiscard]] __device__ float* at(int row, int column, int channel) const {
        return first + ((row * w + column) * stride + channel);
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

constexpr int kFilterStep = 32;  // channels whose taps lie together

/// The taps of four channels from `channel` on, of filters [channels / 32][9][32] that are packed as quads are held.
template <class Quad>
__device__ void load_filter(Quad (&filter)[9], std::byte const* filters, int channel) {
    auto const* const from = reinterpret_cast<Quad const*>(filters) + channel / kFilterStep * (9 * kFilterStep / 4) +
                             channel % kFilterStep / 4;
#pragma unroll
    for (int tap = 0; tap < 9; ++tap) filter[tap] = from[tap * (kFilterStep / 4)];
}

/// Which pixels of a patch, whose first one lies at a row and column of the tile, exist.
template <class Tile>
__device__ void find_patch(TilePlace const& tile, int row, int column, bool (&exists)[Tile::kPatch]) {
#pragma unroll
    for (int i = 0; i < Tile::kPatch; ++i) {
        exists[i] =
            tile.contains(tile.row + row + i / Tile::kPatchColumns, tile.column + column + i % Tile::kPatchColumns);
    }
}

/// A patch's channels from `channel` on, of which `count` exist; their residual is added where there is one.
template <class Tile>
__device__ void store_patch(TilePixels const& y, TilePixels const& residual, int row, int column,
                            bool const (&exists)[Tile::kPatch], int channel, int count, float4 (&sums)[Tile::kPatch]) {
    if (residual.first != nullptr) {
        PixelQuad at[Tile::kPatch];
        float4 added[Tile::kPatch];
#pragma unroll
        for (int i = 0; i < Tile::kPatch; ++i) {
            int const r = row + i / Tile::kPatchColumns, c = column + i % Tile::kPatchColumns;
            at[i] = {residual.at(r, c, channel), count, exists[i]};
        }
        fetch_pixels(added, at, residual.vector);
#pragma unroll
        for (int i = 0; i < Tile::kPatch; ++i) sums[i] = sums[i] + added[i];
    }
    auto const store = [&](bool is_vector) {
#pragma unroll
        for (int i = 0; i < Tile::kPatch; ++i) {
            if (!exists[i] || count <= 0) continue;
            int const r = row + i / Tile::kPatchColumns, c = column + i % Tile::kPatchColumns;
            store4(y.at(r, c, channel), sums[i], count, is_vector);
        }
    };
    if (y.vector) store(true);
    else store(false);
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
