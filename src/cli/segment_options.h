// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "verb.h"

namespace vitrum::cli {

/// Options of `vitrum run` that only segmentation knows, as typed.
struct SegmentArguments {
    std::string kind = "auto", rules = "original", classes, resize, overlay;
    double threshold = -1, overlap_threshold = 0.8;  ///< threshold −1: what the rules say
    int top_k = 100;
};

inline constexpr auto kSegmentGroup = "Segmentation";
void add_segment_options(Verb const& verb, SegmentArguments& arguments);

}  // namespace vitrum::cli
