// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/backend.h"

namespace vitrum::cpu {

/// Rows of a packed panel: what one register block computes. The same for every instruction set, so that engines
/// share packed weights.
inline constexpr std::int64_t kPanelRows = 6;

/// log2(e): softmax is taken with powers of two.
inline constexpr float kLog2E = 1.44269504F;

/// [M, K] in panels: [⌈M/6⌉][K][6], rows beyond M zero.
[[nodiscard]] Packing pack_linear(int input, Shape const& weight);

/// [M, K] as `groups` matrices of equally many rows, one after the other, each in panels of its own.
[[nodiscard]] Packing pack_grouped_linear(int input, Shape const& weight, int groups);

/// ShiftMlp moves five groups of channels: four of ⌊M/5⌋ and the rest.
inline constexpr std::int64_t kShiftGroups = 5;
/// [M, K] by these groups of rows, each in panels of its own.
[[nodiscard]] Packing pack_shifted_linear(int input, Shape const& weight);

/// qkv's [3C, C] by head, so that a head's q, k and v rows are one run of panels: [heads][⌈3D/6⌉][C][6].
[[nodiscard]] Packing pack_qkv(int input, Shape const& weight, int heads);
[[nodiscard]] constexpr std::int64_t qkv_head_floats(std::int64_t channels, std::int64_t heads) {
    std::int64_t const rows = 3 * channels / heads;
    return (rows + kPanelRows - 1) / kPanelRows * kPanelRows * channels;
}

/// qkv's bias [3C] in the same order: [heads][3][D].
[[nodiscard]] Packing pack_qkv_bias(int input, Shape const& bias, int heads);

/// [O, I, k, k] in panels [⌈O/6⌉][ky][I][kx][6]; with a PixelShuffle of r the rows are ordered (i, j, c) instead of
/// (c, i, j), which makes each output pixel's channels neighbours.
[[nodiscard]] Packing pack_conv(int input, Shape const& weight, int pixel_shuffle);
/// [O, I, 4, 4] of stride 2 as filters of 2 × 2 over the four pictures of every second row and column:
/// [⌈O/6⌉][⌊ky/2⌋][ky mod 2][kx mod 2][I][⌊kx/2⌋][6].
[[nodiscard]] Packing pack_strided_conv(int input, Shape const& weight);
/// [O, I, k, k] as [ky][kx][I][O].
[[nodiscard]] Packing pack_conv_taps(int input, Shape const& weight);
/// [O, I, k, k] in panels [⌈O/6⌉][ky][kx][I][6].
[[nodiscard]] Packing pack_gathered_conv(int input, Shape const& weight);
/// A depthwise filter [C, 1, k, k] as [k²][C rounded up to 16], the rest zero; a bias [C] likewise.
[[nodiscard]] Packing pack_channels(int input, Shape const& weight);
/// [M, K] as float64 [M][K rounded up to 16], the rest zero.
[[nodiscard]] Packing pack_doubles(int input, Shape const& weight);
/// The channel of the convolution that row m of pack_conv's order computes.
[[nodiscard]] constexpr std::int64_t conv_channel(std::int64_t row, std::int64_t outputs, std::int64_t r) {
    std::int64_t const channels = outputs / (r * r);
    return row % channels * r * r + row / channels;
}

/// The relative position bias expanded to [heads][key][query], times log2(e); `tokens` queries, those beyond
/// window² zero.
[[nodiscard]] Packing pack_bias_table(int input, Shape const& table, int window, std::int64_t tokens);

}  // namespace vitrum::cpu
