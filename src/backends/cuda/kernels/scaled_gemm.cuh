// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "row_tile.cuh"

// y = epilogue(A · B) of scaled float16 operands (row_tile.cuh), for the loaders and stores of gemm.cuh. A block holds
// its rows' whole depth, or 256 of it at a time; the weights come straight from the second-level cache, in the order in
// which lanes want them, so that nothing waits for shared memory but the rows.

namespace vitrum::cuda {

template <ScaledBlock kBlock>
struct ScaledShape {
    static constexpr int kRows = size_of(kBlock).rows, kColumns = size_of(kBlock).columns;
    static constexpr bool kIsLarge = kBlock == ScaledBlock::large;
    static constexpr int kWarpsDown = kBlock == ScaledBlock::small ? 1 : 2,
                         kWarpsAcross = kBlock == ScaledBlock::middle ? 2 : 4;
    static constexpr int kWarps = kWarpsDown * kWarpsAcross, kThreads = kWarps * 32;
    static constexpr int kRowTiles = kRows / kWarpsDown / 16, kPairs = kColumns / kWarpsAcross / 16;
    static constexpr int kBlocks = kIsLarge ? 2 : 4;  ///< of a multiprocessor
};

template <class S, class Load, class Store>
__global__ void __launch_bounds__(S::kThreads, S::kBlocks)
    scaled_kernel(std::int64_t rows, Load load, ScaledWeight weight, Store store) {
    using Tile = RowTile<S::kRows>;
    Tile& tile = dynamic_shared<Tile>();
    int const column_blocks = (weight.columns + S::kColumns - 1) / S::kColumns;
    int const block = static_cast<int>(blockIdx.x), warp = static_cast<int>(threadIdx.x) / 32;
    std::int64_t const first_row = static_cast<std::int64_t>(block / column_blocks) * S::kRows;
    int const own_row = warp / S::kWarpsAcross * S::kRowTiles * 16;
    int const own_pair = block % column_blocks * (S::kColumns / 16) + warp % S::kWarpsAcross * S::kPairs;
    constexpr int kSteps = Tile::kDepth / 16;

    ScaledSums<S::kRowTiles, S::kPairs> sums{};
#pragma unroll 1
    for (int step = 0; step < weight.steps; step += kSteps) {
        if (step > 0) __syncthreads();
        tile.template fill<S::kWarps, 4>(load, first_row, rows, step * 16, step == 0);
        __syncthreads();
        if (step > 0) sums.multiply_rows(own_row, [&](int row) { return tile.factors[row]; });
        sums.multiply(tile, own_row, weight, own_pair, step, min(kSteps, weight.steps - step));
    }
    float const unit = *weight.unit;
    sums.multiply_rows(own_row, [&](int row) { return unit / tile.scales[row]; });
    sums.store(store, own_pair * 16, weight.columns, [&](int i, int row) {
        std::int64_t const m = first_row + own_row + i * 16 + row;
        return m < rows ? m : -1;
    });
}

template <ScaledBlock kBlock, class Load, class Store>
void start_scaled_kernel(void* stream, std::int64_t rows, Load const& load, ScaledWeight const& weight,
                         Store const& store) {
    using S = ScaledShape<kBlock>;
    std::int64_t const blocks = divide_up(rows, S::kRows) * divide_up(weight.columns, S::kColumns);
    start_shared(stream, scaled_kernel<S, Load, Store>, blocks, S::kThreads, sizeof(RowTile<S::kRows>), rows, load,
                 weight, store);
}

template <class Load, class Store>
void multiply(void* stream, std::int64_t rows, Load const& load, ScaledWeight const& weight, Store const& store) {
    switch (scaled_block(rows, weight.columns)) {
        case ScaledBlock::large: return start_scaled_kernel<ScaledBlock::large>(stream, rows, load, weight, store);
        case ScaledBlock::middle: return start_scaled_kernel<ScaledBlock::middle>(stream, rows, load, weight, store);
        case ScaledBlock::small: return start_scaled_kernel<ScaledBlock::small>(stream, rows, load, weight, store);
    }
}

}  // namespace vitrum::cuda
