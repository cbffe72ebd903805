// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/backend.h"

namespace vitrum::cuda::hopper {

/// Whether the current GPU has Hopper's products and bulk copies.
[[nodiscard]] Support device_support();
/// Of the current GPU.
[[nodiscard]] int multiprocessors();

}  // namespace vitrum::cuda::hopper
