// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/checkpoint.h"
#include "source.h"

namespace vitrum {

/// The leaves of a JSON file. Throws Error where it is none, or nested deeper or longer than any configuration.
[[nodiscard]] Settings read_settings(Source const& source);

}  // namespace vitrum
