// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "models/family.h"

namespace vitrum {

std::span<Family const> families() {
    static constexpr std::array kFamilies = {
        Family{"SwinIR", detect_swinir},
        Family{"ELAN", detect_elan},
    };
    return kFamilies;
}

}  // namespace vitrum
