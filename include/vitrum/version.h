// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "vitrum/export.h"

namespace vitrum {

/// "0.1.0"
[[nodiscard]] VITRUM_API std::string_view version();

}  // namespace vitrum
