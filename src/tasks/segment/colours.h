// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

#include "image/palette_png.h"

namespace vitrum {

/// OKLCH (Ottosson 2020), hue in degrees, to sRGB; clipped to what a screen shows.
[[nodiscard]] Rgb from_oklch(double lightness, double chroma, double hue);

/// The same colours for the same class numbers in every picture; neighbours in number are far apart in hue.
[[nodiscard]] std::vector<Rgb> class_colours(std::size_t count);

/// As many colours, each as far from those before it as a ring of hues in three lightnesses allows.
[[nodiscard]] std::vector<Rgb> distinct_colours(std::size_t count);

}  // namespace vitrum
