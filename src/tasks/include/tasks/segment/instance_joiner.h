// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "image/convert.h"
#include "vitrum/segment.h"

namespace vitrum {

/// Joins the instances of overlapping tiles, which come row by row, each from left to right.
class InstanceJoiner {
public:
    /// Of the whole picture.
    InstanceJoiner(std::int64_t width, std::int64_t height) : width_(width), height_(height) {}

    /// What one tile found, by falling score. Of the tile, what lies above y = `above` or left of x = `left` was seen
    /// by earlier tiles. An instance continues one of its class where they agree on half of the smaller of the two,
    /// of what was seen before; each is continued once, so that rivals for one thing stay rivals.
    void add(std::vector<Segment> const& found, Region const& tile, std::int64_t left, std::int64_t above);

    /// The best `top_k`, by falling score.
    [[nodiscard]] std::vector<Segment> finish(std::size_t top_k);

private:
    /// Pixels x · height + y of the picture, as sorted intervals that neither touch nor overlap.
    struct Interval {
        std::int64_t begin, end;
    };
    using Mask = std::vector<Interval>;
    struct Instance {
        Segment segment;
        Mask mask;
    };

    [[nodiscard]] Mask placed(Segment const& segment, Region const& tile) const;
    [[nodiscard]] Mask clipped(Mask const& mask, Region const& region) const;
    [[nodiscard]] Mask seen_before(Mask const& mask, Region const& tile, std::int64_t left, std::int64_t above) const;
    [[nodiscard]] std::vector<std::uint32_t> runs_of(Mask const& mask) const;
    static std::int64_t area_of(Mask const& mask);
    static std::int64_t common_area(Mask const& a, Mask const& b);
    static Mask united(Mask const& a, Mask const& b);

    std::int64_t width_, height_;
    std::vector<Instance> instances_;
};

}  // namespace vitrum
