// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "vitrum/segment.h"

namespace vitrum {

/// Segments a picture in overlapping parts, each as a picture of its own, and joins what they found: stuff by its
/// class, things where two parts see the same one in what they share. The result differs from that of the whole.
/// `run` segments one part.
[[nodiscard]] SegmentReport segment_in_tiles(Image const& picture, SegmentOptions const& options,
                                             ClassList const& classes,
                                             std::function<SegmentReport(Image const&, Progress const&)> const& run);

}  // namespace vitrum
