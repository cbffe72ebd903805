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
    static constexpr int kAhead = kIsLarge ? 2 : 4;   ///< steps of the weight: as many as registers are left for
};

/// Which blocks of columns a block has, one after the other. Their rows are brought once, where they fit.
struct ScaledColumns {
    int blocks, each;

    template <class S>
    [[nodiscard]] static ScaledColumns choose(S, std::int64_t row_blocks, ScaledWeight const& weight) {
        int const blocks = static_cast<int>(divide_up(weight.columns, S::kColumns));
        if (weight.steps * 16 > kScaledDepth) return {blocks, 1};
        constexpr std::int64_t kEnough = 256;  // two for each multiprocessor of a large GPU
        std::int64_t const groups = std::clamp<std::int64_t>(divide_up(kEnough, row_blocks), 1, blocks);
        return {blocks, static_cast<int>(divide_up(blocks, groups))};
    }
    [[nodiscard]] __host__ __device__ int groups() const { return (blocks + each - 1) / each; }
};

template <class S, class Load, class Store>
__global__ void __launch_bounds__(S::kThreads, S::kBlocks)
    scaled_kernel(std::int64_t rows, Load load, ScaledWeight weight, ScaledColumns columns, Store store) {
    using Tile = RowTile<S::kRows>;
    Tile& tile = dynamic_shared<Tile>();
    int const block = static_cast<int>(blockIdx.x), warp = static_cast<int>(threadIdx.x) / 32;
    std::int64_t const first_row = static_cast<std::int64_t>(block / columns.groups()) * S::kRows;
    int const own_row = warp / S::kWarpsAcross * S::kRowTiles * 16;
    int const first = block % columns.groups() * columns.each, last = min(first + columns.each, columns.blocks);
    constexpr int kSteps = Tile::kDepth / 16;

    int const first_steps = min(kSteps, weight.steps);
    tile.template fill<S::kWarps, 4>(load, first_row, rows, 0, true);
    __syncthreads();
#pragma unroll 1
    for (int column_block = first; column_block < last; ++column_block) {
        int const own_pair = column_block * (S::kColumns / 16) + warp % S::kWarpsAcross * S::kPairs;
        ScaledSums<S::kRowTiles, S::kPairs> sums{};
        sums.template multiply<S::kAhead>(tile, own_row, weight, own_pair, 0, first_steps);
#pragma unroll 1
        for (int step = kSteps; step < weight.steps; step += kSteps) {
            int const count = min(kSteps, weight.steps - step);
            __syncthreads();
            tile.template fill<S::kWarps, S::kIsLarge ? 2 : 4>(load, first_row, rows, step * 16, false);
            __syncthreads();
            sums.multiply_rows(own_row, [&](int row) { return tile.factors[row]; });
            sums.template multiply<S::kAhead>(tile, own_row, weight, own_pair, step, count);
        }
        float const unit = *weight.unit;
        sums.multiply_rows(own_row, [&](int row) { return unit / tile.scales[row]; });
        sums.store(store, own_pair * 16, weight.columns, [&](int i, int row) {
            std::int64_t const m = first_row + own_row + i * 16 + row;
            return m < rows ? m : -1;
        });
    }
}

template <ScaledBlock kBlock, class Load, class Store>
void start_scaled_kernel(void* stream, std::int64_t rows, Load const& load, ScaledWeight const& weight,
                         Store const& store) {
    using S = ScaledShape<kBlock>;
    std::int64_t const row_blocks = divide_up(rows, S::kRows);
    ScaledColumns const columns = ScaledColumns::choose(S{}, row_blocks, weight);
    start_shared(stream, scaled_kernel<S, Load, Store>, row_blocks * columns.groups(), S::kThreads,
                 sizeof(RowTile<S::kRows>), rows, load, weight, columns, store);
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
