// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

namespace vitrum::image {

/// Sets an EXIF block's orientation tag, where it has one, to upright.
void reset_exif_orientation(std::vector<std::byte>& exif);

}  // namespace vitrum::image
