// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "fragments.h"
#include "swin_layout.h"

namespace vitrum::cuda {

/// The weights of ELAN's two shifted products for at most 192 channels, as float16 operands of a power of two times the
/// weights. Hidden channels that share a neighbour (four groups of ⌊hidden / 5⌋, then the others) are cut into sections
/// of 72, which have room for 80. The first: [section][step of 16 channels][tile of 8][lane][2 words]; the second:
/// [section][step of 16 hidden channels][pair of column tiles][lane][2 tiles][2 words]. Behind each what undoes the
/// power of two, a float. The hidden layer's bias: [section][80], floats.
struct ShiftSections {
    static constexpr int kSteps = 12, kChannels = 72, kTiles = 10, kHiddenSteps = kTiles / 2, kPairs = 12;
    static constexpr int kLanes = kSteps * kTiles * kWarpLanes / 2;  ///< uint4 of a section, of either weight
    static_assert(kLanes == kHiddenSteps * kPairs * kWarpLanes);
    std::int64_t hidden;

    [[nodiscard]] constexpr std::int64_t group() const { return hidden / 5; }
    /// Of each of the first four groups.
    [[nodiscard]] constexpr std::int64_t sections_of_group() const { return divide_up(group(), kChannels); }
    [[nodiscard]] constexpr std::int64_t sections() const {
        return 4 * sections_of_group() + divide_up(hidden - 4 * group(), kChannels);
    }
    [[nodiscard]] constexpr std::int64_t scale_word() const { return sections() * kLanes * 4; }
    /// In units of two bytes.
    [[nodiscard]] constexpr std::int64_t first(std::int64_t channel, std::int64_t x_channel) const {
        Slot const slot = slot_of(channel);
        std::int64_t const tile = (slot.section * kSteps + x_channel / 16) * kTiles + slot.row / 8;
        std::int64_t const lane = slot.row % 8 * 4 + x_channel % 8 / 2;
        return ((tile * kWarpLanes + lane) * 2 + x_channel % 16 / 8) * 2 + x_channel % 2;
    }
    [[nodiscard]] constexpr std::int64_t second(std::int64_t column, std::int64_t channel) const {
        Slot const slot = slot_of(channel);
        FragmentPlace const place(column, 0);  // lane: its column of the tile
        std::int64_t const pair = (slot.section * kHiddenSteps + slot.row / 16) * kPairs + place.tile / 2;
        std::int64_t const lane = place.lane + slot.row % 8 / 2;
        return (pair * kWarpLanes + lane) * 8 + place.tile % 2 * 4 + slot.row % 16 / 8 * 2 + slot.row % 2;
    }
    [[nodiscard]] constexpr std::int64_t bias(std::int64_t channel) const {
        Slot const slot = slot_of(channel);
        return slot.section * kTiles * 8 + slot.row;
    }

private:
    struct Slot {
        std::int64_t section, row;
    };
    [[nodiscard]] constexpr Slot slot_of(std::int64_t channel) const {
        std::int64_t const of_group = group() == 0 ? 4 : std::min<std::int64_t>(4, channel / group());
        std::int64_t const own = channel - of_group * group();
        return {of_group * sections_of_group() + own / kChannels, own % kChannels};
    }
};

/// Widths of ELAN's shifted products that Hopper's kernel has code for. Operands are one scaled float16 each, or two
/// bfloat16 whose sum they are. A chunk is the hidden channels that are read at one neighbour, or at two.
template <int kChannels_, int kParts_>
struct ShiftWidth {
    static constexpr int kChannels = kChannels_, kHidden = 2 * kChannels, kGroup = kChannels / 5, kOwn = kHidden / 5;
    static constexpr int kParts = kParts_, kNeighbours = kParts == 2 ? 2 : 1;  ///< of a chunk
    static constexpr int kChunks = static_cast<int>(divide_up(5, kNeighbours));
    static constexpr int kDepth = static_cast<int>(round_up(kChannels, 64)), kColumns = kDepth;
    static constexpr int kHiddenDepth = static_cast<int>(round_up(kNeighbours * kOwn, 16));
    static constexpr int kFirstHalves = kDepth * kOwn, kSecondHalves = kHiddenDepth * kColumns;  ///< of an operand
    static constexpr int kFirstBytes = kNeighbours * kParts * kFirstHalves * 2;                  ///< of a chunk
    static constexpr int kSecondBytes = kParts * kSecondHalves * 2;
    static_assert(kHidden % 5 == 0 && kOwn % 8 == 0 && kGroup % 4 == 0);

    /// Where the first of a number's parts lies, in halves, and how far the second is from it.
    [[nodiscard]] static constexpr int first(int hidden, int channel) {
        return hidden / kOwn * kParts * kFirstHalves + operand_index(channel, hidden % kOwn, kOwn);
    }
    [[nodiscard]] static constexpr int second(int channel, int hidden) {
        int const neighbour = hidden / kOwn, k = neighbour % kNeighbours * kOwn + hidden % kOwn;
        return neighbour / kNeighbours * kParts * kSecondHalves + operand_index(k, place_in_depth(channel), kColumns);
    }
};
using ShiftLight = ShiftWidth<60, 2>;
using ShiftFull = ShiftWidth<180, 1>;

}  // namespace vitrum::cuda
