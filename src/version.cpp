// SPDX-License-Identifier: Apache-2.0
#include "vitrum/version.h"

namespace vitrum {

std::string_view version() {
    return VITRUM_VERSION;
}

}  // namespace vitrum
