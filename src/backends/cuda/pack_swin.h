// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/backend.h"
#include "swin_layout.h"

// Weights as Hopper's kernels want them: FP16, a part for each head, chunk or tap.

namespace vitrum::cuda {

/// [3C, C] as [head][operand of q, k and v: depth × 3 · padded head].
[[nodiscard]] Packing pack_swin_qkv(int input, Shape const& shape);
/// [C, C] as [head][operand: padded head × columns].
[[nodiscard]] Packing pack_swin_projection(int input, Shape const& shape);
/// [hidden, C] as [chunk][operand: depth × chunk].
[[nodiscard]] Packing pack_swin_fc1(int input, Shape const& shape);
/// [C, hidden] as [chunk][operand: chunk × columns].
[[nodiscard]] Packing pack_swin_fc2(int input, Shape const& shape);
/// [3C] as [head][q, k or v][channel of the padded head].
[[nodiscard]] Packing pack_swin_qkv_bias(int input, Shape const& shape);
/// The biases of positions [15², heads] as [head][15²].
[[nodiscard]] Packing pack_swin_table(int input, Shape const& shape);
/// Any other vector, filled up to that many floats; a norm's are multiplied by kNormFactor.
[[nodiscard]] Packing pack_swin_vector(int input, int floats, bool is_norm);
/// [outputs, inputs, 3, 3] of such a convolution, see ConvBlocks.
[[nodiscard]] Packing pack_hopper_conv(int input, Shape const& shape, Conv2d const& op, bool has_residual);
/// [outputs, inputs] of a product of rows, see ProductWeights; columns of `pixels` are ordered by channel_of_column.
[[nodiscard]] Packing pack_hopper_rows(int input, Shape const& shape, bool to_pixels);

}  // namespace vitrum::cuda
