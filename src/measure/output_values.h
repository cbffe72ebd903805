// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "vitrum/engine.h"

namespace vitrum {

/// A result of the last run as float32, whatever its element type.
[[nodiscard]] std::vector<float> output_values(Session const& session, TensorInfo const& info, std::size_t index);

}  // namespace vitrum
