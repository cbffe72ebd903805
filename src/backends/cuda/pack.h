// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/backend.h"

// Weights as the device's kernels want them, made on the host.

namespace vitrum::cuda {

/// A weight [columns, channels, taps…] as [depth][stride] (see packed_extent): row tap · padded channels + channel.
[[nodiscard]] Packing pack_conv(int input, Shape const& shape);
/// A weight [columns, channels].
[[nodiscard]] Packing pack_linear(int input, Shape const& shape);
/// A weight [columns, parts · channels] over the channels of several pixels, one behind the other.
[[nodiscard]] Packing pack_parts(int input, Shape const& shape, std::int64_t parts);
/// A depthwise weight [C, 1, k, k] as [k²][C padded to a multiple of 4].
[[nodiscard]] Packing pack_depthwise(int input, Shape const& shape);
/// [a, b] as [b, a].
[[nodiscard]] Packing pack_transposed(int input, Shape const& shape);

}  // namespace vitrum::cuda
