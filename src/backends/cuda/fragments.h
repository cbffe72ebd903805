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

/// ELAN's projection to queries and values [rows, channels], group after group (or, with queries given, to values
/// alone), as float16 operands of a power of two times the weights, each as the sum of two. Per group: queries as right
/// operands [tile of 8][step][lane][4 high, 4 low], then values as left ones [tile of 16][step][lane][8], high and
/// behind them low. Behind all groups: what undoes the power of two, a float.
struct GroupWeights {
    std::int64_t dim, steps;  ///< channels of a group; steps of 16 channels of x
    bool has_queries;

    constexpr GroupWeights(std::int64_t rows, std::int64_t channels)
        : dim(channels / 3), steps(divide_up(channels, kFragmentChannels)), has_queries(rows == 2 * channels) {}
    /// Steps of 16 channels of a group that there is code for.
    [[nodiscard]] constexpr std::int64_t group_steps() const { return dim <= 32 ? 2 : 4; }
    [[nodiscard]] constexpr std::int64_t tiles() const {
        return (has_queries ? 2 : 0) * group_steps() + 2 * group_steps();
    }
    [[nodiscard]] constexpr std::int64_t scale_word() const { return 3 * tiles() * steps * kWarpLanes * 4; }
    /// In units of two bytes; the low part lies `low_offset` behind.
    [[nodiscard]] constexpr std::int64_t half(std::int64_t row, std::int64_t channel) const {
        std::int64_t const part = row / dim, r = row % dim;
        std::int64_t const group = has_queries ? part / 2 : part;
        std::int64_t const lane = r % 8 * 4 + channel % 16 / 4, e = channel % 4;
        std::int64_t const tile =
            group * tiles() + (is_query(row) ? r / 8 : (has_queries ? 2 : 0) * group_steps() + r / 16);
        std::int64_t const inner = is_query(row) ? e : (r % 16 / 8 + e / 2 * 2) * 2 + e % 2;
        return ((tile * steps + channel / 16) * kWarpLanes + lane) * 8 + inner;
    }
    [[nodiscard]] constexpr std::int64_t low_offset(std::int64_t row) const {
        return is_query(row) ? 4 : group_steps() * steps * kWarpLanes * 8;
    }

private:
    [[nodiscard]] constexpr bool is_query(std::int64_t row) const { return has_queries && row / dim % 2 == 0; }
};

/// The weights of ELAN's two shifted products. Hidden channels that share a neighbour (four groups of ⌊hidden / 5⌋,
/// then the others) fill whole tiles of eight. The first: columns are a tile's hidden channels in their order,
/// [tile][step][part][lane][4]. The second: [tile][pair of column tiles][part][lane][2 columns][2 hidden channels].
struct ShiftWeights {
    static constexpr std::int64_t kSteps = 4;  ///< of 16 channels; as many pairs of column tiles

    static constexpr std::int64_t kWords = kWarpLanes * static_cast<int>(FragmentKind::split);

    std::int64_t hidden;

    [[nodiscard]] constexpr std::int64_t group() const { return hidden / 5; }
    [[nodiscard]] constexpr std::int64_t tiles_before(std::int64_t of_group) const {
        return of_group * divide_up(group(), 8);
    }
    [[nodiscard]] constexpr std::int64_t tiles() const { return tiles_before(4) + divide_up(hidden - 4 * group(), 8); }
    [[nodiscard]] constexpr std::int64_t words() const { return tiles() * kSteps * kWords; }
    [[nodiscard]] constexpr std::int64_t first(std::int64_t channel, std::int64_t x_channel, int part) const {
        Slot const slot = slot_of(channel);
        std::int64_t const lane = slot.row * 4 + x_channel % 16 / 4;
        return word(slot.tile, x_channel / 16, part) + lane * 4 + x_channel % 4;
    }
    [[nodiscard]] constexpr std::int64_t second(std::int64_t column, std::int64_t channel, int part) const {
        Slot const slot = slot_of(channel);
        FragmentPlace const place(column, 0);  // lane: its column of the tile
        std::int64_t const lane = place.lane + slot.row / 2;
        return word(slot.tile, place.tile / 2, part) + lane * 4 + place.tile % 2 * 2 + slot.row % 2;
    }

private:
    struct Slot {
        std::int64_t tile, row;
    };
    [[nodiscard]] constexpr Slot slot_of(std::int64_t channel) const {
        std::int64_t const of_group = group() == 0 ? 4 : std::min<std::int64_t>(4, channel / group());
        std::int64_t const own = channel - of_group * group();
        return {tiles_before(of_group) + own / 8, own % 8};
    }
    [[nodiscard]] static constexpr std::int64_t word(std::int64_t tile, std::int64_t step, int part) {
        return (tile * kSteps + step) * kWords + part * kWarpLanes * 4;
    }
};

/// The same two weights for up to 192 channels, as float16 of a power of two times the weights, in chunks of sixteen
/// hidden channels. The first: [chunk][step][lane][2 tiles][4 channels]; the second: [chunk][pair of column
/// tiles][lane] [2 tiles][2 × 2 hidden channels]. Behind each: what undoes the power of two, a float.
struct WideShiftWeights {
    static constexpr int kSteps = 12;  ///< of 16 channels; as many pairs of column tiles
    static constexpr int kChunkLanes = kSteps * kWarpLanes;

    std::int64_t hidden;

    [[nodiscard]] constexpr std::int64_t group() const { return hidden / 5; }
    [[nodiscard]] constexpr std::int64_t chunks_before(std::int64_t of_group) const {
        return of_group * divide_up(group(), 16);
    }
    [[nodiscard]] constexpr std::int64_t chunks() const {
        return chunks_before(4) + divide_up(hidden - 4 * group(), 16);
    }
    /// In units of two bytes.
    [[nodiscard]] constexpr std::int64_t halves() const { return chunks() * kChunkLanes * 8; }
    [[nodiscard]] constexpr std::int64_t first(std::int64_t channel, std::int64_t x_channel) const {
        Slot const slot = slot_of(channel);
        std::int64_t const lane = slot.row % 8 * 4 + x_channel % 16 / 4;
        return (slot.chunk * kChunkLanes + x_channel / 16 * kWarpLanes + lane) * 8 + slot.row / 8 * 4 + x_channel % 4;
    }
    [[nodiscard]] constexpr std::int64_t second(std::int64_t column, std::int64_t channel) const {
        Slot const slot = slot_of(channel);
        FragmentPlace const place(column, 0);  // lane: its column of the tile
        std::int64_t const lane = place.lane + slot.row % 8 / 2;
        return (slot.chunk * kChunkLanes + place.tile / 2 * kWarpLanes + lane) * 8 + place.tile % 2 * 4 +
               slot.row / 8 * 2 + slot.row % 2;
    }

private:
    struct Slot {
        std::int64_t chunk, row;
    };
    [[nodiscard]] constexpr Slot slot_of(std::int64_t channel) const {
        std::int64_t const of_group = group() == 0 ? 4 : std::min<std::int64_t>(4, channel / group());
        std::int64_t const own = channel - of_group * group();
        return {chunks_before(of_group) + own / 16, own % 16};
    }
};

}  // namespace vitrum::cuda
