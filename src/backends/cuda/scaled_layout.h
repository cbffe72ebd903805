// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "operands.h"

// How the weights of products of scaled rows (kernels/row_tile.cuh) lie, and how such products are cut into blocks.

namespace vitrum::cuda {

/// A weight [columns, depth] as float16 operands of a power of two times the weights, in the order of OperandExtent,
/// columns in whole sixteens. Behind it: what undoes the power of two, a float.
struct ScaledWeights {
    OperandExtent extent;

    constexpr ScaledWeights(std::int64_t columns, std::int64_t depth)
        : extent{Precision::fp16, divide_up(depth, step_depth(Precision::fp16)), round_up(columns, 16)} {}
    [[nodiscard]] constexpr std::size_t bytes() const {
        return static_cast<std::size_t>(extent.bytes()) + sizeof(float);
    }
};

/// Depth of a product that a block holds at once.
constexpr int kScaledDepth = 256;

/// Rows × columns of a block.
enum class ScaledBlock { large, middle, small };
struct ScaledBlockSize {
    int rows, columns;
};
[[nodiscard]] constexpr ScaledBlockSize size_of(ScaledBlock block) {
    switch (block) {
        case ScaledBlock::large: return {128, 128};
        case ScaledBlock::middle: return {64, 64};
        default: return {16, 64};
    }
}

/// The largest blocks of which there are still enough for the multiprocessors of a large GPU.
[[nodiscard]] constexpr ScaledBlock scaled_block(std::int64_t rows, std::int64_t columns) {
    constexpr std::int64_t kEnough = 128;
    for (ScaledBlock const block : {ScaledBlock::large, ScaledBlock::middle}) {
        ScaledBlockSize const size = size_of(block);
        if (divide_up(rows, size.rows) * divide_up(columns, size.columns) >= kEnough) return block;
    }
    return ScaledBlock::small;
}

}  // namespace vitrum::cuda
