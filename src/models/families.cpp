// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "models/family.h"

namespace vitrum {

std::span<Family const> families() {
    static constexpr std::array kFamilies = {
        Family{"SwinIR", detect_swinir},           Family{"ELAN", detect_elan},
        Family{"MST++", detect_mst_plus_plus},     Family{"MST", detect_mst},
        Family{"Mask2Former", detect_mask2former},
    };
    return kFamilies;
}

}  // namespace vitrum
