// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "fragments.h"

namespace vitrum::cuda {

/// A weight [outputs, inputs, 3, 3] of few outputs as right operands in float16, whose columns are tap · outputs +
/// output; behind them what they were divided by (see half_unit).
struct ToColoursWeights {
    static constexpr int kMostOutputs = 3, kMostInputs = 256;
    static constexpr int kColumns = 32;  ///< 27 and nothing
    static constexpr int kChunk = 64;    ///< channels at a time

    int chunks;

    explicit constexpr ToColoursWeights(std::int64_t inputs) : chunks(static_cast<int>(divide_up(inputs, kChunk))) {}
    [[nodiscard]] constexpr int steps() const { return chunks * (kChunk / kFragmentChannels); }
    /// The first word of a tile of columns at a step of the depth.
    [[nodiscard]] constexpr int tile(int column_tile, int step) const {
        return (column_tile * steps() + step) * kWarpLanes * static_cast<int>(FragmentKind::half);
    }
    [[nodiscard]] constexpr int unit_offset() const { return tile(kColumns / kFragmentColumns, 0) * 4; }
    [[nodiscard]] constexpr std::size_t bytes() const {
        return static_cast<std::size_t>(unit_offset()) + sizeof(float);
    }
};

}  // namespace vitrum::cuda
