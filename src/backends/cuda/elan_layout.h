// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "fragments.h"
#include "swin_layout.h"

// How the weights of ELAN's operators lie: float16 operands of a power of two times the weights, each of one part, or
// of two whose sum it is, in the order in which a warp's lanes hold them.

namespace vitrum::cuda {

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

/// The weight of a product at each pixel, of at most as many columns as 16 · steps, as float16 operands of a power of
/// two times the weights, of two parts: [step][pair of column tiles][part][lane][2 tiles][4 channels]. Behind it: what
/// undoes the power of two, a float.
struct PixelWeights {
    static constexpr int kParts = 2;
    int steps;  ///< of 16 channels; as many pairs of column tiles

    [[nodiscard]] constexpr std::int64_t scale_word() const {
        return std::int64_t{steps} * steps * kParts * kWarpLanes * 4;
    }
    /// In units of two bytes.
    [[nodiscard]] constexpr std::int64_t half(std::int64_t column, std::int64_t channel) const {
        FragmentPlace const place(column, channel);
        std::int64_t const block = (place.step * steps + place.tile / 2) * kParts;
        return (block * kWarpLanes + place.lane) * 8 + place.tile % 2 * 4 + place.element;
    }
    static constexpr std::int64_t kLowOffset = kWarpLanes * 8;  ///< from a value's high part to its low one
};

/// The weights of ELAN's two shifted products for at most 64 channels, as float16 operands of a power of two times the
/// weights, of two parts each, in chunks of sixteen hidden channels. Hidden channels that share a neighbour (four
/// groups of ⌊hidden / 5⌋, then the others) fill whole chunks. The first: [chunk][part][step][lane][2 tiles][2 × 2
/// channels]; the second: [chunk][part][pair of column tiles][lane][2 tiles][2 × 2 hidden channels]. Behind each: what
/// undoes the power of two, a float.
struct ShiftWeights {
    static constexpr int kSteps = 4, kParts = 2;  ///< of 16 channels; as many pairs of column tiles
    std::int64_t hidden;

    [[nodiscard]] constexpr std::int64_t group() const { return hidden / 5; }
    [[nodiscard]] constexpr std::int64_t chunks_before(std::int64_t of_group) const {
        return of_group * divide_up(group(), 16);
    }
    [[nodiscard]] constexpr std::int64_t chunks() const {
        return chunks_before(4) + divide_up(hidden - 4 * group(), 16);
    }
    /// In units of two bytes; from one part to the next.
    [[nodiscard]] static constexpr std::int64_t part_halves() { return std::int64_t{kSteps} * kWarpLanes * 8; }
    [[nodiscard]] constexpr std::int64_t halves() const { return chunks() * kParts * part_halves(); }
    [[nodiscard]] constexpr std::int64_t scale_word() const { return halves() / 2; }
    [[nodiscard]] constexpr std::int64_t first(std::int64_t channel, std::int64_t x_channel) const {
        Slot const slot = slot_of(channel);
        std::int64_t const lane = slot.row % 8 * 4 + x_channel % 8 / 2;
        return half(slot.chunk, x_channel / 16, lane) + slot.row / 8 * 4 + x_channel % 16 / 8 * 2 + x_channel % 2;
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
        return chunk * kParts * part_halves() + (step * kWarpLanes + lane) * 8;
    }
};

/// The projection to queries and values [2 C, C] of groups of at most 63 channels, as right operands of a power of two
/// times the weights: [group][step of 16 channels][pair of tiles, the queries' before the values'][lane][2 tiles][4
/// channels]. A lane's sums of the values' tiles are sixteen neighbouring channels. Behind all: what undoes the power
/// of two, a float.
struct WideGroupWeights {
    static constexpr int kTiles = 8;
    std::int64_t dim;
    int steps;  ///< even

    constexpr WideGroupWeights(std::int64_t channels)
        : dim(channels / 3), steps(static_cast<int>(round_up(divide_up(channels, kFragmentChannels), 2))) {}
    [[nodiscard]] static constexpr std::int64_t group_lanes(int steps) {
        return std::int64_t{steps} * kTiles * kWarpLanes;
    }
    [[nodiscard]] constexpr std::int64_t scale_word() const { return 3 * group_lanes(steps) * 4; }
    /// In units of two bytes.
    [[nodiscard]] constexpr std::int64_t half(std::int64_t row, std::int64_t channel) const {
        std::int64_t const group = row / dim / 2, r = row % dim;
        bool const is_value = row / dim % 2 == 1;
        std::int64_t const tile = is_value ? kTiles + r % 16 / 2 : r / 8;
        std::int64_t const column = is_value ? r / 16 * 2 + r % 2 : r % 8;
        std::int64_t const lane = column * 4 + channel % 16 / 4;
        return (((group * steps + channel / 16) * kTiles + tile / 2) * kWarpLanes + lane) * 8 + tile % 2 * 4 +
               channel % 4;
    }
};

/// The product behind it. Attended rows are three groups of 64 float16, multiplied by the scale of each, and behind
/// them the three scales, floats. Its weight: [16 columns][step of 16][lane][2 tiles][4 channels]; of 32 channels a
/// lane has eight neighbouring ones in two steps. Behind it what undoes its power of two.
struct GroupOutputWeights {
    static constexpr int kSteps = 12, kScaleWord = 96;
    std::int64_t dim;

    /// Of an attended row.
    [[nodiscard]] static constexpr std::int64_t word(std::int64_t group, std::int64_t channel) {
        return (group * 64 + channel) / 2;
    }
    [[nodiscard]] constexpr std::int64_t scale_word() const { return divide_up(3 * dim, 16) * kSteps * kWarpLanes * 4; }
    /// In units of two bytes.
    [[nodiscard]] constexpr std::int64_t half(std::int64_t column, std::int64_t channel) const {
        FragmentPlace const place(column, 0);  // lane: its column of the tile
        std::int64_t const at = channel / dim * 64 + channel % dim;
        std::int64_t const step = at / 32 * 2 + at % 8 / 4, lane = place.lane + at % 32 / 8;
        return ((place.tile / 2 * kSteps + step) * kWarpLanes + lane) * 8 + place.tile % 2 * 4 + at % 4;
    }
};

/// The same weight [180, 180] for Hopper's products: an operand of 192 channels × 192 columns, behind it what undoes
/// its power of two.
struct GroupOutputOperand {
    static constexpr int kChannels = 180, kDepth = 192, kColumns = 192, kHalves = kDepth * kColumns;

    [[nodiscard]] static constexpr int half(int column, int channel) {
        int const dim = kChannels / 3, at = channel / dim * 64 + channel % dim;
        int const step = at / 32 * 2 + at % 8 / 4;
        int const k = 16 * step + at % 4 / 2 * 8 + at % 32 / 8 * 2 + at % 2;
        return operand_index(k, place_in_depth(column), kColumns);
    }
};

/// Right operands of two bfloat16 each: a lane's uint4 holds two words of high parts, then two of low ones.
constexpr std::int64_t kBrainLowOffset = 4;  ///< in units of two bytes

/// The weight of a product at each pixel, of at most 64 channels and columns, as operands of two bfloat16: [16
/// columns][step of 16 channels][tile of 8 columns][lane][8].
struct BrainPixelWeights {
    static constexpr int kSteps = 4;

    [[nodiscard]] static constexpr std::int64_t words() { return kSteps * kSteps * 2 * kWarpLanes * 4; }
    /// In units of two bytes.
    [[nodiscard]] static constexpr std::int64_t half(std::int64_t column, std::int64_t channel) {
        FragmentPlace const place(column, channel);
        std::int64_t const block = (place.tile / 2 * kSteps + place.step) * 2 + place.tile % 2;
        return (block * kWarpLanes + place.lane) * 8 + place.element;
    }
};

/// The weight of a product at each pixel for Hopper's products: [part][operand of 64 channels × 64 columns], parts
/// being two bfloat16. A lane's sums of two tiles of columns are four neighbouring channels.
struct PixelOperand {
    static constexpr int kDepth = 64, kParts = 2, kPartHalves = kDepth * kDepth;

    [[nodiscard]] static constexpr int half(int column, int channel) {
        return operand_index(place_in_depth(channel), place_in_depth(column), kDepth);
    }
};

/// The projection to values [60, 60] for Hopper's products: [group][part][operand of 64 channels × 24 columns], parts
/// being two bfloat16.
struct GroupValueWeights {
    static constexpr int kChannels = 60, kDim = 20, kDepth = 64, kColumns = 24, kParts = 2;
    static constexpr int kPartHalves = kDepth * kColumns, kGroupBytes = kParts * kPartHalves * 2;

    [[nodiscard]] static constexpr int half(int row, int channel) {
        return row / kDim * kParts * kPartHalves + operand_index(place_in_depth(channel), row % kDim, kColumns);
    }
};

/// The projection to queries and values [360, 180] likewise, in float16 of a power of two times the weights:
/// [group][operand of 192 channels × 128 columns], queries before values. A lane's sums of values are sixteen
/// neighbouring channels. Behind all: what undoes the power of two, a float.
struct GroupBothWeights {
    static constexpr int kChannels = 180, kDim = 60, kDepth = 192, kColumns = 128;
    static constexpr int kGroupHalves = kDepth * kColumns, kGroupBytes = kGroupHalves * 2;

    [[nodiscard]] static constexpr int half(int row, int channel) {
        int const r = row % kDim;
        bool const is_value = row / kDim % 2 == 1;
        int const column = is_value ? 64 + r % 16 / 2 * 8 + r / 16 * 2 + r % 2 : r;
        return row / kDim / 2 * kGroupHalves + operand_index(place_in_depth(channel), column, kColumns);
    }
};

/// The weights of ELAN's two shifted products for at most 64 channels, as operands of two bfloat16, in tiles of eight
/// hidden channels. Hidden channels that share a neighbour (four groups of ⌊hidden / 5⌋, then the others) fill whole
/// tiles. The first: [tile][step of 16 channels][lane][8]; the second: [pair of tiles][column tile][lane][8]. The
/// hidden layer's bias: [tile][8], floats.
struct BrainShiftWeights {
    static constexpr int kSteps = 4, kColumnTiles = 2 * kSteps;
    std::int64_t hidden;

    [[nodiscard]] constexpr std::int64_t group() const { return hidden / 5; }
    [[nodiscard]] constexpr int chunks() const {  // of two tiles
        return static_cast<int>(divide_up(tiles_before(4) + divide_up(hidden - 4 * group(), 8), 2));
    }
    [[nodiscard]] constexpr std::int64_t words() const {
        return std::int64_t{chunks()} * kColumnTiles * kWarpLanes * 4;
    }
    /// In units of two bytes.
    [[nodiscard]] constexpr std::int64_t first(std::int64_t channel, std::int64_t x_channel) const {
        Slot const slot = slot_of(channel);
        std::int64_t const lane = slot.row * 4 + x_channel % 16 / 4;
        return ((slot.tile * kSteps + x_channel / 16) * kWarpLanes + lane) * 8 + x_channel % 4;
    }
    [[nodiscard]] constexpr std::int64_t second(std::int64_t column, std::int64_t channel) const {
        Slot const slot = slot_of(channel);
        FragmentPlace const place(column, 0);  // lane: its column of the tile
        std::int64_t const lane = place.lane + slot.row / 2;
        return ((slot.tile / 2 * kColumnTiles + place.tile) * kWarpLanes + lane) * 8 + slot.tile % 2 * 2 + slot.row % 2;
    }
    [[nodiscard]] constexpr std::int64_t bias(std::int64_t channel) const {
        Slot const slot = slot_of(channel);
        return slot.tile * 8 + slot.row;
    }

private:
    struct Slot {
        std::int64_t tile, row;
    };
    [[nodiscard]] constexpr std::int64_t tiles_before(std::int64_t of_group) const {
        return of_group * divide_up(group(), 8);
    }
    [[nodiscard]] constexpr Slot slot_of(std::int64_t channel) const {
        std::int64_t const of_group = group() == 0 ? 4 : std::min<std::int64_t>(4, channel / group());
        std::int64_t const own = channel - of_group * group();
        return {tiles_before(of_group) + own / 8, own % 8};
    }
};

}  // namespace vitrum::cuda
