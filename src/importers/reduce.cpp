// SPDX-License-Identifier: Apache-2.0
// Reductions, norms and what else goes along axes.
#include <algorithm>
#include <array>
#include <cmath>

#include "call.h"

namespace vitrum::onnx {
namespace {

using R = dense::ReduceFunction;
using B = dense::BinaryFunction;
using U = dense::UnaryFunction;
using Values = std::vector<ValueId>;

std::uint32_t all_axes(int rank) {
    return (1U << rank) - 1;
}

/// The axes that a reduction names, or nothing where it is to leave its input as it is.
std::optional<std::uint32_t> axes_of(Call const& c) {
    auto const stated = c.input_or_attribute(1, "axes");
    bool const none = !stated || stated->empty();
    if (none && c.integer("noop_with_empty_axes", 0) != 0) return std::nullopt;
    if (none) return all_axes(c.rank(0));
    std::uint32_t axes = 0;
    for (auto const axis : *stated) axes |= 1U << c.b.axis(axis, c.rank(0));
    return axes;
}

/// Without the extents of 1 that a reduction leaves, unless they are to stay.
ValueId squeezed(Call const& c, ValueId x, std::uint32_t axes) {
    if (c.integer("keepdims", 1) != 0) return x;
    std::vector<std::int64_t> extents;
    Shape const shape = c.b.shape(x);
    for (int i = 0; i < shape.rank(); ++i) {
        if ((axes >> i & 1) == 0) extents.push_back(shape[i]);
    }
    return c.b.reshape(x, Shape(extents));
}

enum class After { nothing, logarithm, root };

template <R function, After after>
Values reduce(Call const& c) {
    auto const axes = axes_of(c);
    ValueId x = c.in(0);
    if (!axes && after == After::nothing && function != R::sum_square && function != R::sum_absolute) return {x};
    DType const type = c.b.dtype(x);
    // Of bool, the largest is "any" and the smallest "all": 0 and 1 as numbers.
    if (type == DType::boolean) x = c.b.cast(x, DType::i32);
    x = c.b.reduce(function, x, axes.value_or(0));
    if (after == After::logarithm) x = c.b.unary(U::logarithm, x);
    if (after == After::root) {
        DType const kind = c.b.dtype(x);
        x = c.b.cast(c.b.unary(U::square_root, is_floating(kind) ? x : c.b.cast(x, DType::f64)), kind);
    }
    return {squeezed(c, c.b.cast(x, type), axes.value_or(0))};
}

Values log_sum_exp(Call const& c) {
    auto const axes = axes_of(c).value_or(0);
    ValueId const x = c.in(0);
    ValueId const largest = c.b.reduce(R::maximum, x, axes);
    ValueId const sum = c.b.reduce(R::sum, c.b.unary(U::exponential, c.b.binary(B::subtract, x, largest)), axes);
    return {squeezed(c, c.b.binary(B::add, c.b.unary(U::logarithm, sum), largest), axes)};
}

template <bool smallest>
Values arg(Call const& c) {
    int const axis = c.b.axis(c.integer("axis", 0), c.rank(0));
    ValueId const x = c.b.emit(dense::ArgReduce{axis, smallest, c.integer("select_last_index", 0) != 0}, {c.in(0)});
    return {squeezed(c, x, 1U << axis)};
}

template <bool product>
Values cumulate(Call const& c) {
    int const axis = c.b.axis(c.b.integers(c.in(1), "axis").at(0), c.rank(0));
    return {c.b.emit(dense::Cumulate{axis, product, c.integer("exclusive", 0) != 0, c.integer("reverse", 0) != 0},
                     {c.in(0)})};
}

/// Before opset 13 everything from the axis on was one dimension.
template <class F>
ValueId over_axis(Call const& c, ValueId x, F const& f) {
    Shape const shape = c.b.shape(x);
    int const axis = shape.rank() == 0 ? 0 : c.b.axis(c.integer("axis", c.opset < 13 ? 1 : -1), shape.rank());
    if (c.opset >= 13) return f(x, axis);
    std::int64_t front = 1, back = 1;
    for (int i = 0; i < shape.rank(); ++i) (i < axis ? front : back) *= shape[i];
    return c.b.reshape(f(c.b.reshape(x, {front, back}), 1), shape);
}

template <bool log>
Values softmax(Call const& c) {
    return {c.in_f32([&](Values const& in) {
        return over_axis(c, in[0], [&](ValueId x, int axis) { return c.b.emit(dense::Softmax{axis, log}, {x}); });
    })};
}

Values hardmax(Call const& c) {
    return {over_axis(c, c.in(0), [&](ValueId x, int axis) {
        Shape line = c.b.shape(x);
        for (int i = 0; i < line.rank(); ++i) line[i] = i == axis ? line[i] : 1;
        std::vector<std::int64_t> places(static_cast<std::size_t>(line[axis]));
        for (std::size_t i = 0; i < places.size(); ++i) places[i] = static_cast<std::int64_t>(i);
        ValueId const best = c.b.emit(dense::ArgReduce{axis}, {x});
        return c.b.cast(c.b.binary(B::equal, c.b.integers_constant(line, places), best), c.b.dtype(x));
    })};
}

ValueId scaled(Builder& b, ValueId x, ValueId scale, ValueId bias) {
    if (scale != kNone) x = b.binary(B::multiply, x, scale);
    return bias == kNone ? x : b.binary(B::add, x, bias);
}

Values layer_norm(Call const& c) {
    int const axis = c.b.axis(c.integer("axis", -1), c.rank(0));
    float const epsilon = c.number("epsilon", 1e-5F);
    Values results{c.in_f32([&](Values const& in) {
        ValueId const x = c.b.emit(dense::Normalise{axis, epsilon, false}, {in[0]});
        return scaled(c.b, x, in.size() > 1 ? in[1] : kNone, in.size() > 2 ? in[2] : kNone);
    })};
    if (c.node.outputs.size() == 1) return results;
    std::uint32_t const axes = all_axes(c.rank(0)) & ~all_axes(axis);
    ValueId const x = c.b.cast(c.in(0), DType::f32);
    ValueId const mean = c.b.reduce(R::mean, x, axes);
    ValueId const square =
        c.b.reduce(R::mean, c.b.binary(B::power, c.b.binary(B::subtract, x, mean), c.b.scalar(DType::f32, 2)), axes);
    ValueId const deviation =
        c.b.unary(U::square_root, c.b.binary(B::add, square, c.b.scalar(DType::f32, static_cast<double>(epsilon))));
    results.push_back(mean);
    results.push_back(c.b.unary(U::reciprocal, deviation));
    return results;
}

Values rms_norm(Call const& c) {
    int const axis = c.b.axis(c.integer("axis", -1), c.rank(0));
    return {c.in_f32([&](Values const& in) {
        return scaled(c.b, c.b.emit(dense::Normalise{axis, c.number("epsilon", 1e-5F), true}, {in[0]}), in[1], kNone);
    })};
}

/// One number per channel, to go with [N, C, …].
ValueId per_channel(Builder& b, ValueId x, int rank) {
    std::vector<std::int64_t> extents(static_cast<std::size_t>(rank), 1);
    extents.at(1) = b.shape(x).count();
    return b.reshape(x, Shape(extents));
}

ValueId grouped_norm(Call const& c, Values const& in, std::int64_t groups) {
    Shape const shape = c.b.shape(in[0]);
    if (shape.rank() < 2 || groups < 1 || shape[1] % groups != 0) c.b.refuse("{} in {} groups", shape.str(), groups);
    std::int64_t const rest = shape.count() / std::max<std::int64_t>(shape[0] * groups, 1);
    ValueId x = c.b.reshape(in[0], {shape[0], groups, rest});
    x = c.b.reshape(c.b.emit(dense::Normalise{2, c.number("epsilon", 1e-5F), false}, {x}), shape);
    auto const spread = [&](ValueId weight) {
        // Up to opset 20 a group had one weight, where its channels have their own now.
        std::int64_t const count = c.b.shape(weight).count();
        ValueId const rows =
            c.b.expand(c.b.reshape(weight, {count, 1}), {count, shape[1] / std::max<std::int64_t>(count, 1)});
        return per_channel(c.b, rows, shape.rank());
    };
    return scaled(c.b, x, spread(in[1]), spread(in[2]));
}

Values instance_norm(Call const& c) {
    return {c.in_f32([&](Values const& in) { return grouped_norm(c, in, c.shape(0)[1]); })};
}
Values group_norm(Call const& c) {
    return {c.in_f32([&](Values const& in) { return grouped_norm(c, in, c.integer("num_groups", 1)); })};
}

Values batch_norm(Call const& c) {
    if (c.integer("training_mode", 0) != 0) c.b.refuse("training is not supported");
    return {c.in_f32([&](Values const& in) {
        int const rank = c.b.shape(in[0]).rank();
        auto const wide = [&](std::size_t i) { return c.b.cast(in.at(i), DType::f64); };
        ValueId const epsilon = c.b.scalar(DType::f64, static_cast<double>(c.number("epsilon", 1e-5F)));
        ValueId const scale =
            c.b.binary(B::divide, wide(1), c.b.unary(U::square_root, c.b.binary(B::add, wide(4), epsilon)));
        ValueId const shift = c.b.binary(B::subtract, wide(2), c.b.binary(B::multiply, wide(3), scale));
        auto const spread = [&](ValueId x) { return per_channel(c.b, c.b.cast(x, DType::f32), rank); };
        return scaled(c.b, in[0], spread(scale), spread(shift));
    })};
}

Values mean_variance_norm(Call const& c) {
    std::uint32_t axes = 0;
    auto stated = c.integers("axes");
    if (stated.empty()) stated = {0, 2, 3};
    for (auto const axis : stated) axes |= 1U << c.b.axis(axis, c.rank(0));
    ValueId const x = c.in(0);
    ValueId const centred = c.b.binary(B::subtract, x, c.b.reduce(R::mean, x, axes));
    ValueId const variance = c.b.reduce(R::mean, c.b.binary(B::multiply, centred, centred), axes);
    ValueId const deviation = c.b.binary(B::add, c.b.unary(U::square_root, variance), c.b.scalar(c.b.dtype(x), 1e-9));
    return {c.b.binary(B::divide, centred, deviation)};
}

Values lp_norm(Call const& c) {
    std::uint32_t const axis = 1U << c.b.axis(c.integer("axis", -1), c.rank(0));
    ValueId const x = c.in(0);
    ValueId norm = c.integer("p", 2) == 1 ? c.b.reduce(R::sum_absolute, x, axis)
                                          : c.b.unary(U::square_root, c.b.reduce(R::sum_square, x, axis));
    // A line of zeros stays one.
    ValueId const zero = c.b.scalar(c.b.dtype(x), 0);
    norm = c.b.emit(dense::Where{}, {c.b.binary(B::equal, norm, zero), c.b.scalar(c.b.dtype(x), 1), norm});
    return {c.b.binary(B::divide, x, norm)};
}

/// x / (bias + alpha / size · Σ x² of `size` neighbouring channels)^beta
Values lrn(Call const& c) {
    std::int64_t const size = c.integer("size", 1);
    if (size < 1 || size > 4096 || c.rank(0) < 2) c.b.refuse("{} channels at once", size);
    ValueId const x = c.in(0);
    auto const number = [&](double value) { return c.b.scalar(c.b.dtype(x), value); };
    dense::Pad pad{dense::PadMode::constant, c.shape(0), c.shape(0)};
    for (int i = 0; i < c.rank(0); ++i) pad.before[i] = pad.behind[i] = 0;
    pad.before[1] = (size - 1) / 2;
    pad.behind[1] = size - 1 - pad.before[1];
    ValueId const squares = c.b.emit(pad, {c.b.binary(B::multiply, x, x), number(0)});
    ValueId sum = kNone;
    for (std::int64_t i = 0; i < size; ++i) {
        ValueId const part = c.b.slice(squares, 1, i, c.shape(0)[1]);
        sum = sum == kNone ? part : c.b.binary(B::add, sum, part);
    }
    double const alpha = static_cast<double>(c.number("alpha", 1e-4F)) / static_cast<double>(size);
    ValueId const base = c.b.binary(B::add, c.b.binary(B::multiply, sum, number(alpha)),
                                    number(static_cast<double>(c.number("bias", 1))));
    return {c.b.binary(B::divide, x, c.b.binary(B::power, base, number(static_cast<double>(c.number("beta", 0.75F)))))};
}

Values top_k(Call const& c) {
    std::int64_t const k = c.has(1) ? c.b.integers(c.in(1), "k").at(0) : c.integer("k", 1);
    int const axis = c.b.axis(c.integer("axis", -1), c.rank(0));
    return c.b.emit_all(dense::TopK{axis, k, c.integer("largest", 1) != 0}, {c.in(0)});
}

constexpr auto kReductionRules = std::to_array<NamedRule>({
    {"ReduceSum", reduce<R::sum, After::nothing>},
    {"ReduceMean", reduce<R::mean, After::nothing>},
    {"ReduceMax", reduce<R::maximum, After::nothing>},
    {"ReduceMin", reduce<R::minimum, After::nothing>},
    {"ReduceProd", reduce<R::product, After::nothing>},
    {"ReduceL1", reduce<R::sum_absolute, After::nothing>},
    {"ReduceL2", reduce<R::sum_square, After::root>},
    {"ReduceSumSquare", reduce<R::sum_square, After::nothing>},
    {"ReduceLogSum", reduce<R::sum, After::logarithm>},
    {"ReduceLogSumExp", log_sum_exp},
    {"ArgMax", arg<false>},
    {"ArgMin", arg<true>},
    {"CumSum", cumulate<false>},
    {"CumProd", cumulate<true>},
    {"Softmax", softmax<false>},
    {"LogSoftmax", softmax<true>},
    {"Hardmax", hardmax},
    {"LayerNormalization", layer_norm},
    {"RMSNormalization", rms_norm},
    {"InstanceNormalization", instance_norm},
    {"GroupNormalization", group_norm},
    {"BatchNormalization", batch_norm},
    {"MeanVarianceNormalization", mean_variance_norm},
    {"LpNormalization", lp_norm},
    {"LRN", lrn},
    {"TopK", top_k},
});

}  // namespace

std::span<NamedRule const> reduce_rules() {
    return kReductionRules;
}

}  // namespace vitrum::onnx
