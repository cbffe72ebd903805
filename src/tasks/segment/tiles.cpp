// SPDX-License-Identifier: Apache-2.0
#include "tasks/segment/tiles.h"

#include <algorithm>
#include <limits>
#include <map>

#include "base/check.h"
#include "image/convert.h"
#include "tasks/segment/instance_joiner.h"
#include "tasks/segment/panoptic.h"
#include "tasks/tiling.h"

namespace vitrum {
namespace {

Image crop(Image const& picture, Region const& region) {
    Image part(region.width, region.height, picture.channels(), picture.type());
    visit_samples(picture.type(), [&]<class T>(T) {
        for (std::int64_t y = 0; y < region.height; ++y) {
            std::copy_n(picture.row<T>(region.y + y) + region.x * picture.channels(), region.width * picture.channels(),
                        part.row<T>(y));
        }
    });
    return part;
}

std::int64_t origin(AxisTiles const& axis, std::int64_t i) {
    return axis.origins[static_cast<std::size_t>(i)];
}

/// Where the part of an axis ends that the tiles before tile i saw.
std::int64_t seen_until(AxisTiles const& axis, std::int64_t i) {
    return i == 0 ? 0 : origin(axis, i - 1) + axis.tile;
}

/// The part of an axis whose labels are taken from tile i: up to the middle of what it shares with its neighbours.
std::pair<std::int64_t, std::int64_t> owned(AxisTiles const& axis, std::int64_t i, std::int64_t length) {
    auto const middle = [&](std::int64_t tile) {
        Seam const seam = seam_after(axis, tile);
        return seam.begin + seam.width / 2;
    };
    return {i == 0 ? 0 : middle(i - 1), i + 1 == axis.count() ? length : middle(i)};
}

Region decided_by(TilePlan const& plan, std::int64_t iy, std::int64_t ix, SegmentReport const& whole) {
    auto const [left, right] = owned(plan.x, ix, whole.width);
    auto const [top, bottom] = owned(plan.y, iy, whole.height);
    return {left, top, right - left, bottom - top};
}

/// Joins labels: of panoptic segmentation by what they stand for, of semantic segmentation as they are.
class LabelJoiner {
public:
    LabelJoiner(SegmentReport& whole, ClassList const& classes) : whole_(whole), classes_(classes) {}

    /// `tile` is where the part lies, `mine` the pixels that it decides.
    void add(SegmentReport const& part, Region const& tile, Region const& mine);

private:
    [[nodiscard]] std::uint16_t& label(std::int64_t x, std::int64_t y) {
        return whole_.labels[static_cast<std::size_t>(y * whole_.width + x)];
    }
    [[nodiscard]] std::map<int, std::uint16_t> match(SegmentReport const& part, Region const& tile);
    [[nodiscard]] std::uint16_t add_segment(Segment const& segment);

    SegmentReport& whole_;
    ClassList const& classes_;
    std::map<int, std::uint16_t> stuff_;  ///< id by class
};

std::uint16_t LabelJoiner::add_segment(Segment const& segment) {
    if (whole_.segments.size() + 1 >= std::numeric_limits<std::uint16_t>::max()) {
        fail("more segments than 16 bits can number; use larger tiles");
    }
    whole_.segments.push_back(segment);
    whole_.segments.back().id = static_cast<int>(whole_.segments.size());
    return static_cast<std::uint16_t>(whole_.segments.size());
}

/// The id in the whole picture for each id of the part. A thing is the one that an earlier tile saw where they agree
/// on half of the smaller of the two, of what both tiles look at.
std::map<int, std::uint16_t> LabelJoiner::match(SegmentReport const& part, Region const& tile) {
    std::map<std::pair<int, int>, std::int64_t> both;
    std::map<int, std::int64_t> here, before;
    for (std::int64_t y = 0; y < tile.height; ++y) {
        for (std::int64_t x = 0; x < tile.width; ++x) {
            int const old = label(tile.x + x, tile.y + y);
            int const fresh = part.labels[static_cast<std::size_t>(y * tile.width + x)];
            if (old == 0) continue;
            ++before[old];
            ++here[fresh];
            ++both[{fresh, old}];
        }
    }
    std::map<int, std::uint16_t> ids;
    for (Segment const& segment : part.segments) {
        bool const is_stuff =
            classes_.knows_stuff && !classes_.classes[static_cast<std::size_t>(segment.class_index)].is_thing;
        std::uint16_t id = is_stuff && stuff_.contains(segment.class_index) ? stuff_[segment.class_index] : 0;
        std::int64_t most = 0;
        for (auto const& [pair, pixels] : both) {
            auto const [fresh, old] = pair;
            if (is_stuff || fresh != segment.id || pixels <= most) continue;
            Segment const& known = whole_.segments[static_cast<std::size_t>(old - 1)];
            if (known.class_index != segment.class_index || 2 * pixels < std::min(here[fresh], before[old])) continue;
            most = pixels;
            id = static_cast<std::uint16_t>(old);
        }
        if (id == 0) id = add_segment(segment);
        if (is_stuff) stuff_[segment.class_index] = id;
        Segment& joined = whole_.segments[id - std::size_t{1}];
        joined.score = std::max(joined.score, segment.score);
        ids[segment.id] = id;
    }
    return ids;
}

void LabelJoiner::add(SegmentReport const& part, Region const& tile, Region const& mine) {
    bool const semantic = part.kind == Segmentation::semantic;
    std::map<int, std::uint16_t> const ids = semantic ? std::map<int, std::uint16_t>{} : match(part, tile);
    for (std::int64_t y = mine.y; y < mine.y + mine.height; ++y) {
        for (std::int64_t x = mine.x; x < mine.x + mine.width; ++x) {
            std::uint16_t const found = part.labels[static_cast<std::size_t>((y - tile.y) * tile.width + x - tile.x)];
            if (semantic) label(x, y) = found;
            else if (found != 0) label(x, y) = ids.at(found);
        }
    }
}

void check_tiles(SegmentOptions const& options) {
    if (!options.approximate) {
        fail_as(ErrorKind::usage,
                "--tile: segmentation looks at the whole picture at once, so that tiles would change the result; allow "
                "it with --approximate, or leave --tile out (--resize saves memory too)");
    }
    if (options.tile < kSmallestTile) {
        fail_as(ErrorKind::usage, "a tile of {} pixels is too small; the smallest is {}", options.tile, kSmallestTile);
    }
}

}  // namespace

SegmentReport segment_in_tiles(Image const& picture, SegmentOptions const& options, ClassList const& classes,
                               std::function<SegmentReport(Image const&, Progress const&)> const& run) {
    check_tiles(options);
    std::int64_t const overlap = options.tile_overlap >= 0 ? options.tile_overlap : options.tile / 4;
    TilePlan const plan = plan_tiles(picture.height(), picture.width(), options.tile, overlap, 1);
    bool const instances = options.kind == Segmentation::instance;
    SegmentReport whole;
    whole.kind = options.kind;
    whole.width = picture.width();
    whole.height = picture.height();
    if (!instances) whole.labels.resize(static_cast<std::size_t>(whole.width * whole.height));
    whole.tiles = static_cast<int>(plan.count());
    LabelJoiner labels(whole, classes);
    InstanceJoiner things(whole.width, whole.height);
    double done = 0;
    for (std::int64_t iy = 0; iy < plan.y.count(); ++iy) {
        for (std::int64_t ix = 0; ix < plan.x.count(); ++ix, ++done) {
            Region const tile{origin(plan.x, ix), origin(plan.y, iy), plan.x.tile, plan.y.tile};
            SegmentReport const part = run(crop(picture, tile), [&](double fraction) {
                return !options.progress || options.progress((done + fraction) / whole.tiles);
            });
            if (instances) things.add(part.segments, tile, seen_until(plan.x, ix), seen_until(plan.y, iy));
            else labels.add(part, tile, decided_by(plan, iy, ix, whole));
            whole.network_width = part.network_width;
            whole.network_height = part.network_height;
        }
    }
    if (instances) {
        whole.segments = things.finish(static_cast<std::size_t>(options.top_k));
        return whole;
    }
    measure(whole.labels, whole.width, whole.segments);
    std::erase_if(whole.segments, [](Segment const& segment) { return segment.area == 0; });
    return whole;
}

}  // namespace vitrum
