// SPDX-License-Identifier: Apache-2.0
// Matrix products, convolutions and pooling.
#include <algorithm>
#include <array>

#include "call.h"

namespace vitrum::onnx {
namespace {

using B = dense::BinaryFunction;
using Values = std::vector<ValueId>;
using Integers = std::vector<std::int64_t>;

/// A vector counts as a row on the left and as a column on the right; that dimension goes again.
ValueId product(Builder& b, ValueId left, ValueId right) {
    Shape const a = b.shape(left), c = b.shape(right);
    if (a.rank() == 0 || c.rank() == 0) b.refuse("a product with a single number");
    if (a.rank() == 1) left = b.reshape(left, {1, a[0]});
    if (c.rank() == 1) right = b.reshape(right, {c[0], 1});
    ValueId const y = b.emit(dense::MatMul{}, {left, right});
    Shape const made = b.shape(y);
    Integers extents(made.begin(), made.end());
    if (c.rank() == 1) extents.pop_back();
    if (a.rank() == 1) extents.erase(extents.end() - (c.rank() == 1 ? 1 : 2));
    return b.reshape(y, Shape(extents));
}

/// Integer products in float64 would need an operator of their own; the sums of a vision model fit float32's 24 bits.
Values matmul(Call const& c) {
    return {c.in_f32([&](Values const& in) { return product(c.b, in[0], in[1]); })};
}

ValueId transposed(Builder& b, ValueId x, bool wanted) {
    return wanted ? b.transpose(x, {1, 0}) : x;
}

Values gemm(Call const& c) {
    return {c.in_f32([&](Values const& in) {
        ValueId const a = transposed(c.b, in[0], c.integer("transA", 0) != 0);
        ValueId const b = transposed(c.b, in[1], c.integer("transB", 0) != 0);
        ValueId y = c.b.emit(dense::MatMul{}, {a, b});
        auto const times = [&](ValueId x, float factor) {
            return factor == 1 ? x : c.b.binary(B::multiply, x, c.b.scalar(DType::f32, static_cast<double>(factor)));
        };
        y = times(y, c.number("alpha", 1));
        if (in.size() < 3 || in[2] == kNone) return y;
        return c.b.binary(B::add, y, times(in[2], c.number("beta", 1)));
    })};
}

Shape shape_from(Integers const& values) {
    return Shape{std::span<std::int64_t const>(values)};
}

/// The window that slides over the spatial dimensions: what convolutions and pools share.
struct Window {
    Shape kernel, strides, dilations, before, behind;

    Window(Call const& c, Integers const& kernel_extents) {
        std::size_t const spatial = kernel_extents.size();
        if (spatial < 1 || spatial > 3 || std::ssize(kernel_extents) + 2 != c.rank(0)) {
            c.b.refuse("{} in windows of {} dimensions; 1 to 3 are supported", c.shape(0).str(), spatial);
        }
        auto const list = [&](std::string_view name, std::size_t size, std::int64_t otherwise) {
            Integers values = c.integers(name);
            if (values.empty()) values.assign(size, otherwise);
            bool const sane = values.size() == size &&
                              std::ranges::all_of(values, [](std::int64_t v) { return v >= 0 && v < (1 << 24); });
            if (!sane) c.b.refuse("{} that do not fit", name);
            return values;
        };
        kernel = shape_from(kernel_extents);
        strides = shape_from(list("strides", spatial, 1));
        dilations = shape_from(list("dilations", spatial, 1));
        Integers const pads = list("pads", 2 * spatial, 0);
        before = shape_from(Integers(pads.begin(), pads.begin() + static_cast<std::ptrdiff_t>(spatial)));
        behind = shape_from(Integers(pads.begin() + static_cast<std::ptrdiff_t>(spatial), pads.end()));
        for (int i = 0; i < strides.rank(); ++i) {
            if (strides[i] == 0 || dilations[i] == 0 || kernel[i] <= 0) c.b.refuse("a window that does not move");
        }
        pad_automatically(c);
    }
    [[nodiscard]] std::int64_t reach(int i) const { return dilations[i] * (kernel[i] - 1) + 1; }

private:
    void pad_automatically(Call const& c) {
        std::string_view const mode = c.text("auto_pad", "NOTSET");
        if (mode == "NOTSET") return;
        for (int i = 0; i < kernel.rank(); ++i) {
            std::int64_t const extent = c.shape(0)[i + 2];
            std::int64_t const wanted = (extent + strides[i] - 1) / strides[i];
            std::int64_t const total =
                mode == "VALID" ? 0 : std::max<std::int64_t>(0, (wanted - 1) * strides[i] + reach(i) - extent);
            before[i] = mode == "SAME_LOWER" ? (total + 1) / 2 : total / 2;
            behind[i] = total - before[i];
        }
    }
};

Integers kernel_of(Call const& c, std::size_t weight) {
    if (c.has_attribute("kernel_shape")) return c.integers("kernel_shape");
    Shape const shape = c.shape(weight);
    if (shape.rank() < 2) c.b.refuse("a weight of shape {}", shape.str());
    return {shape.begin() + 2, shape.end()};
}

/// Whether Conv2d's geometry is this one: ceil(size / stride) results, padding that follows from kernel and stride.
bool is_native(Window const& w, Shape const& x) {
    if (w.kernel.rank() != 2 || w.kernel[0] != w.kernel[1] || w.strides[0] != w.strides[1]) return false;
    Conv2d const op{.kernel = static_cast<int>(w.kernel[0]), .stride = static_cast<int>(w.strides[0])};
    if (op.kernel > 16 || op.stride > 16 || (op.stride > op.kernel && op.kernel != 1)) return false;
    for (int i = 0; i < 2; ++i) {
        std::int64_t const room = x[i + 2] + w.before[i] + w.behind[i] - w.kernel[i];
        bool const fits = w.dilations[i] == 1 && w.before[i] == op.padding() && room >= 0 && x[i + 2] >= 1 &&
                          room / op.stride + 1 == (x[i + 2] + op.stride - 1) / op.stride;
        if (!fits) return false;
    }
    return true;
}

ValueId native_convolution(Builder& b, Window const& w, Values const& in, std::int64_t groups) {
    ValueId const bias = in.size() > 2 ? in[2] : kNone;
    ValueId const pixels = b.to_pixels(in[0]);
    int const kernel = static_cast<int>(w.kernel[0]);
    if (groups == 1) {
        Conv2d const op{.kernel = kernel, .stride = static_cast<int>(w.strides[0])};
        return b.emit_on_pixels(op, {pixels, in[1], bias, kNone});
    }
    return b.emit_on_pixels(DepthwiseConv{kernel}, {pixels, in[1], bias, kNone});
}

Values convolution(Call const& c) {
    return {c.in_f32([&](Values const& in) {
        Window const w(c, kernel_of(c, 1));
        std::int64_t const groups = c.integer("group", 1);
        Shape const x = c.b.shape(in[0]), weight = c.b.shape(in[1]);
        bool const has_bias = in.size() > 2 && in[2] != kNone;
        bool const known = c.b.is_known(in[1]) && !c.b.is_known(in[0]) && (!has_bias || c.b.is_known(in[2]));
        bool const is_depthwise = groups == x[1] && weight[0] == groups && w.strides[0] == 1 &&
                                  (w.kernel[0] == 3 || w.kernel[0] == 5) && groups > 1;
        bool const fits = weight.rank() == 4 && x.rank() == 4 && x[0] > 0 && x[1] > 0 && weight[1] * groups == x[1] &&
                          weight[2] == w.kernel[0] && weight[3] == w.kernel[1] &&
                          (!has_bias || c.b.shape(in[2]) == Shape{weight[0]});
        if (known && fits && (groups == 1 || is_depthwise) && is_native(w, x)) {
            return native_convolution(c.b, w, in, groups);
        }
        if (groups < 1 || groups > (1 << 24)) c.b.refuse("{} groups", groups);
        std::vector<double> const zeros(static_cast<std::size_t>(weight[0]), 0.0);
        ValueId const bias = has_bias ? in[2] : c.b.constant(DType::f32, {weight[0]}, zeros);
        return c.b.emit(dense::Convolution{static_cast<int>(groups), w.strides, w.dilations, w.before, w.behind},
                        {in[0], in[1], bias});
    })};
}

/// Where the result begins and ends in what all inputs reach.
Values transposed_convolution(Call const& c) {
    return {c.in_f32([&](Values const& in) {
        Window w(c, kernel_of(c, 1));
        std::int64_t const groups = c.integer("group", 1);
        Shape const x = c.b.shape(in[0]), weight = c.b.shape(in[1]);
        if (groups < 1 || groups > (1 << 24) || x.rank() != weight.rank()) c.b.refuse("{} groups", groups);
        Integers extra = c.integers("output_padding");
        extra.resize(static_cast<std::size_t>(w.kernel.rank()), 0);
        Integers const wanted = c.integers("output_shape");
        std::string_view const mode = c.text("auto_pad", "NOTSET");
        Shape output = w.strides, before = w.before;
        for (int i = 0; i < output.rank(); ++i) {
            auto const d = static_cast<std::size_t>(i);
            std::int64_t const whole = (x[i + 2] - 1) * w.strides[i] + w.reach(i) + extra[d];
            output[i] = whole - w.before[i] - w.behind[i];
            bool const same = mode == "SAME_UPPER" || mode == "SAME_LOWER";
            if (mode == "VALID") output[i] = whole;
            if (same) output[i] = x[i + 2] * w.strides[i];
            if (!wanted.empty()) output[i] = wanted[wanted.size() - static_cast<std::size_t>(output.rank()) + d];
            std::int64_t const cut = whole - output[i];
            if (same || !wanted.empty()) {
                before[i] = std::max<std::int64_t>(0, mode == "SAME_UPPER" ? cut / 2 : cut - cut / 2);
            }
            if (mode == "VALID") before[i] = 0;
        }
        std::int64_t const channels = weight[1] * groups;
        std::vector<double> const zeros(static_cast<std::size_t>(channels), 0.0);
        bool const has_bias = in.size() > 2 && in[2] != kNone;
        ValueId const bias = has_bias ? in[2] : c.b.constant(DType::f32, {channels}, zeros);
        return c.b.emit(dense::TransposedConvolution{static_cast<int>(groups), w.strides, w.dilations, before, output},
                        {in[0], in[1], bias});
    })};
}

ValueId pooled(Call const& c, Values const& in, dense::PoolFunction function) {
    Window const w(c, c.integers("kernel_shape"));
    dense::Pool op{function, w.kernel, w.strides, w.dilations,
                   w.before, w.behind, w.kernel,  static_cast<int>(c.integer("p", 2))};
    bool const rounds_up = c.integer("ceil_mode", 0) != 0;
    Shape const x = c.b.shape(in[0]);
    for (int i = 0; i < op.output.rank(); ++i) {
        std::int64_t const room = x[i + 2] + w.before[i] + w.behind[i] - w.reach(i);
        if (room < 0) c.b.refuse("{} is smaller than the window", x.str());
        std::int64_t count = room / w.strides[i] + 1;
        // A window more, unless it would begin behind the picture and its padding in front.
        bool const rest = rounds_up && room % w.strides[i] != 0;
        if (rest && count * w.strides[i] < x[i + 2] + w.before[i]) ++count;
        op.output[i] = count;
    }
    return c.b.emit(op, {in[0]});
}

/// From places in planes, counted row by row, to places in x, which may be counted column by column.
ValueId places_in(Call const& c, Shape const& x, ValueId place) {
    auto const number = [&](std::int64_t value) { return c.b.integers_constant({}, std::span(&value, 1)); };
    auto const plus = [&](ValueId a, ValueId b) { return c.b.binary(B::add, a, b); };
    std::int64_t plane = 1;
    for (int i = 2; i < x.rank(); ++i) plane *= x[i];
    if (c.integer("storage_order", 0) != 0) {
        ValueId rest = place, by_columns = number(0);
        for (std::int64_t i = x.rank() - 1, stride = plane; i >= 2; --i) {
            ValueId const extent = number(x[static_cast<int>(i)]);
            stride /= std::max<std::int64_t>(x[static_cast<int>(i)], 1);
            by_columns = plus(by_columns, c.b.binary(B::multiply, c.b.binary(B::modulo, rest, extent), number(stride)));
            rest = c.b.binary(B::divide, rest, extent);
        }
        place = by_columns;
    }
    constexpr std::int64_t kMostPlanes = 1 << 24;
    if (x[0] > kMostPlanes || x[1] > kMostPlanes || x[0] * x[1] > kMostPlanes) c.b.refuse("the planes of {}", x.str());
    Integers begins(static_cast<std::size_t>(x[0] * x[1]));
    for (std::size_t i = 0; i < begins.size(); ++i) begins[i] = static_cast<std::int64_t>(i) * plane;
    Integers extents(static_cast<std::size_t>(x.rank()), 1);
    extents[0] = x[0];
    extents[1] = x[1];
    return plus(place, c.b.integers_constant(Shape(extents), begins));
}

Values max_pool(Call const& c) {
    Values results{c.in_f32([&](Values const& in) { return pooled(c, in, dense::PoolFunction::maximum); })};
    if (c.node.outputs.size() == 1) return results;
    ValueId const x = c.b.cast(c.in(0), DType::f32);
    results.push_back(places_in(c, c.shape(0), pooled(c, {x}, dense::PoolFunction::maximum_place)));
    return results;
}
Values average_pool(Call const& c) {
    bool const counts = c.integer("count_include_pad", 0) != 0;
    auto const function = counts ? dense::PoolFunction::average_padded : dense::PoolFunction::average;
    return {c.in_f32([&](Values const& in) { return pooled(c, in, function); })};
}
Values lp_pool(Call const& c) {
    return {c.in_f32([&](Values const& in) { return pooled(c, in, dense::PoolFunction::norm); })};
}

template <dense::ReduceFunction function>
Values global_pool(Call const& c) {
    std::uint32_t const spatial = ((1U << c.rank(0)) - 1) & ~3U;
    return {c.b.reduce(function, c.in(0), spatial)};
}

constexpr auto kProductRules = std::to_array<NamedRule>({
    {"MatMul", matmul},
    {"Gemm", gemm},
    {"Conv", convolution},
    {"ConvTranspose", transposed_convolution},
    {"MaxPool", max_pool},
    {"AveragePool", average_pool},
    {"LpPool", lp_pool},
    {"GlobalAveragePool", global_pool<dense::ReduceFunction::mean>},
    {"GlobalMaxPool", global_pool<dense::ReduceFunction::maximum>},
});

}  // namespace

std::span<NamedRule const> product_rules() {
    return kProductRules;
}

}  // namespace vitrum::onnx
