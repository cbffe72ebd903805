// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "vitrum/image.h"

namespace vitrum {

using Rgb = std::array<std::uint8_t, 3>;

/// A PNG whose pixels are numbers into a palette, so that it shows as colours and reads as numbers. `indices` is
/// 8-bit grey; the palette has at most 256 colours, and one for every number that occurs.
[[nodiscard]] std::vector<std::byte> encode_palette_png(Image const& indices, std::span<Rgb const> palette,
                                                        SaveOptions const& options = {});

}  // namespace vitrum
