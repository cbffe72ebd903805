// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/backend.h"
#include "backends/memory.h"

namespace vitrum {

/// The backend's memory; the host's own, where nothing is copied or queued, for a backend that has none.
[[nodiscard]] Memory& memory_of(Backend const& backend);

}  // namespace vitrum
