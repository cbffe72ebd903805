// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "backends/backend.h"

namespace vitrum {

/// The definition of every operator: scalar code, float64 inside an operator, one rounding to float32 at its end.
[[nodiscard]] std::unique_ptr<Backend> make_reference_backend();

}  // namespace vitrum
