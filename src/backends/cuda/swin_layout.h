// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "choices.h"
#include "ir/op.h"

// How Hopper's kernels number channels and lay out weights: what host and device must agree on.

namespace vitrum::cuda {

/// Widths of a Swin layer that there is code for, and what they are padded to.
template <int kChannels_, int kHeads_, int kHidden_>
struct SwinWidth {
    static constexpr int kChannels = kChannels_, kHeads = kHeads_, kHidden = kHidden_;
    static constexpr int kColumns = static_cast<int>(round_up(kChannels, 8));  ///< also floats from pixel to pixel
    static constexpr int kDepth = static_cast<int>(round_up(kChannels, 16));
    static constexpr int kPairs = kColumns / 16;
    static constexpr int kHeadChannels = kChannels / kHeads;
    static constexpr int kHead = static_cast<int>(round_up(kHeadChannels + 1, 16));  ///< at least one more
    static constexpr int kChunk = 64;                                                ///< hidden channels at a time
    static constexpr int kChunks = static_cast<int>(divide_up(kHidden, kChunk));
    // Of the operands that a head or a chunk needs.
    static constexpr int kQkvColumns = 3 * kHead;
    static constexpr int kQkvBytes = kDepth * kQkvColumns * 2, kProjectionBytes = kHead * kColumns * 2;
    static constexpr int kFc1Bytes = kDepth * kChunk * 2, kFc2Bytes = kChunk * kColumns * 2;
};
using SwinMedium = SwinWidth<180, 6, 360>;
using SwinSmall = SwinWidth<60, 6, 120>;
/// The first two stages of Swin-T and Swin-S.
using SwinFirst = SwinWidth<96, 3, 384>;
using SwinSecond = SwinWidth<192, 6, 768>;

/// Which channel a column of the stream stands for: of two tiles of eight columns each lane has four neighbours in
/// memory.
[[nodiscard]] constexpr int channel_of_column(int column, int columns) {
    if (column >= columns / 16 * 16) return column;
    int const tile = column % 16 / 8, quad = column % 8 / 2;
    return column / 16 * 16 + 4 * quad + 2 * tile + column % 2;
}

/// The column that stands for a channel, in whole sixteens: the other way round. So too lie the channels of a depth
/// whose left operands lanes load as quads.
[[nodiscard]] constexpr int place_in_depth(int channel) {
    return channel / 16 * 16 + channel % 4 / 2 * 8 + channel % 16 / 4 * 2 + channel % 2;
}
static_assert(channel_of_column(place_in_depth(37), 48) == 37);

/// Where element (k, column) of an operand [depth][columns] lies, in halves (see ptx/wgmma.cuh).
[[nodiscard]] constexpr int operand_index(int k, int column, int columns) {
    return k / 8 * columns * 8 + column * 8 + k % 8;
}

/// Norms' weights and biases are multiplied by this when they are packed, and what the norms are multiplied with is
/// divided by it: where a few channels of a token are huge, the others lie near 1e-4 behind the norm, where FP16 has
/// lost half of its bits. That leaves norms up to 255; where weights allow larger ones, the kernels take some of it
/// back.
constexpr float kNormFactor = 256.0F;

/// Vectors of a Swin layer are packed as floats, zeros where there is nothing, and behind them their largest magnitude.
[[nodiscard]] constexpr int table_floats(int heads) {
    return static_cast<int>(round_up(heads * 15 * 15, 4));  // biases of positions, [head][offset]
}

/// Behind each packed weight of a Swin layer.
struct SwinWeightInfo {
    float unit;      ///< the power of two that its numbers were divided by
    float row_norm;  ///< the largest Euclidean norm of a row, that is, of what one output is made with; not too small
};

/// The workspace of several layers in one launch: the next ticket, and from kFirstCounter on how many windows of each
/// row of each layer are done.
struct ChainWords {
    static constexpr int kMostLayers = 8, kFirstCounter = 32;
    [[nodiscard]] static constexpr std::int64_t count(int layers, std::int64_t rows) {
        return kFirstCounter + layers * rows;
    }
};

// ---- Convolutions of 3 × 3

constexpr int kConvChunk = 64;  // input channels at a time

/// How the weights of a convolution are cut: [block of columns][chunk][tap][operand: chunk × columns].
struct ConvBlocks {
    int columns, blocks, chunks;

    constexpr ConvBlocks(std::int64_t outputs, std::int64_t inputs, bool is_wide)
        : columns(is_wide                               ? (inputs > kConvChunk && inputs <= 3 * kConvChunk ? 192 : 128)
                  : outputs > 16 || inputs > kConvChunk ? 64
                                                        : 16),
          blocks(static_cast<int>(divide_up(outputs, columns))),
          chunks(inputs <= kConvChunk       ? 1
                 : inputs <= 3 * kConvChunk ? 3
                                            : kMostChunks) {}
    static constexpr int kMostChunks = 4;
    /// Whether blocks of more than 64 columns pay and serve: they are stored by four neighbours of a pixel at a time,
    /// add a residual before the products, and know no GELU.
    [[nodiscard]] static constexpr bool are_wide(Conv2d const& op, std::int64_t outputs, bool has_residual) {
        bool const is_whole = op.pixel_shuffle == 1 || are_sorted(static_cast<int>(outputs), op.pixel_shuffle);
        bool const adds_first =
            !has_residual || op.activation == Activation::none || op.residual_place == ResidualPlace::before_activation;
        return outputs > 64 && outputs % 4 == 0 && is_whole && adds_first && op.activation != Activation::gelu;
    }
    /// Of a convolution whose pixels are shuffled by `factor`, channel c · r² + o goes to offset o of channel c. Its
    /// columns are ordered by offset, so that neighbours are neighbours in memory; only where offsets have whole quads.
    [[nodiscard]] static constexpr bool are_sorted(int outputs, int factor) {
        return factor > 1 && outputs % (factor * factor * 4) == 0;
    }
    [[nodiscard]] static constexpr int sorted_output(int column, int outputs, int factor) {
        int const offsets = factor * factor, channels = outputs / offsets;
        return column % channels * offsets + column / channels;
    }
    /// Behind the weights lies what they were divided by (see half_unit).
    [[nodiscard]] constexpr std::size_t unit_offset() const {
        return std::size_t{2} * blocks * 9 * chunks * kConvChunk * columns;
    }
    [[nodiscard]] constexpr std::size_t bytes() const { return unit_offset() + sizeof(float); }
};

constexpr float kLog2E = 1.44269504088896341F;

}  // namespace vitrum::cuda
