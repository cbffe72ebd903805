// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "base/threads.h"
#include "tasks/segment/mask_field.h"

namespace vitrum {

struct InstanceRules {
    SegmentRules rules = SegmentRules::original;
    double threshold = 0;     ///< a lower score is left out
    int top_k = 100;          ///< pairs of query and class that are looked at, the most probable ones
    std::vector<bool> keeps;  ///< by class: things; what else is among the top_k is left out
};

/// The best pairs of query and class with their masks, by falling score. An instance's score is its class
/// probability times the mean probability inside its mask; masks without a pixel are left out.
[[nodiscard]] std::vector<Segment> find_instances(NetworkAnswer const& answer, SegmentGeometry const& geometry,
                                                  InstanceRules const& rules, ThreadPool& threads);

}  // namespace vitrum
