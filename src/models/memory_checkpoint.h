// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/checkpoint.h"
#include "vitrum/model.h"

namespace vitrum {

/// Weights in memory in the form that families look at. Throws Error (usage) where extents make no sense, and where
/// two tensors have one name.
[[nodiscard]] Checkpoint checkpoint_of(MemoryCheckpoint const& weights);

}  // namespace vitrum
