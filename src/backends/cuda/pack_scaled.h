// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/backend.h"

namespace vitrum::cuda {

/// A weight [columns, depth, 1 …] as ScaledWeights says.
[[nodiscard]] Packing pack_scaled(int input, Shape const& shape);

}  // namespace vitrum::cuda
