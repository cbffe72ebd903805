// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "base/threads.h"
#include "tasks/segment/mask_field.h"

namespace vitrum {

/// The class of each pixel of the picture: class probabilities times mask probabilities summed over queries at
/// the network's size (Hugging Face: 384×384), resampled, the largest taken.
[[nodiscard]] std::vector<std::uint16_t> semantic_map(NetworkAnswer const& answer, SegmentGeometry const& geometry,
                                                      SegmentRules rules, ThreadPool& threads);

}  // namespace vitrum
