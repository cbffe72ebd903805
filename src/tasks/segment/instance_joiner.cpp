// SPDX-License-Identifier: Apache-2.0
#include "tasks/segment/instance_joiner.h"

#include <algorithm>
#include <functional>
#include <iterator>

#include "tasks/segment/run_lengths.h"

namespace vitrum {

InstanceJoiner::Mask InstanceJoiner::placed(Segment const& segment, Region const& tile) const {
    Mask mask;
    for_each_stretch(segment.runs, tile.height, [&](std::int64_t x, std::int64_t begin, std::int64_t end) {
        std::int64_t const column = (tile.x + x) * height_ + tile.y;
        mask.push_back({column + begin, column + end});
    });
    return united(mask, {});
}

InstanceJoiner::Mask InstanceJoiner::clipped(Mask const& mask, Region const& region) const {
    Mask inside;
    for (auto const [begin, end] : mask) {
        for (std::int64_t at = begin; at < end;) {
            std::int64_t const x = at / height_, y = at % height_;
            std::int64_t const stop = std::min(height_, y + end - at);
            std::int64_t const from = std::max(y, region.y), to = std::min(stop, region.y + region.height);
            if (x >= region.x && x < region.x + region.width && from < to) {
                inside.push_back({x * height_ + from, x * height_ + to});
            }
            at += stop - y;
        }
    }
    return inside;
}

InstanceJoiner::Mask InstanceJoiner::seen_before(Mask const& mask, Region const& tile, std::int64_t left,
                                                 std::int64_t above) const {
    std::int64_t const right = tile.x + tile.width, bottom = tile.y + tile.height;
    return united(clipped(mask, {tile.x, tile.y, right - tile.x, above - tile.y}),
                  clipped(mask, {tile.x, above, left - tile.x, bottom - above}));
}

std::int64_t InstanceJoiner::area_of(Mask const& mask) {
    std::int64_t area = 0;
    for (auto const [begin, end] : mask) area += end - begin;
    return area;
}

std::int64_t InstanceJoiner::common_area(Mask const& a, Mask const& b) {
    std::int64_t area = 0;
    for (auto p = a.begin(), q = b.begin(); p != a.end() && q != b.end();) {
        area += std::max<std::int64_t>(0, std::min(p->end, q->end) - std::max(p->begin, q->begin));
        if (p->end < q->end) ++p;
        else ++q;
    }
    return area;
}

InstanceJoiner::Mask InstanceJoiner::united(Mask const& a, Mask const& b) {
    Mask both, whole;
    std::ranges::merge(a, b, std::back_inserter(both), {}, &Interval::begin, &Interval::begin);
    for (Interval const& next : both) {
        if (whole.empty() || next.begin > whole.back().end) whole.push_back(next);
        else whole.back().end = std::max(whole.back().end, next.end);
    }
    return whole;
}

void InstanceJoiner::add(std::vector<Segment> const& found, Region const& tile, std::int64_t left, std::int64_t above) {
    struct Earlier {
        Instance* instance;
        Mask seen;
        bool continued = false;
    };
    std::vector<Earlier> earlier;
    for (Instance& instance : instances_) {
        if (Mask seen = seen_before(instance.mask, tile, left, above); !seen.empty()) {
            earlier.push_back({&instance, std::move(seen)});
        }
    }
    std::vector<Instance> fresh;
    for (Segment const& segment : found) {
        Mask mask = placed(segment, tile);
        Mask const seen = seen_before(mask, tile, left, above);
        Earlier* best = nullptr;
        std::int64_t most = 0;
        for (Earlier& other : earlier) {
            if (other.continued || other.instance->segment.class_index != segment.class_index) continue;
            std::int64_t const both = common_area(seen, other.seen);
            if (both <= most || 2 * both < std::min(area_of(seen), area_of(other.seen))) continue;
            most = both;
            best = &other;
        }
        if (best == nullptr) {
            fresh.push_back({segment, std::move(mask)});
            continue;
        }
        best->continued = true;
        best->instance->mask = united(best->instance->mask, mask);
        best->instance->segment.score = std::max(best->instance->segment.score, segment.score);
    }
    std::ranges::move(fresh, std::back_inserter(instances_));
}

std::vector<std::uint32_t> InstanceJoiner::runs_of(Mask const& mask) const {
    RunBuilder runs;
    std::int64_t at = 0;
    auto const add_to = [&](std::int64_t end, bool inside) {
        if (end > at) runs.add(inside, static_cast<std::uint32_t>(end - at));
        at = end;
    };
    for (auto const [begin, end] : mask) {
        add_to(begin, false);
        add_to(end, true);
    }
    add_to(width_ * height_, false);
    return runs.finish();
}

std::vector<Segment> InstanceJoiner::finish(std::size_t top_k) {
    std::ranges::stable_sort(instances_, std::greater(), [](Instance const& i) { return i.segment.score; });
    instances_.resize(std::min(instances_.size(), top_k));
    std::vector<Segment> segments;
    for (Instance& instance : instances_) {
        Segment& segment = instance.segment;
        segment.id = static_cast<int>(segments.size() + 1);
        segment.runs = runs_of(instance.mask);
        segment.area = area_of(instance.mask);
        segment.box = box_of(segment.runs, height_);
        segments.push_back(std::move(segment));
    }
    return segments;
}

}  // namespace vitrum
