// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "choices.h"
#include "vitrum/precision.h"

// How the weights of a product lie for tensor cores: in the order in which a warp's lanes take them, so that a lane
// gets what it needs for 16 columns and one instruction's depth as 16 bytes, and a warp reads 512 bytes that lie
// together.

namespace vitrum::cuda {

/// Operands in a register of 32 bits.
[[nodiscard]] constexpr int operands_per_register(Precision precision) {
    return precision == Precision::bf16 || precision == Precision::fp16 ? 2 : 1;
}
/// Operands that a number is the sum of: true float32 is multiplied as TF32 and the rest, again as TF32, which leaves
/// 22 bits of fraction (Ootomo and Yokota 2022).
[[nodiscard]] constexpr int operand_parts(Precision precision) {
    return precision == Precision::fp32 ? 2 : 1;
}
/// The depth of an instruction: eight registers of each row.
[[nodiscard]] constexpr int step_depth(Precision precision) {
    return 8 * operands_per_register(precision);
}

/// Of a product's sum, at a time.
[[nodiscard]] constexpr int stage_depth(Precision precision) {
    return 32 / operand_parts(precision);
}

/// The columns of a block of a product: 192 (true float32: 96), or 64 where fewer are wasted. A narrow block's columns
/// are dearer, since the rows are loaded and rounded for each of them (estimated, not measured).
[[nodiscard]] constexpr int tensor_columns(std::int64_t columns) {
    return round_up(columns, 192) * 10 <= round_up(columns, 64) * 13 ? 192 : 64;
}

/// A weight as registers [step of the depth][part][16 columns][lane][4], zeros where there is nothing.
struct OperandExtent {
    Precision precision;
    std::int64_t steps, columns;  ///< padded

    [[nodiscard]] constexpr std::int64_t padded_depth() const { return steps * step_depth(precision); }
    [[nodiscard]] constexpr std::int64_t padded_columns() const { return columns; }
    [[nodiscard]] constexpr std::int64_t bytes() const { return steps * operand_parts(precision) * columns * 32; }
    /// Where the operand of a column at depth k lies, counted in operands. The columns of an instruction are not
    /// neighbours: two instructions side by side give a lane four sums of neighbouring columns (ptx/tensor_core.cuh).
    [[nodiscard]] constexpr std::int64_t place(std::int64_t column, std::int64_t k, int part = 0) const {
        int const per = operands_per_register(precision);
        auto const c = static_cast<int>(column % 16), d = static_cast<int>(k % step_depth(precision)) / per;
        int const lane = (c / 4 * 2 + c % 2) * 4 + d % 4;
        int const index = c % 4 / 2 * 2 + d / 4;
        std::int64_t const unit = k / step_depth(precision) * operand_parts(precision) + part;
        return (((unit * (columns / 16) + column / 16) * 32 + lane) * 4 + index) * per + k % per;
    }
};

/// A weight of a product: columns in whole blocks, the depth in whole stages.
[[nodiscard]] constexpr OperandExtent operand_extent(Precision precision, std::int64_t columns, std::int64_t depth) {
    return {precision, round_up(depth, stage_depth(precision)) / step_depth(precision),
            round_up(columns, tensor_columns(columns))};
}

// ---- 3 × 3 convolutions that keep a patch of the picture in shared memory.

/// A block's columns: those that cost least, the patch being worth some 24 columns (estimated, not measured). True
/// float32 needs twice the registers for its sums.
[[nodiscard]] constexpr int patch_columns(Precision precision, std::int64_t columns) {
    auto const cost = [&](int tile) { return divide_up(columns, tile) * (tile + 24); };
    int best = precision == Precision::fp32 ? 64 : 96;
    for (int const other : {64, 32, 16}) {
        if (cost(other) < cost(best)) best = other;
    }
    return best;
}

/// Their weights: the channels of each tap in whole steps.
[[nodiscard]] constexpr OperandExtent patch_extent(Precision precision, std::int64_t columns, std::int64_t channels,
                                                   std::int64_t taps = 9) {
    return {precision, taps * divide_up(channels, step_depth(precision)),
            round_up(columns, patch_columns(precision, columns))};
}

}  // namespace vitrum::cuda
