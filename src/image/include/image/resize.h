// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "vitrum/image.h"

namespace vitrum {

/// Bilinear with half-pixel centres, widened when shrinking so that nothing aliases: Pillow's BILINEAR, to the
/// bit, by which segmentation networks are trained and tested. 8-bit pictures only; alpha and metadata are left
/// behind.
[[nodiscard]] Image resize_bilinear(Image const& image, std::int64_t width, std::int64_t height);

}  // namespace vitrum
