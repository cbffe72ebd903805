// SPDX-License-Identifier: Apache-2.0
// Operators that only move numbers or make shapes.
#include <algorithm>
#include <array>
#include <numeric>

#include "call.h"

namespace vitrum::onnx {
namespace {

using Values = std::vector<ValueId>;
using Integers = std::vector<std::int64_t>;

Shape checked_shape(Call const& c, Integers const& extents) {
    if (extents.size() > Shape::kMaxRank) c.b.refuse("{} dimensions; at most {}", extents.size(), Shape::kMaxRank);
    Shape const shape{std::span<std::int64_t const>(extents)};
    if (!shape.checked_count()) c.b.refuse("impossible extents {}", shape.str());
    return shape;
}

Values shape_of(Call const& c) {
    Shape const shape = c.shape(0);
    auto const clamped = [&](std::int64_t i) {
        return std::clamp<std::int64_t>(i < 0 ? i + shape.rank() : i, 0, shape.rank());
    };
    std::int64_t const begin = clamped(c.integer("start", 0)), end = clamped(c.integer("end", shape.rank()));
    Integers const extents(shape.begin() + begin, shape.begin() + std::max(begin, end));
    return {c.b.integers_constant({std::ssize(extents)}, extents)};
}

Values size(Call const& c) {
    std::int64_t const count = c.shape(0).count();
    return {c.b.integers_constant({}, std::span(&count, 1))};
}

Values reshape(Call const& c) {
    Integers extents = c.input_or_attribute(1, "shape").value_or(Integers{});
    Shape const from = c.shape(0);
    bool const keeps_zeros = c.integer("allowzero", 0) != 0;
    std::int64_t known = 1;
    for (std::size_t i = 0; i < extents.size(); ++i) {
        if (extents[i] == 0 && !keeps_zeros) {
            if (i >= static_cast<std::size_t>(from.rank())) c.b.refuse("no dimension {} to keep", i);
            extents[i] = from[static_cast<int>(i)];
        }
        if (extents[i] != -1 && __builtin_mul_overflow(known, extents[i], &known)) c.b.refuse("impossible extents");
    }
    auto const open = std::ranges::find(extents, -1);
    if (open != extents.end()) *open = known == 0 ? 0 : from.count() / known;
    return {c.b.reshape(c.in(0), checked_shape(c, extents))};
}

Values flatten(Call const& c) {
    Shape const from = c.shape(0);
    std::int64_t const stated = c.integer("axis", 1);
    std::int64_t const axis = stated < 0 ? stated + from.rank() : stated;
    if (axis < 0 || axis > from.rank()) c.b.refuse("axis {} of {} dimensions", stated, from.rank());
    std::int64_t front = 1, back = 1;
    for (int i = 0; i < from.rank(); ++i) (i < axis ? front : back) *= from[i];
    return {c.b.reshape(c.in(0), {front, back})};
}

Values squeeze(Call const& c) {
    Shape const from = c.shape(0);
    auto const stated = c.input_or_attribute(1, "axes");
    std::uint32_t gone = 0;
    if (stated) {
        for (auto const axis : *stated) gone |= 1U << c.b.axis(axis, from.rank());
    }
    Integers extents;
    for (int i = 0; i < from.rank(); ++i) {
        bool const drops = stated ? (gone >> i & 1) != 0 : from[i] == 1;
        if (!drops) extents.push_back(from[i]);
    }
    return {c.b.reshape(c.in(0), checked_shape(c, extents))};
}

Values unsqueeze(Call const& c) {
    Shape const from = c.shape(0);
    Integers const axes = c.input_or_attribute(1, "axes").value_or(Integers{});
    int const rank = from.rank() + static_cast<int>(axes.size());
    Integers extents(static_cast<std::size_t>(rank), 0);
    for (auto const axis : axes) extents[static_cast<std::size_t>(c.b.axis(axis, rank))] = 1;
    int next = 0;
    for (auto& extent : extents) {
        if (extent == 1) continue;
        if (next >= from.rank()) c.b.refuse("an axis is listed twice");
        extent = from[next++];
    }
    return {c.b.reshape(c.in(0), checked_shape(c, extents))};
}

Values transpose(Call const& c) {
    int const rank = c.rank(0);
    std::vector<int> order;
    for (auto const axis : c.integers("perm")) order.push_back(c.b.axis(axis, rank));
    if (order.empty()) {
        for (int i = rank - 1; i >= 0; --i) order.push_back(i);
    }
    auto sorted = order;
    std::ranges::sort(sorted);
    for (int i = 0; i < std::max(rank, static_cast<int>(sorted.size())); ++i) {
        if (std::ssize(sorted) != rank || sorted[static_cast<std::size_t>(i)] != i)
            c.b.refuse("no order of {} dimensions", rank);
    }
    return {c.b.transpose(c.in(0), order)};
}

Values expand(Call const& c) {
    Shape const wanted = checked_shape(c, c.b.integers(c.in(1), "shape"));
    auto const shape = broadcast(c.shape(0), wanted);
    if (!shape) c.b.refuse("{} cannot be repeated to {}", c.b.type(c.in(0)).str(), wanted.str());
    return {c.b.expand(c.in(0), *shape)};
}

Values tile(Call const& c) {
    ValueId x = c.in(0);
    Integers const repeats = c.b.integers(c.in(1), "repeats");
    if (std::ssize(repeats) != c.rank(0)) c.b.refuse("{} repeats for {} dimensions", repeats.size(), c.rank(0));
    for (int i = 0; i < c.rank(0); ++i) {
        std::int64_t const times = repeats[static_cast<std::size_t>(i)];
        if (times == 1) continue;
        if (times < 0 || times > (1 << 24)) c.b.refuse("{} repeats", times);
        if (times == 0) x = c.b.slice(x, i, 0, 0);
        else x = c.b.concat(std::vector<ValueId>(static_cast<std::size_t>(times), x), i);
    }
    return {x};
}

/// start:end:step as NumPy counts: where it begins and how many.
struct Range {
    std::int64_t start, count;
};
Range range_of(std::int64_t start, std::int64_t end, std::int64_t step, std::int64_t extent) {
    auto const positive = [&](std::int64_t i) { return i < 0 ? (i < -extent ? -1 : i + extent) : i; };
    auto const low = step > 0 ? std::int64_t{0} : std::int64_t{-1};
    auto const high = step > 0 ? extent : extent - 1;
    std::int64_t const first =
        std::clamp(start < -extent ? low : positive(start), std::int64_t{0}, std::max<std::int64_t>(high, 0));
    std::int64_t const last = end < -extent ? low : std::clamp(positive(end), low, high);
    std::int64_t const distance = step > 0 ? last - first : first - last;
    std::int64_t const by = step > 0 ? step : -step;
    return {first, distance <= 0 ? 0 : (distance + by - 1) / by};
}

Values slice(Call const& c) {
    ValueId x = c.in(0);
    Integers const starts = c.input_or_attribute(1, "starts").value_or(Integers{});
    Integers const ends = c.input_or_attribute(2, "ends").value_or(Integers{});
    Integers axes(starts.size());
    std::iota(axes.begin(), axes.end(), 0);
    axes = c.input_or_attribute(3, "axes").value_or(axes);
    Integers const steps = c.has(4) ? c.b.integers(c.in(4), "steps") : Integers(starts.size(), 1);
    if (ends.size() != starts.size() || axes.size() != starts.size() || steps.size() != starts.size()) {
        c.b.refuse("lists of different lengths");
    }
    for (std::size_t i = 0; i < starts.size(); ++i) {
        int const axis = c.b.axis(axes[i], c.rank(0));
        if (steps[i] == 0) c.b.refuse("a step of 0");
        std::int64_t const step = std::clamp<std::int64_t>(steps[i], -(std::int64_t{1} << 40), std::int64_t{1} << 40);
        Range const range = range_of(starts[i], ends[i], step, c.b.shape(x)[axis]);
        x = c.b.slice(x, axis, range.start, range.count, step);
    }
    return {x};
}

Values split(Call const& c) {
    int const axis = c.b.axis(c.integer("axis", 0), c.rank(0));
    std::int64_t const extent = c.shape(0)[axis];
    auto sizes = c.input_or_attribute(1, "split").value_or(Integers{});
    if (sizes.empty()) {
        std::int64_t const parts = std::max<std::int64_t>(c.integer("num_outputs", std::ssize(c.node.outputs)), 1);
        std::int64_t const each = (extent + parts - 1) / parts;
        for (std::int64_t i = 0; i < parts; ++i) sizes.push_back(std::clamp<std::int64_t>(extent - i * each, 0, each));
    }
    if (std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0}) != extent || std::ranges::min(sizes) < 0) {
        c.b.refuse("parts that are not the {} of axis {}", extent, axis);
    }
    Values parts;
    std::int64_t begin = 0;
    for (auto const part : sizes) {
        parts.push_back(c.b.slice(c.in(0), axis, begin, part));
        begin += part;
    }
    return parts;
}

Values concat(Call const& c) {
    int const axis = c.b.axis(c.integer("axis", 0), c.rank(0));
    Values parts;
    for (std::size_t i = 0; i < c.inputs.size(); ++i) parts.push_back(c.in(i));
    return {c.b.concat(parts, axis)};
}

/// Negative numbers cut, positive ones add.
Values pad(Call const& c) {
    ValueId x = c.in(0);
    int const rank = c.rank(0);
    Integers const stated = c.input_or_attribute(1, "pads").value_or(Integers{});
    Integers axes(static_cast<std::size_t>(rank));
    std::iota(axes.begin(), axes.end(), 0);
    if (c.has(3)) axes = c.b.integers(c.in(3), "axes");
    if (stated.size() != 2 * axes.size()) c.b.refuse("{} paddings for {} axes", stated.size(), axes.size());
    dense::Pad op{dense::PadMode::constant, x == kNone ? Shape{} : c.shape(0), c.shape(0)};
    for (int i = 0; i < rank; ++i) op.before[i] = op.behind[i] = 0;
    for (std::size_t i = 0; i < axes.size(); ++i) {
        int const axis = c.b.axis(axes[i], rank);
        std::int64_t const before = stated[i], behind = stated[i + axes.size()];
        std::int64_t const kept =
            c.shape(0)[axis] + std::min<std::int64_t>(before, 0) + std::min<std::int64_t>(behind, 0);
        if (kept < 0) c.b.refuse("more is cut than there is");
        x = c.b.slice(x, axis, std::max<std::int64_t>(-before, 0), kept);
        op.before[axis] = std::max<std::int64_t>(before, 0);
        op.behind[axis] = std::max<std::int64_t>(behind, 0);
    }
    auto const is_none = [](Shape const& paddings) {
        return std::ranges::all_of(paddings, [](auto n) { return n == 0; });
    };
    if (is_none(op.before) && is_none(op.behind)) return {x};
    std::string_view const mode = c.text("mode", "constant");
    if (mode == "edge") op.mode = dense::PadMode::edge;
    else if (mode == "reflect") op.mode = dense::PadMode::reflect;
    else if (mode == "wrap") op.mode = dense::PadMode::wrap;
    else if (mode != "constant") c.b.refuse("padding of mode {}", mode);
    ValueId const filler = c.has(2) ? c.in(2) : c.b.scalar(c.b.dtype(x), static_cast<double>(c.number("value", 0)));
    return {c.b.emit(op, {x, filler})};
}

/// [N, C·r², H, W] → [N, C, H·r, W·r]
Values depth_to_space(Call const& c) {
    std::int64_t const r = c.integer("blocksize", 1);
    Shape const x = c.shape(0);
    if (x.rank() != 4 || r < 1 || r > 16 || x[1] % (r * r) != 0) c.b.refuse("{} in blocks of {}", x.str(), r);
    bool const columns_first = c.text("mode", "DCR") == "CRD";
    ValueId const pixels = c.b.pixels_behind(c.in(0));
    if (columns_first && pixels != kNone) return {c.b.emit_on_pixels(PixelShuffle{static_cast<int>(r)}, {pixels})};
    std::int64_t const channels = x[1] / (r * r);
    ValueId y = columns_first ? c.b.reshape(c.in(0), {x[0], channels, r, r, x[2], x[3]})
                              : c.b.reshape(c.in(0), {x[0], r, r, channels, x[2], x[3]});
    y = columns_first ? c.b.transpose(y, {0, 1, 4, 2, 5, 3}) : c.b.transpose(y, {0, 3, 4, 1, 5, 2});
    return {c.b.reshape(y, {x[0], channels, x[2] * r, x[3] * r})};
}

Values space_to_depth(Call const& c) {
    std::int64_t const r = c.integer("blocksize", 1);
    Shape const x = c.shape(0);
    if (x.rank() != 4 || r < 1 || x[2] % r != 0 || x[3] % r != 0) c.b.refuse("{} in blocks of {}", x.str(), r);
    ValueId y = c.b.reshape(c.in(0), {x[0], x[1], x[2] / r, r, x[3] / r, r});
    y = c.b.transpose(
        y, c.text("mode", "DCR") == "CRD" ? std::vector<int>{0, 1, 3, 5, 2, 4} : std::vector<int>{0, 3, 5, 1, 2, 4});
    return {c.b.reshape(y, {x[0], x[1] * r * r, x[2] / r, x[3] / r})};
}

Values center_crop_pad(Call const& c) {
    ValueId x = c.in(0);
    Integers const wanted = c.b.integers(c.in(1), "shape");
    Integers axes(static_cast<std::size_t>(c.rank(0)));
    std::iota(axes.begin(), axes.end(), 0);
    if (c.has_attribute("axes")) axes = c.integers("axes");
    if (axes.size() != wanted.size()) c.b.refuse("{} extents for {} axes", wanted.size(), axes.size());
    dense::Pad op{dense::PadMode::constant, c.shape(0), c.shape(0)};
    for (int i = 0; i < c.rank(0); ++i) op.before[i] = op.behind[i] = 0;
    for (std::size_t i = 0; i < axes.size(); ++i) {
        int const axis = c.b.axis(axes[i], c.rank(0));
        std::int64_t const extra = wanted[i] - c.shape(0)[axis];
        if (wanted[i] < 0) c.b.refuse("a negative extent");
        if (extra < 0) x = c.b.slice(x, axis, -extra / 2, wanted[i]);
        if (extra > 0) op.before[axis] = extra / 2;
        if (extra > 0) op.behind[axis] = extra - extra / 2;
    }
    return {c.b.emit(op, {x, c.b.scalar(c.b.dtype(x), 0)})};
}

constexpr auto kShapeRules = std::to_array<NamedRule>({
    {"Shape", shape_of},
    {"Size", size},
    {"Reshape", reshape},
    {"Flatten", flatten},
    {"Squeeze", squeeze},
    {"Unsqueeze", unsqueeze},
    {"Transpose", transpose},
    {"Expand", expand},
    {"Tile", tile},
    {"Slice", slice},
    {"Split", split},
    {"Concat", concat},
    {"Pad", pad},
    {"DepthToSpace", depth_to_space},
    {"SpaceToDepth", space_to_depth},
    {"CenterCropPad", center_crop_pad},
});

}  // namespace

std::span<NamedRule const> shape_rules() {
    return kShapeRules;
}

}  // namespace vitrum::onnx
