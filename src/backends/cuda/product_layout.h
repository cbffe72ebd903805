// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "swin_layout.h"

// How the operands of Hopper's products of rows (hopper/row_product.cuh) lie: as 8 × 8 matrices of float16, the two of
// sixteen of the depth first, so that any multiple of eight rows or columns of a step is one piece.

namespace vitrum::cuda {

constexpr int kProductRows = 64;      // of a block of rows: what a warpgroup has
constexpr int kProductColumns = 128;  // of a block of a packed weight
constexpr int kMostPrepared = 1536;   // channels of rows that there is code for
constexpr int kProductStage = 64;     // of the depth: what is brought at a time; the depth is padded to a multiple

/// Where element (k, row) of a block of `rows` rows lies, in halves; likewise of columns.
[[nodiscard]] constexpr std::int64_t product_index(std::int64_t k, int row, int rows) {
    return k / 16 * rows * 16 + row / 8 * 128 + k % 16 / 8 * 64 + row % 8 * 8 + k % 8;
}

/// A packed weight [columns, depth]: blocks of columns one behind the other, then a SwinWeightInfo.
struct ProductWeights {
    std::int64_t blocks, depth;

    constexpr ProductWeights(std::int64_t columns, std::int64_t depth_)
        : blocks(divide_up(columns, kProductColumns)), depth(round_up(depth_, kProductStage)) {}
    [[nodiscard]] constexpr std::int64_t block_halves() const { return depth * kProductColumns; }
    [[nodiscard]] constexpr std::int64_t operand_bytes() const { return blocks * block_halves() * 2; }
    [[nodiscard]] constexpr std::size_t bytes() const {
        return static_cast<std::size_t>(operand_bytes()) + sizeof(SwinWeightInfo);
    }
};

/// Rows × columns of a tile.
struct ProductTileSize {
    int rows, columns;
};
/// The largest tile of which there are enough for the multiprocessors of a large GPU.
[[nodiscard]] constexpr ProductTileSize product_tile(std::int64_t rows, std::int64_t columns) {
    constexpr std::int64_t kEnough = 128;
    for (ProductTileSize const size : {ProductTileSize{128, 128}, ProductTileSize{128, 64}}) {
        if (divide_up(rows, size.rows) * divide_up(columns, size.columns) >= kEnough) return size;
    }
    return {64, 64};
}

}  // namespace vitrum::cuda
