// SPDX-License-Identifier: Apache-2.0
// Resampling: the coordinates and weights of all of ONNX's modes become tables of taps, one axis at a time.
#include <algorithm>
#include <array>
#include <cmath>

#include "call.h"

namespace vitrum::onnx {
namespace {

using Values = std::vector<ValueId>;
using Integers = std::vector<std::int64_t>;

struct Modes {
    std::string_view interpolation, coordinates, nearest;
    double cubic = -0.75;
    bool excludes_outside = false, antialias = false;
    float outside = 0;
};

/// One axis of a resize.
struct Side {
    std::int64_t in = 1, out = 1;
    double scale = 1, start = 0, end = 1;
};

double coordinate(Modes const& m, Side const& s, double o) {
    auto const in = static_cast<double>(s.in), out = static_cast<double>(s.out);
    double const half_pixel = (o + 0.5) / s.scale - 0.5;
    if (m.coordinates == "half_pixel") return half_pixel;
    if (m.coordinates == "pytorch_half_pixel") return out > 1 ? half_pixel : 0;
    if (m.coordinates == "asymmetric") return o / s.scale;
    if (m.coordinates == "align_corners") {
        double const length = s.scale * in;  // not rounded, as the standard has it
        return length == 1 ? 0 : o * (in - 1) / (length - 1);
    }
    if (m.coordinates == "half_pixel_symmetric") {
        double const adjustment = out / (s.scale * in);
        return in / 2 * (1 - adjustment) + half_pixel;
    }
    if (out > 1) return s.start * (in - 1) + o * (s.end - s.start) * (in - 1) / (out - 1);
    return (s.start + s.end) / 2 * (in - 1);
}

std::int64_t nearest(Modes const& m, double x) {
    if (m.nearest == "floor") return static_cast<std::int64_t>(std::floor(x));
    if (m.nearest == "ceil") return static_cast<std::int64_t>(std::ceil(x));
    if (m.nearest == "round_prefer_ceil") return static_cast<std::int64_t>(std::floor(x + 0.5));
    return static_cast<std::int64_t>(std::ceil(x - 0.5));
}

/// The filter's value at a distance in pixels of the coarser of both sides.
double filter(Modes const& m, double distance) {
    double const d = std::fabs(distance);
    if (m.interpolation == "linear") return std::max(0.0, 1 - d);
    double const a = m.cubic;
    if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
    return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

struct Table {
    Integers indices;
    std::vector<double> weights;
    std::int64_t taps = 1;
};

Table table_of(Modes const& m, Side const& s) {
    double const shrink = m.antialias ? std::min(s.scale, 1.0) : 1.0;
    double const radius = (m.interpolation == "cubic" ? 2 : 1) / shrink;
    bool const is_nearest = m.interpolation == "nearest";
    Table t;
    t.taps = is_nearest ? 1 : 2 * static_cast<std::int64_t>(std::ceil(radius)) + 1;
    for (std::int64_t o = 0; o < s.out; ++o) {
        double const x = coordinate(m, s, static_cast<double>(o));
        bool const is_outside = m.coordinates == "tf_crop_and_resize" && (x < 0 || x > static_cast<double>(s.in - 1));
        std::int64_t const first =
            is_nearest ? nearest(m, x) : static_cast<std::int64_t>(std::floor(x)) - (t.taps - 1) / 2;
        double sum = 0;
        std::size_t const row = t.weights.size();
        for (std::int64_t i = 0; i < t.taps; ++i) {
            std::int64_t const tap = first + i;
            bool const leaves = tap < 0 || tap >= s.in;
            double weight = is_nearest ? 1 : filter(m, (static_cast<double>(tap) - x) * shrink);
            if (!is_nearest && leaves && m.excludes_outside) weight = 0;
            t.indices.push_back(is_outside ? -1 : std::clamp<std::int64_t>(tap, 0, s.in - 1));
            t.weights.push_back(weight);
            sum += weight;
        }
        for (std::size_t i = row; i < t.weights.size(); ++i) t.weights[i] /= sum;
    }
    return t;
}

ValueId resampled(Builder& b, ValueId x, Modes const& m, std::vector<Side> const& sides) {
    for (std::size_t axis = 0; axis < sides.size(); ++axis) {
        Side const& s = sides[axis];
        bool const stays = s.in == s.out && s.scale == 1 && m.coordinates != "tf_crop_and_resize";
        if (stays) continue;
        if (s.in < 1 || s.out < 0 || s.out > (1 << 26)) b.refuse("from {} to {} pixels", s.in, s.out);
        Table const t = table_of(m, s);
        ValueId const indices = b.integers_constant({s.out, t.taps}, t.indices);
        ValueId const weights = b.constant(DType::f32, {s.out, t.taps}, t.weights);
        x = b.emit(dense::Taps{static_cast<int>(axis), m.outside}, {x, indices, weights});
    }
    return x;
}

Modes modes_of(Call const& c) {
    Modes m{c.text("mode", "nearest"),
            c.text("coordinate_transformation_mode", c.opset < 11 ? "asymmetric" : "half_pixel"),
            c.text("nearest_mode", c.opset < 11 ? "floor" : "round_prefer_floor"),
            static_cast<double>(c.number("cubic_coeff_a", -0.75F)),
            c.integer("exclude_outside", 0) != 0,
            c.integer("antialias", 0) != 0,
            c.number("extrapolation_value", 0)};
    constexpr std::array<std::string_view, 6> kKnown = {"half_pixel",    "pytorch_half_pixel",   "asymmetric",
                                                        "align_corners", "half_pixel_symmetric", "tf_crop_and_resize"};
    bool const fits = (m.interpolation == "nearest" || m.interpolation == "linear" || m.interpolation == "cubic") &&
                      std::ranges::find(kKnown, m.coordinates) != kKnown.end();
    if (!fits) c.b.refuse("mode {} with {}", m.interpolation, m.coordinates);
    return m;
}

/// Sides that grow or shrink alike, by the smallest or largest of the wanted scales.
void keep_aspect(Call const& c, std::vector<Side>& sides, Integers const& axes) {
    std::string_view const policy = c.text("keep_aspect_ratio_policy", "stretch");
    if (policy == "stretch") return;
    double scale = sides[static_cast<std::size_t>(axes.front())].scale;
    for (auto const axis : axes) {
        double const own = sides[static_cast<std::size_t>(axis)].scale;
        scale = policy == "not_larger" ? std::min(scale, own) : std::max(scale, own);
    }
    for (auto const axis : axes) {
        Side& s = sides[static_cast<std::size_t>(axis)];
        s.scale = scale;
        s.out = static_cast<std::int64_t>(std::floor(scale * static_cast<double>(s.in) + 0.5));
    }
}

std::vector<Side> sides_of(Call const& c, std::size_t scales_input) {
    int const rank = c.rank(0);
    std::vector<Side> sides(static_cast<std::size_t>(rank));
    for (int i = 0; i < rank; ++i) sides[static_cast<std::size_t>(i)] = {c.shape(0)[i], c.shape(0)[i], 1, 0, 1};
    Integers axes = c.integers("axes");
    for (auto& axis : axes) axis = c.b.axis(axis, rank);
    if (axes.empty()) {
        for (int i = 0; i < rank; ++i) axes.push_back(i);
    }
    auto const list = [&](std::size_t i, std::string_view what) {
        std::vector<double> values = c.has(i) ? c.b.numbers(c.in(i), what) : std::vector<double>{};
        if (!values.empty() && values.size() != axes.size())
            c.b.refuse("{} {} for {} axes", values.size(), what, axes.size());
        return values;
    };
    auto const sizes = list(3, "sizes");
    auto scales = sizes.empty() ? list(scales_input, "scales") : std::vector<double>{};
    if (auto const* const attribute = c.node.attribute("scales"))
        scales.assign(attribute->numbers.begin(), attribute->numbers.end());
    if (sizes.empty() && scales.size() != axes.size()) c.b.refuse("neither scales nor sizes");
    for (std::size_t i = 0; i < axes.size(); ++i) {
        Side& s = sides[static_cast<std::size_t>(axes[i])];
        auto const in = static_cast<double>(s.in);
        s.scale = sizes.empty() ? scales[i] : sizes[i] / in;
        s.out = static_cast<std::int64_t>(sizes.empty() ? std::floor(in * scales[i]) : sizes[i]);
        if (!(s.scale > 0)) c.b.refuse("scale {}", s.scale);
    }
    if (!sizes.empty()) keep_aspect(c, sides, axes);
    if (c.has(1) && scales_input == 2 && c.text("coordinate_transformation_mode", "") == "tf_crop_and_resize") {
        auto const roi = c.b.numbers(c.in(1), "roi");
        if (roi.size() != 2 * axes.size()) c.b.refuse("a region of {} numbers", roi.size());
        for (std::size_t i = 0; i < axes.size(); ++i) {
            sides[static_cast<std::size_t>(axes[i])].start = roi[i];
            sides[static_cast<std::size_t>(axes[i])].end = roi[i + axes.size()];
        }
    }
    return sides;
}

Values resize(Call const& c) {
    return {c.in_f32(
        [&](Values const& in) { return resampled(c.b, in[0], modes_of(c), sides_of(c, c.opset < 11 ? 1 : 2)); })};
}

/// Opset 9: only scales; a pixel of the result reads from o / scale.
Values upsample(Call const& c) {
    Modes const m{c.text("mode", "nearest"), "asymmetric", "floor"};
    return {c.in_f32([&](Values const& in) { return resampled(c.b, in[0], m, sides_of(c, 1)); })};
}

Values grid_sample(Call const& c) {
    std::string_view const mode = c.text("mode", "linear"), border = c.text("padding_mode", "zeros");
    dense::GridSample op;
    op.align_corners = c.integer("align_corners", 0) != 0;
    if (mode == "nearest") op.mode = dense::SampleMode::nearest;
    else if (mode == "cubic" || mode == "bicubic") op.mode = dense::SampleMode::cubic;
    else if (mode != "linear" && mode != "bilinear") c.b.refuse("mode {}", mode);
    if (border == "border") op.border = dense::SampleBorder::border;
    else if (border == "reflection") op.border = dense::SampleBorder::reflection;
    else if (border != "zeros") c.b.refuse("padding {}", border);
    // PyTorch's exporter computes Mask2Former's sampling points in float64.
    return {c.in_f32([&](Values const& in) { return c.b.emit(op, {in[0], c.b.cast(in[1], DType::f32)}); })};
}

constexpr auto kResizeRules =
    std::to_array<NamedRule>({{"Resize", resize}, {"Upsample", upsample}, {"GridSample", grid_sample}});

}  // namespace

std::span<NamedRule const> resize_rules() {
    return kResizeRules;
}

}  // namespace vitrum::onnx
