// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "device.cuh"

// y = epilogue(A · B) in true float32. B is a packed weight [depth][stride] (see packed_extent); A's rows come from a
// loader, so that a gather, a normalisation or a convolution's neighbourhood costs no memory of its own; results go
// through a store, which knows what follows the product.
//
// A loader has  Row row(int64 m)  and  float4 operator()(Row, int k): A[m][k … k + 3], zeros beyond the depth.
// A store has   Row row(int64 m)  and  void operator()(Row, int column, float4).

namespace vitrum::cuda {

constexpr int kGemmThreads = 128;

/// How 128 threads share a block of kTileRows × kColumns results: each has quads of rows and of columns, spread so
/// that a warp's reads of shared memory have no bank conflicts.
template <int kColumns>
struct Tile {
    static constexpr int kRowsEach = kColumns == 16 ? 4 : 8;
    static constexpr int kColumnsEach = kColumns == 64 ? 8 : 4;
    static constexpr int kAcross = kColumns / kColumnsEach;
    static constexpr int kDown = kTileRows / kRowsEach;
    static constexpr int kQuadsOfB = kTileDepth * kColumns / 4;
    static constexpr int kLoadsOfB = (kQuadsOfB + kGemmThreads - 1) / kGemmThreads;
    static_assert(kAcross * kDown == kGemmThreads && kTileRows == kGemmThreads);
};

template <int kColumns>
struct SharedTiles {
    alignas(16) float a[2][kTileDepth][kTileRows];
    alignas(16) float b[2][kTileDepth][kColumns];
};

/// One step's operands on their way from device memory to shared memory.
template <int kColumns>
struct Staged {
    float4 a[kTileDepth / 4];
    float4 b[Tile<kColumns>::kLoadsOfB];

    template <class Load>
    __device__ void fetch(Load const& load, typename Load::Row const& row, float const* from, std::int64_t stride,
                          int k) {
#pragma unroll
        for (int i = 0; i < kTileDepth / 4; ++i) a[i] = load(row, k + 4 * i);
#pragma unroll
        for (int i = 0; i < Tile<kColumns>::kLoadsOfB; ++i) {
            int const quad = static_cast<int>(threadIdx.x) + i * kGemmThreads;
            if (quad >= Tile<kColumns>::kQuadsOfB) continue;
            float const* const line = from + (k + quad / (kColumns / 4)) * stride;
            b[i] = *reinterpret_cast<float4 const*>(line + quad % (kColumns / 4) * 4);
        }
    }
    __device__ void put(SharedTiles<kColumns>& tiles, int buffer) const {
        int const row = static_cast<int>(threadIdx.x);
#pragma unroll
        for (int i = 0; i < kTileDepth / 4; ++i) {
            tiles.a[buffer][4 * i][row] = a[i].x;
            tiles.a[buffer][4 * i + 1][row] = a[i].y;
            tiles.a[buffer][4 * i + 2][row] = a[i].z;
            tiles.a[buffer][4 * i + 3][row] = a[i].w;
        }
#pragma unroll
        for (int i = 0; i < Tile<kColumns>::kLoadsOfB; ++i) {
            int const quad = row + i * kGemmThreads;
            if (quad >= Tile<kColumns>::kQuadsOfB) continue;
            *reinterpret_cast<float4*>(&tiles.b[buffer][quad / (kColumns / 4)][quad % (kColumns / 4) * 4]) = b[i];
        }
    }
};

template <int kColumns>
struct Sums {
    using T = Tile<kColumns>;
    float sums[T::kRowsEach][T::kColumnsEach];

    __device__ void multiply(SharedTiles<kColumns> const& tiles, int buffer, int down, int across) {
#pragma unroll
        for (int k = 0; k < kTileDepth; ++k) {
            float a[T::kRowsEach], b[T::kColumnsEach];
#pragma unroll
            for (int i = 0; i < T::kRowsEach / 4; ++i) {
                float4 const v = *reinterpret_cast<float4 const*>(&tiles.a[buffer][k][(i * T::kDown + down) * 4]);
                a[4 * i] = v.x, a[4 * i + 1] = v.y, a[4 * i + 2] = v.z, a[4 * i + 3] = v.w;
            }
#pragma unroll
            for (int j = 0; j < T::kColumnsEach / 4; ++j) {
                float4 const v = *reinterpret_cast<float4 const*>(&tiles.b[buffer][k][(j * T::kAcross + across) * 4]);
                b[4 * j] = v.x, b[4 * j + 1] = v.y, b[4 * j + 2] = v.z, b[4 * j + 3] = v.w;
            }
#pragma unroll
            for (int i = 0; i < T::kRowsEach; ++i) {
#pragma unroll
                for (int j = 0; j < T::kColumnsEach; ++j) sums[i][j] = fmaf(a[i], b[j], sums[i][j]);
            }
        }
    }

    template <class Store>
    __device__ void store(Store const& to, std::int64_t first_row, std::int64_t rows, int first_column, int columns,
                          int down, int across) const {
#pragma unroll
        for (int i = 0; i < T::kRowsEach; ++i) {
            std::int64_t const m = first_row + (i / 4 * T::kDown + down) * 4 + i % 4;
            if (m >= rows) continue;
            typename Store::Row const row = to.row(m);
#pragma unroll
            for (int j = 0; j < T::kColumnsEach / 4; ++j) {
                int const column = first_column + (j * T::kAcross + across) * 4;
                if (column >= columns) continue;
                to(row, column,
                   make_float4(sums[i][4 * j], sums[i][4 * j + 1], sums[i][4 * j + 2], sums[i][4 * j + 3]));
            }
        }
    }
};

struct GemmExtent {
    std::int64_t rows;
    int columns, depth;   ///< the depth as packed
    std::int64_t stride;  ///< of B
};

template <int kColumns, class Load, class Store>
__global__ void __launch_bounds__(kGemmThreads) gemm_kernel(GemmExtent extent, Load load, float const* b, Store store) {
    using T = Tile<kColumns>;
    __shared__ SharedTiles<kColumns> tiles;
    int const column_tiles = (extent.columns + kColumns - 1) / kColumns;
    int const block = static_cast<int>(blockIdx.x), thread = static_cast<int>(threadIdx.x);
    std::int64_t const first_row = static_cast<std::int64_t>(block / column_tiles) * kTileRows;
    int const first_column = block % column_tiles * kColumns;
    // Rows beyond the last repeat it; they are never stored.
    std::int64_t const own = first_row + thread < extent.rows ? first_row + thread : extent.rows - 1;
    typename Load::Row const row = load.row(own);

    Staged<kColumns> staged;
    Sums<kColumns> sums{};
    staged.fetch(load, row, b + first_column, extent.stride, 0);
    staged.put(tiles, 0);
    __syncthreads();
    for (int k = 0, buffer = 0; k < extent.depth; k += kTileDepth, buffer ^= 1) {
        bool const more = k + kTileDepth < extent.depth;
        if (more) staged.fetch(load, row, b + first_column, extent.stride, k + kTileDepth);
        sums.multiply(tiles, buffer, thread / T::kAcross, thread % T::kAcross);
        if (more) staged.put(tiles, buffer ^ 1);
        __syncthreads();
    }
    sums.store(store, first_row, extent.rows, first_column, extent.columns, thread / T::kAcross, thread % T::kAcross);
}

/// A packed weight on the device.
struct Weight {
    float const* data;
    int columns, depth;
    std::int64_t stride;

    Weight(float const* data_, std::int64_t columns_, std::int64_t channels, std::int64_t taps = 1)
        : data(data_), columns(static_cast<int>(columns_)) {
        PackedExtent const extent = packed_extent(columns_, channels, taps);
        depth = static_cast<int>(extent.depth);
        stride = extent.stride;
    }
};

template <class Load, class Store>
void multiply(void* stream, std::int64_t rows, Load const& load, Weight const& b, Store const& store) {
    GemmExtent const extent{rows, b.columns, b.depth, b.stride};
    int const tile = tile_columns(b.columns);
    std::int64_t const blocks = divide_up(rows, kTileRows) * divide_up(b.columns, tile);
    auto const kernel = tile == 64   ? gemm_kernel<64, Load, Store>
                        : tile == 32 ? gemm_kernel<32, Load, Store>
                                     : gemm_kernel<16, Load, Store>;
    start(stream, kernel, blocks, kGemmThreads, extent, load, b.data, store);
}

}  // namespace vitrum::cuda
