// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "vitrum/image.h"

namespace vitrum {

/// Draws an SVG of our own over white. Throws Error where this machine's libvips was built without librsvg.
[[nodiscard]] Image rasterise_svg(std::string const& svg);

}  // namespace vitrum
