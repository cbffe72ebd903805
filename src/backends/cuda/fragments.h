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
/// operands [16 channels of the group][step][part][lane][2 tiles][4 channels], then values as left ones, likewise
/// [16 channels][step][part][lane][8]. Behind all groups: what undoes the power of two, a float.
struct GroupWeights {
    static constexpr int kParts = 2;

    std::int64_t dim, steps;  ///< channels of a group; steps of 16 channels of x
    bool has_queries;

    constexpr GroupWeights(std::int64_t rows, std::int64_t channels)
        : dim(channels / 3), steps(divide_up(channels, kFragmentChannels)), has_queries(rows == 2 * channels) {}
    /// Steps of 16 channels of a group that there is code for: of 24 columns, one of which sums, or of 64.
    [[nodiscard]] constexpr std::int64_t group_steps() const { return dim < 24 ? 2 : 4; }
    [[nodiscard]] constexpr std::int64_t scale_word() const {
        return 3 * (has_queries ? 2 : 1) * group_steps() * steps * kParts * kWarpLanes * 4;
    }
    /// In units of two bytes.
    [[nodiscard]] constexpr std::int64_t half(std::int64_t row, std::int64_t channel) const {
        std::int64_t const part = row / dim, r = row % dim;
        bool const is_query = has_queries && part % 2 == 0;
        std::int64_t const lane = r % 8 * 4 + channel % 16 / 4, e = channel % 4;
        std::int64_t const unit = part * group_steps() + r / 16;
        std::int64_t const inner = is_query ? r % 16 / 8 * 4 + e : (r % 16 / 8 + e / 2 * 2) * 2 + e % 2;
        return (((unit * steps + channel / 16) * kParts) * kWarpLanes + lane) * 8 + inner;
    }
    static constexpr std::int64_t kLowOffset = kWarpLanes * 8;  ///< from a value's high part to its low one
};

/// The weights of ELAN's two shifted products, as float16 operands of a power of two times the weights, of one or two
/// parts, in chunks of sixteen hidden channels. Hidden channels that share a neighbour (four groups of ⌊hidden / 5⌋, then
/// the others) fill whole chunks. The first: [chunk][part][step][lane][2 tiles][4 channels]; the second: [chunk][part]
/// [pair of column tiles][lane][2 tiles][2 × 2 hidden channels]. Behind each: what undoes the power of two, a float.
struct ShiftWeights {
    std::int64_t hidden;
    int steps;  ///< of 16 channels; as many pairs of column tiles
    int parts;

    [[nodiscard]] constexpr std::int64_t group() const { return hidden / 5; }
    [[nodiscard]] constexpr std::int64_t chunks_before(std::int64_t of_group) const {
        return of_group * divide_up(group(), 16);
    }
    [[nodiscard]] constexpr std::int64_t chunks() const {
        return chunks_before(4) + divide_up(hidden - 4 * group(), 16);
    }
    /// In units of two bytes; from one part to the next.
    [[nodiscard]] constexpr std::int64_t part_halves() const { return std::int64_t{steps} * kWarpLanes * 8; }
    [[nodiscard]] constexpr std::int64_t halves() const { return chunks() * parts * part_halves(); }
    [[nodiscard]] constexpr std::int64_t scale_word() const { return halves() / 2; }
    [[nodiscard]] constexpr std::int64_t first(std::int64_t channel, std::int64_t x_channel) const {
        Slot const slot = slot_of(channel);
        std::int64_t const lane = slot.row % 8 * 4 + x_channel % 16 / 4;
        return half(slot.chunk, x_channel / 16, lane) + slot.row / 8 * 4 + x_channel % 4;
    }
    [[nodiscard]] constexpr std::int64_t second(std::int64_t column, std::int64_t channel) const {
        Slot const slot = slot_of(channel);
        FragmentPlace const place(column, 0);  // lane: its column of the tile
        std::int64_t const lane = place.lane + slot.row % 8 / 2;
        return half(slot.chunk, place.tile / 2, lane) + place.tile % 2 * 4 + slot.row / 8 * 2 + slot.row % 2;
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
    [[nodiscard]] constexpr std::int64_t half(std::int64_t chunk, std::int64_t step, std::int64_t lane) const {
        return chunk * parts * part_halves() + (step * kWarpLanes + lane) * 8;
    }
};

}  // namespace vitrum::cuda
