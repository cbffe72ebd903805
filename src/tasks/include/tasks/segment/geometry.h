// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "vitrum/segment.h"

namespace vitrum {

struct Extent {
    std::int64_t h = 0, w = 0;
    bool operator==(Extent const&) const = default;
};

/// How a picture lies in a network's input: resized, then padded to the right and below.
struct SegmentGeometry {
    Extent picture, resized, network;
};

/// short_edge 0 keeps the picture's size.
[[nodiscard]] SegmentGeometry plan_geometry(Extent picture, SegmentRules rules, int short_edge, int long_edge);

}  // namespace vitrum
