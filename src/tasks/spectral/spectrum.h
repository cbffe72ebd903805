// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "vitrum/cube.h"

namespace vitrum {

/// "(12 30)", or "(12 30) 8x8" for a box.
[[nodiscard]] std::string label_of(CubeBox const& box);

[[nodiscard]] inline bool has_deviation(Spectrum const& spectrum) {
    return spectrum.box.width * spectrum.box.height > 1;
}

}  // namespace vitrum
