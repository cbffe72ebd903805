// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "vitrum/image.h"

namespace vitrum {

/// A line of text in a bold sans-serif, `pixels` high from baseline to baseline, as 8-bit grey coverage cropped to
/// its ink. Nothing where libvips was built without Pango, or where there is no font.
[[nodiscard]] std::optional<Image> render_text(std::string const& text, int pixels);

}  // namespace vitrum
