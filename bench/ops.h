// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "backends/backend.h"

namespace vitrum::bench {

/// The backends that this program measures, one per instruction set of the machine.
[[nodiscard]] std::vector<std::unique_ptr<Backend>> backends();

}  // namespace vitrum::bench
