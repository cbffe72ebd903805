// SPDX-License-Identifier: Apache-2.0
#include "tasks/segment/geometry.h"

#include <algorithm>
#include <cmath>

namespace vitrum {
namespace {

constexpr std::int64_t kMultiple = 32;

std::int64_t padded(std::int64_t length) {
    return (length + kMultiple - 1) / kMultiple * kMultiple;
}

// Both codes round a line of one pixel to nothing and fail on it.
std::int64_t at_least_one(double length) {
    return std::max<std::int64_t>(static_cast<std::int64_t>(length), 1);
}

/// detectron2's ResizeShortestEdge.
Extent shortest_edge(Extent picture, double short_edge, double long_edge) {
    auto const h = static_cast<double>(picture.h), w = static_cast<double>(picture.w);
    double const scale = short_edge / std::min(h, w);
    double new_h = h < w ? short_edge : scale * h, new_w = h < w ? scale * w : short_edge;
    double const longer = std::max(new_h, new_w);
    if (longer > long_edge) {
        new_h *= long_edge / longer;
        new_w *= long_edge / longer;
    }
    return {at_least_one(new_h + 0.5), at_least_one(new_w + 0.5)};
}

/// transformers' get_size_with_aspect_ratio: the longer side is cut, not rounded.
Extent aspect_ratio_size(Extent picture, double short_edge, double long_edge) {
    auto const shorter = static_cast<double>(std::min(picture.h, picture.w));
    auto const longer = static_cast<double>(std::max(picture.h, picture.w));
    double exact = short_edge;
    if (longer / shorter * short_edge > long_edge) exact = long_edge * shorter / longer;
    double const size = std::nearbyint(exact);  // half to even, as Python rounds
    if (shorter == size) return picture;
    std::int64_t const small = at_least_one(size), large = at_least_one(exact * longer / shorter);
    return picture.w < picture.h ? Extent{large, small} : Extent{small, large};
}

}  // namespace

SegmentGeometry plan_geometry(Extent picture, SegmentRules rules, int short_edge, int long_edge) {
    if (rules == SegmentRules::original) {
        Extent const resized = short_edge == 0 ? picture : shortest_edge(picture, short_edge, long_edge);
        return {picture, resized, {padded(resized.h), padded(resized.w)}};
    }
    if (short_edge == 0) return {picture, picture, picture};
    Extent const fitted = aspect_ratio_size(picture, short_edge, long_edge);
    Extent const stretched = {padded(fitted.h), padded(fitted.w)};
    return {picture, stretched, stretched};
}

}  // namespace vitrum
