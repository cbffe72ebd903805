// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/backend.h"
#include "fragments.h"

// Weights as the device's kernels want them, made on the host.

namespace vitrum::cuda {

/// A weight [columns, channels, taps…] as operands of that precision, whose depth is tap · padded channels + channel:
/// as OperandExtent says.
[[nodiscard]] Packing pack_conv(int input, Shape const& shape, Precision operands);
/// A weight of k × k taps as patch_extent says; of fp16, behind it, what it was divided by (see half_unit).
[[nodiscard]] Packing pack_patch_conv(int input, Shape const& shape, Precision operands);
/// A weight [columns, channels].
[[nodiscard]] Packing pack_linear(int input, Shape const& shape, Precision operands);
/// A weight [columns, channels] in float32 as [depth][stride], see packed_extent.
[[nodiscard]] Packing pack_plain(int input, Shape const& shape);
/// A weight [columns, parts · channels] over the channels of several pixels, one behind the other.
[[nodiscard]] Packing pack_parts(int input, Shape const& shape, std::int64_t parts, Precision operands);
/// A depthwise weight [C, 1, k, k] as [k²][C padded to a multiple of 4].
[[nodiscard]] Packing pack_depthwise(int input, Shape const& shape);
/// [C / step][k²][step], C padded to a multiple of `step`.
[[nodiscard]] Packing pack_depthwise(int input, Shape const& shape, std::int64_t step);
/// The same in float16.
[[nodiscard]] Packing pack_half_depthwise(int input, Shape const& shape, std::int64_t step);
/// The same divided by a power of two that stands behind it, so that no channel's taps sum up to more than 1 in
/// absolute values.
[[nodiscard]] Packing pack_scaled_depthwise(int input, Shape const& shape, std::int64_t step);
/// A weight [columns, channels, …] as right operands of tensor cores.
[[nodiscard]] Packing pack_fragments(int input, Shape const& shape, FragmentKind kind, std::int64_t columns_step,
                                     std::int64_t channels_step);
/// See UpConvWeights.
[[nodiscard]] Packing pack_up_conv(int input, Shape const& shape);
/// See GroupWeights.
[[nodiscard]] Packing pack_groups(int input, Shape const& shape);
/// See PixelWeights.
[[nodiscard]] Packing pack_pixels(int input, int steps);
/// See ShiftWeights: the first product's weight [hidden, C] or the second's [C, hidden].
[[nodiscard]] Packing pack_shift(int input, Shape const& shape, bool is_first);
/// See ShiftSections: the first product's weight [hidden, C] or the second's [C, hidden]; the hidden layer's bias.
[[nodiscard]] Packing pack_sections(int input, Shape const& shape, bool is_first);
[[nodiscard]] Packing pack_sections_bias(int input, Shape const& shape);
/// See BrainShiftWeights: the first product's weight [hidden, C] or the second's [C, hidden].
[[nodiscard]] Packing pack_brain_shift(int input, Shape const& shape, bool is_first);
[[nodiscard]] Packing pack_brain_shift_bias(int input, Shape const& shape);
/// See ShiftWidth: the first product's weight [hidden, C] or the second's [C, hidden]; behind it what undoes the power
/// of two that it was multiplied by, a float.
[[nodiscard]] Packing pack_hopper_shift(int input, Shape const& shape, bool is_first);
/// See WideGroupWeights and GroupOutputWeights.
[[nodiscard]] Packing pack_wide_groups(int input, Shape const& shape);
[[nodiscard]] Packing pack_group_output(int input, Shape const& shape);
/// See GroupOutputOperand.
[[nodiscard]] Packing pack_group_output_operand(int input);
/// See PixelOperand.
[[nodiscard]] Packing pack_pixel_operand(int input);
/// See GroupValueWeights and GroupBothWeights.
[[nodiscard]] Packing pack_group_values(int input);
[[nodiscard]] Packing pack_group_both(int input);
/// See BrainPixelWeights.
[[nodiscard]] Packing pack_brain_pixels(int input);
/// See ToColoursWeights.
[[nodiscard]] Packing pack_to_colours(int input, Shape const& shape);
/// [a, b] as [b, a].
[[nodiscard]] Packing pack_transposed(int input, Shape const& shape);

}  // namespace vitrum::cuda
