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
};
using SwinMedium = SwinWidth<180, 6, 360>;
using SwinSmall = SwinWidth<60, 6, 120>;

/// Which channel a column of the stream stands for: of two tiles of eight columns each lane has four neighbours in
/// memory.
[[nodiscard]] constexpr int channel_of_column(int column, int columns) {
    if (column >= columns / 16 * 16) return column;
    int const tile = column % 16 / 8, quad = column % 8 / 2;
    return column / 16 * 16 + 4 * quad + 2 * tile + column % 2;
}

/// Where element (k, column) of an operand [depth][columns] lies, in halves (see ptx/wgmma.cuh).
[[nodiscard]] constexpr int operand_index(int k, int column, int columns) {
    return k / 8 * columns * 8 + column * 8 + k % 8;
}

constexpr int kSwinTokens = 64;  // of a window of 8 × 8

/// Where the bias of tokens (i, j) lies, in halves: as lanes hold scores, eight of a lane together.
[[nodiscard]] constexpr int score_index(int i, int j) {
    int const lane = i % 8 * 4 + j % 8 / 2, thread = i / 16 * 32 + lane;
    int const value = j / 8 * 4 + i % 16 / 8 * 2 + j % 2;
    return (value / 8 * 128 + thread) * 8 + value % 8;
}

// ---- Convolutions of 3 × 3

constexpr int kConvChunk = 64;  // input channels at a time

/// How the weights of a convolution are cut: [block of columns][chunk][tap][operand: chunk × columns].
struct ConvBlocks {
    int columns, blocks, chunks;

    constexpr ConvBlocks(std::int64_t outputs, std::int64_t inputs, bool is_wide)
        : columns(is_wide                               ? (inputs > kConvChunk ? 192 : 128)
                  : outputs > 16 || inputs > kConvChunk ? 64
                                                        : 16),
          blocks(static_cast<int>(divide_up(outputs, columns))),
          chunks(inputs > kConvChunk ? 3 : 1) {}
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
