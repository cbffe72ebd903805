// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "choices.h"

// Operands of tensor-core products in the order in which a warp's lanes hold them. Sixteen channels of a pixel lie as
// four quads: lane 4 g + t holds channels 4 t … 4 t + 3 of row (or column) g. A product's results come out in the very
// order that the next product's left operand wants, so that products chain without exchanges between lanes, and quads
// are what device and shared memory move best.

namespace vitrum::cuda {

/// Channels of a step of the sum; columns of a product.
constexpr int kFragmentChannels = 16;
constexpr int kFragmentColumns = 8;
constexpr int kWarpLanes = 32;

/// Channels for which the fused kernels have code that holds as many, or 0.
[[nodiscard]] constexpr int fused_channels(std::int64_t channels) {
    for (int const compiled : {32, 64, 128}) {
        if (channels <= compiled) return compiled;
    }
    return 0;
}

/// How a right operand is stored: words per lane of 16 channels × 8 columns.
enum class FragmentKind : int {
    half = 2,   ///< two float16 per word
    tf32 = 4,   ///< float32 rounded to TF32
    split = 8,  ///< TF32, and behind it what the rounding left, in TF32
};

/// A weight [columns, channels] as [column tile][step][part][lane][words], zeros where there is nothing.
struct FragmentExtent {
    std::int64_t tiles, steps;

    /// Columns and channels rounded up to these multiples.
    constexpr FragmentExtent(std::int64_t columns, std::int64_t channels, std::int64_t columns_step,
                             std::int64_t channels_step)
        : tiles(round_up(columns, columns_step) / kFragmentColumns),
          steps(round_up(channels, channels_step) / kFragmentChannels) {}
    [[nodiscard]] constexpr std::int64_t words(FragmentKind kind) const {
        return tiles * steps * kWarpLanes * static_cast<int>(kind);
    }
};

/// Where weight (column, channel) lies: tiles 2 u and 2 u + 1 hold columns 16 u … 16 u + 15 so that lane t of the
/// results has four consecutive ones.
struct FragmentPlace {
    std::int64_t tile, step;
    int lane, element;  ///< of the four channels of a lane

    constexpr FragmentPlace(std::int64_t column, std::int64_t channel)
        : tile(column / 16 * 2 + column % 4 / 2),
          step(channel / 16),
          lane(static_cast<int>(column % 16 / 4 * 2 + column % 2) * 4 + static_cast<int>(channel % 16 / 4)),
          element(static_cast<int>(channel % 4)) {}
    /// In units of two bytes.
    [[nodiscard]] constexpr std::int64_t half(std::int64_t steps) const {
        return (tile * steps + step) * kWarpLanes * 4 + lane * 4 + element;
    }
    /// The word of part `part` of a TF32 or split weight.
    [[nodiscard]] constexpr std::int64_t word(std::int64_t steps, FragmentKind kind, int part) const {
        return (tile * steps + step) * kWarpLanes * static_cast<int>(kind) + part * kWarpLanes * 4 + lane * 4 + element;
    }
};

/// A 1 × 1 weight in front of a shuffle by two, as right operands in TF32: the columns of each of the four positions
/// together, [position][pair of tiles][step][tile of the pair][lane][4].
struct UpConvWeights {
    static constexpr int kPositions = 4;
    static constexpr int kTileWords = kWarpLanes * static_cast<int>(FragmentKind::tf32);

    int steps, pairs;  ///< of 16 channels that are read; of 16 that are written

    constexpr UpConvWeights(std::int64_t columns, std::int64_t channels)
        : steps(channels <= 64 ? 4 : 8), pairs(columns / kPositions <= 32 ? 2 : 4) {}
    [[nodiscard]] constexpr std::int64_t words() const {
        return std::int64_t{kPositions} * pairs * steps * 2 * kTileWords;
    }
    /// Column c · 4 + position.
    [[nodiscard]] constexpr std::int64_t word(std::int64_t column, std::int64_t channel) const {
        FragmentPlace const place(column / kPositions, channel);
        std::int64_t const pair = column % kPositions * pairs + place.tile / 2;
        return ((pair * steps + place.step) * 2 + place.tile % 2) * kTileWords + place.lane * 4 + place.element;
    }
};

}  // namespace vitrum::cuda
