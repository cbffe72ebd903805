// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "base/threads.h"
#include "tasks/segment/mask_field.h"

namespace vitrum {

struct PanopticRules {
    SegmentRules rules = SegmentRules::original;
    double threshold = 0.8;          ///< a query's class probability must exceed it
    double overlap_threshold = 0.8;  ///< of a query's mask this share must be left to it
    std::vector<bool> joins;         ///< by class: stuff, whose segments become one
};

struct PanopticMap {
    std::vector<std::uint16_t> labels;  ///< of the picture's pixels; 0 belongs to nothing
    /// In the order of the queries. Hugging Face's list has an entry for each query that was joined to another.
    std::vector<Segment> segments;
};

/// The segments without their areas and boxes, which measure() adds.
[[nodiscard]] PanopticMap panoptic_map(NetworkAnswer const& answer, SegmentGeometry const& geometry,
                                       PanopticRules const& rules, ThreadPool& threads);

/// Areas and boxes of segments whose ids are in the map.
void measure(std::span<std::uint16_t const> labels, std::int64_t width, std::vector<Segment>& segments);

}  // namespace vitrum
