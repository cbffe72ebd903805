// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "../kernels/gelu_for_operands.cuh"
#include "row_operands.cuh"

// Products of rows (row_operands.cuh) with a packed weight. One warp brings both operands through a ring of stages;
// each of the others' warpgroups multiplies 64 rows and hands its sums to an outlet. Two blocks share a multiprocessor,
// so that one multiplies while the other begins or ends.

namespace vitrum::cuda::hopper {

struct RowProduct {
    RowOperands left;
    RowScales const* scales;
    std::byte const* right;
    int column_tiles;
};

template <int kGroups_, int kColumns_>
struct ProductTile {
    static constexpr int kGroups = kGroups_, kColumns = kColumns_, kRows = kGroups * kProductRows;
    static constexpr int kLeftBytes = kProductRows * kProductStage * 2;  ///< of a warpgroup
    static constexpr int kRightBytes = kColumns * kProductStage * 2;
    static constexpr int kStageBytes = kGroups * kLeftBytes + kRightBytes;
    static constexpr int kStages = kColumns == kProductColumns ? 3 : 4;
    static constexpr int kBarriers = kStages * kStageBytes, kBytes = kBarriers + 16 * kStages;
    static constexpr int kThreads = kGroups * kGroup + 32;
    static constexpr int kSteps = kProductStage / 16;
    static_assert(2 * (kBytes + 1024) <= 228 << 10);
};

template <class T>
struct ProductRing {
    std::uint32_t stages;  ///< address

    [[nodiscard]] __device__ std::uint32_t left(int chunk) const {
        return stages + chunk % T::kStages * T::kStageBytes;
    }
    [[nodiscard]] __device__ std::uint32_t right(int chunk) const { return left(chunk) + T::kGroups * T::kLeftBytes; }
    [[nodiscard]] __device__ std::uint32_t full(int chunk) const {
        return stages + T::kBarriers + 16 * (chunk % T::kStages);
    }
    [[nodiscard]] __device__ std::uint32_t empty(int chunk) const { return full(chunk) + 8; }
    [[nodiscard]] static __device__ std::uint32_t parity(int chunk) { return chunk / T::kStages & 1; }

    __device__ void init() const {
        for (int i = 0; i < T::kStages; ++i) {
            init_barrier(full(i), 1);
            init_barrier(empty(i), 4 * T::kGroups);
        }
        publish_barriers();
    }
    /// By one thread. Weights depend on nothing, and come first.
    __device__ void fill(RowProduct const& p, std::int64_t row_tile, int column_tile) const {
        int const chunks = static_cast<int>(p.left.depth) / kProductStage;
        for (int chunk = 0; chunk < min(chunks, T::kStages); ++chunk) bring_right(p, column_tile, chunk);
        await_previous();
        for (int chunk = 0; chunk < chunks; ++chunk) {
            if (chunk >= T::kStages) {
                wait(empty(chunk), parity(chunk) ^ 1);
                bring_right(p, column_tile, chunk);
            }
#pragma unroll
            for (int g = 0; g < T::kGroups; ++g) {
                load_bulk(left(chunk) + g * T::kLeftBytes,
                          p.left.block(row_tile * T::kGroups + g) + chunk * T::kLeftBytes, T::kLeftBytes, full(chunk));
            }
        }
    }

private:
    __device__ void bring_right(RowProduct const& p, int column_tile, int chunk) const {
        constexpr int kTiles = kProductColumns / T::kColumns;
        constexpr int kPieces = kTiles == 1 ? 1 : T::kSteps, kPieceBytes = T::kRightBytes / kPieces;
        std::byte const* const from = p.right + column_tile / kTiles * (p.left.depth * kProductColumns * 2) +
                                      chunk * (T::kRightBytes * kTiles) + column_tile % kTiles * kPieceBytes;
        arrive_expecting(full(chunk), T::kStageBytes);
#pragma unroll
        for (int i = 0; i < kPieces; ++i) {
            load_bulk(right(chunk) + i * kPieceBytes, from + i * (kPieceBytes * kTiles), kPieceBytes, full(chunk));
        }
    }
};

template <class T, class Outlet>
__global__ void __launch_bounds__(T::kThreads, 2)
    product_kernel(__grid_constant__ RowProduct const p, __grid_constant__ Outlet const out) {
    auto& bytes = dynamic_shared<std::byte[T::kBytes]>();
    ProductRing<T> const ring{shared_address(bytes)};
    let_next_start();
    if (threadIdx.x == 0) ring.init();
    __syncthreads();
    std::int64_t const row_tile = blockIdx.x / p.column_tiles;
    int const column_tile = static_cast<int>(blockIdx.x) % p.column_tiles;
    int const group = __shfl_sync(0xFFFFFFFFU, static_cast<int>(threadIdx.x) / kGroup, 0);
    if (group == T::kGroups) {
        if (threadIdx.x % 32 == 0) ring.fill(p, row_tile, column_tile);
        return;
    }
    Lane const lane;
    float sums[T::kColumns / 2] = {};
    int const chunks = static_cast<int>(p.left.depth) / kProductStage;
#pragma unroll 1
    for (int chunk = 0; chunk < chunks; ++chunk) {
        wait(ring.full(chunk), ring.parity(chunk));
        fence_products();
#pragma unroll
        for (int k = 0; k < T::kSteps; ++k) {
            std::uint32_t const a = ring.left(chunk) + group * T::kLeftBytes + k * (kProductRows * 32);
            std::uint32_t const b = ring.right(chunk) + k * (T::kColumns * 32);
            begin_product<T::kColumns>(sums, matrix_descriptor(a, 128, 256), matrix_descriptor(b, 128, 256), 1);
        }
        commit_products();
        if (chunk == 0) continue;
        wait_for_products<1>();
        if (lane.first()) arrive(ring.empty(chunk - 1));
    }
    wait_for_products<0>();
    settle(sums);
    await_previous();
    std::int64_t const first_row = (row_tile * T::kGroups + group) * kProductRows;
    RowScales const* const scales = p.scales + first_row + 16 * lane.warp + lane.row;
    out.store(sums, {{scales[0], scales[8]}}, first_row, column_tile * T::kColumns, lane);
}

// ---- Where sums go.

/// What is not negative or goes through GELU, times a power of two.
[[nodiscard]] __device__ inline float activated_operand(Activation activation, float x, float scale) {
    if (activation == Activation::gelu) return gelu_by_tanh(x, scale);
    return (activation == Activation::leaky_relu && x < 0 ? 0.0F : x) * scale;
}

/// To the left operands of the next product: activation(sums + bias), times the row's power of two.
struct HiddenOutlet {
    RowOperands to;
    SwinWeightInfo const* weight;
    float const* bias;  ///< in whole blocks of columns
    Activation activation;

    template <int kCount>
    __device__ void store(float const (&sums)[kCount], PairOfScales const& scales, std::int64_t first_row,
                          int first_column, Lane const& lane) const {
        std::byte* const block = to.block(first_row / kProductRows);
        float units[2], factors[2];
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            units[half] = weight->unit / scales.of[half].operands, factors[half] = scales.of[half].hidden;
        }
#pragma unroll
        for (int j = 0; j < kCount / 4; ++j) {
            int const column = first_column + 8 * j + 2 * lane.quad;
            if (column >= to.depth) break;  // the tile may be wider than what is left
            float2 const b = *reinterpret_cast<float2 const*>(bias + column);
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                float const* const s = sums + 4 * j + 2 * half;
                std::int64_t const at = product_index(column, row(lane, half), kProductRows);
                *reinterpret_cast<std::uint32_t*>(block + at * 2) =
                    Fp16::pack(activated_operand(activation, fmaf(s[0], units[half], b.x), factors[half]),
                               activated_operand(activation, fmaf(s[1], units[half], b.y), factors[half]));
            }
        }
    }

private:
    [[nodiscard]] static __device__ int row(Lane const& lane, int half) {
        return 16 * lane.warp + lane.row + 8 * half;
    }
};

/// To rows of pixels, each four columns of which lie in neighbouring sums (see channel_of_column).
template <class Map>
struct PixelOutlet {
    Matrix y, residual;
    std::int64_t rows;
    int columns;
    float const* bias;  ///< in whole blocks of columns; null: none
    float slope;        ///< of what is negative
    bool residual_first;
    Map map;
    bool of_hidden;  ///< whether the operands were a hidden layer
    SwinWeightInfo const* weight;

    template <int kCount>
    __device__ void store(float const (&sums)[kCount], PairOfScales const& scales, std::int64_t first_row,
                          int first_column, Lane const& lane) const {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            std::int64_t const m = first_row + 16 * lane.warp + lane.row + 8 * half;
            std::int64_t const pixel = m < rows ? map(m) : -1;
            if (pixel < 0) continue;
            float const unit = weight->unit / (of_hidden ? scales.of[half].hidden : scales.of[half].operands);
#pragma unroll
            for (int p = 0; p < kCount / 8; p += kAtOnce) {
                store_some(sums + 8 * p + 2 * half, pixel, first_column + 16 * p + 4 * lane.quad, unit);
            }
        }
    }

private:
    static constexpr int kAtOnce = 4;  ///< quads of a pixel, 16 columns apart, that are read together

    __device__ void store_some(float const* sums, std::int64_t pixel, int first, float unit) const {
        float4 added[kAtOnce];
#pragma unroll
        for (int i = 0; i < kAtOnce; ++i) {
            bool const is = residual.data != nullptr && first + 16 * i < columns;
            auto const* const from = reinterpret_cast<float4 const*>(residual.at(pixel) + first + 16 * i);
            added[i] = is ? *from : make_float4(0, 0, 0, 0);
        }
#pragma unroll
        for (int i = 0; i < kAtOnce; ++i) {
            if (first + 16 * i >= columns) continue;
            float const* const s = sums + 8 * i;
            float4 v = make_float4(s[0] * unit, s[1] * unit, s[4] * unit, s[5] * unit);
            if (bias != nullptr) v = v + *reinterpret_cast<float4 const*>(bias + first + 16 * i);
            if (residual_first) v = v + added[i];
            v = each(v, [&](float x, int) { return x < 0 ? x * slope : x; });
            if (!residual_first) v = v + added[i];
            *reinterpret_cast<float4*>(y.at(pixel) + first + 16 * i) = v;
        }
    }
};

/// Of a packed weight.
[[nodiscard]] inline SwinWeightInfo const* product_weight_info(std::byte const* weight, std::int64_t columns,
                                                               std::int64_t depth) {
    return reinterpret_cast<SwinWeightInfo const*>(weight + ProductWeights(columns, depth).operand_bytes());
}

template <class Outlet>
void multiply(void* stream, std::int64_t rows, int columns, RowOperands const& left, RowScales const* scales,
              std::byte const* right, Outlet const& out) {
    auto const run = [&]<class T>(T) {
        int const column_tiles = static_cast<int>(divide_up(columns, T::kColumns));
        start_shared<Start::early>(stream, product_kernel<T, Outlet>, divide_up(rows, T::kRows) * column_tiles,
                                   T::kThreads, T::kBytes, RowProduct{left, scales, right, column_tiles}, out);
    };
    ProductTileSize const size = product_tile(rows, columns);
    if (size.columns == 128) run(ProductTile<2, 128>{});
    else if (size.rows == 128) run(ProductTile<2, 64>{});
    else run(ProductTile<1, 64>{});
}

}  // namespace vitrum::cuda::hopper
