// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "text.h"
#include "vitrum/measure.h"

namespace vitrum::cli {

/// Why a precision was chosen: a line for each operator, then one for each precision.
[[nodiscard]] std::string ranges_text(PrecisionChoice const& choice, std::string const& device);
[[nodiscard]] Json ranges_json(PrecisionChoice const& choice);

}  // namespace vitrum::cli
