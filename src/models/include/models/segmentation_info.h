// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "models/state_dict.h"
#include "vitrum/model.h"

namespace vitrum {

/// Class names, pixel statistics and test size as a Hugging Face folder states them in config.json and
/// preprocessor_config.json; what they leave out keeps its default. `classes` is what the weights tell apart.
/// Throws Error where the files contradict the weights or make no sense.
[[nodiscard]] SegmentationInfo read_segmentation_info(StateDict const& dict, std::int64_t classes);
[[nodiscard]] SegmentationInfo read_segmentation_info(Settings const& config, Settings const& preprocessor,
                                                      std::filesystem::path const& path, std::int64_t classes);

}  // namespace vitrum
