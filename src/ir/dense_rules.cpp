// SPDX-License-Identifier: Apache-2.0
// The shape and type rule of every operator on dense values.
#include <algorithm>

#include <fmt/core.h>

#include "ir/dense_op.h"

namespace vitrum {
namespace {

using namespace dense;
using Types = std::span<DenseType const>;

DenseOutcome one(DType dtype, Shape const& shape) {
    return {{{dtype, shape}}, ""};
}
template <class... Args>
DenseOutcome wrong(fmt::format_string<Args...> text, Args&&... args) {
    return {{}, fmt::format(text, std::forward<Args>(args)...)};
}

bool has_axis(Shape const& shape, int axis) {
    return axis >= 0 && axis < shape.rank();
}
bool all_positive(Shape const& shape) {
    return std::ranges::all_of(shape, [](std::int64_t extent) { return extent > 0; });
}
bool none_negative(Shape const& shape) {
    return std::ranges::none_of(shape, [](std::int64_t extent) { return extent < 0; });
}

DenseOutcome rule(Unary const& op, Types in) {
    using F = UnaryFunction;
    DType const type = in[0].dtype;
    if (op.function == F::logical_not && type != DType::boolean) return wrong("Not of {}", in[0].str());
    bool const tells = op.function >= F::logical_not;
    if (op.function == F::bitwise_not && is_floating(type)) return wrong("BitwiseNot of {}", in[0].str());
    return one(tells ? DType::boolean : type, in[0].shape);
}

DenseOutcome rule(Binary const& op, Types in) {
    using F = BinaryFunction;
    auto const shape = broadcast(in[0].shape, in[1].shape);
    if (!shape || in[0].dtype != in[1].dtype) return wrong("{} and {} do not go together", in[0].str(), in[1].str());
    bool const bits = op.function >= F::shift_left && op.function <= F::bitwise_xor;
    if (bits && is_floating(in[0].dtype)) return wrong("bits of {}", in[0].str());
    if (in[0].dtype == DType::text && op.function != F::equal) return wrong("strings are compared for equality only");
    if (op.function >= F::logical_and && in[0].dtype != DType::boolean) return wrong("logic of {}", in[0].str());
    return one(op.function >= F::equal ? DType::boolean : in[0].dtype, *shape);
}

DenseOutcome rule(Where const&, Types in) {
    auto const values = broadcast(in[1].shape, in[2].shape);
    auto const shape = values ? broadcast(in[0].shape, *values) : std::nullopt;
    if (!shape || in[0].dtype != DType::boolean || in[1].dtype != in[2].dtype) {
        return wrong("{}, {} and {} do not go together", in[0].str(), in[1].str(), in[2].str());
    }
    return one(in[1].dtype, *shape);
}

DenseOutcome rule(Cast const& op, Types in) {
    if ((in[0].dtype == DType::text) != (op.to == DType::text)) return wrong("strings are compared only");
    return one(op.to, in[0].shape);
}

/// Whether scales and zero points are repeated over x.
bool repeat_over(Types in) {
    Shape const& x = in[0].shape;
    return broadcast(in[1].shape, x) == x && broadcast(in[2].shape, x) == x;
}
/// Numbers that float32 stands for.
bool fits_float32(DType type) {
    return (is_floating(type) && type != DType::f64) || type == DType::i32;
}

DenseOutcome rule(QuantizeLinear const&, Types in) {
    DType const to = in[2].dtype;
    bool const quantises = step_range(to) || (is_floating(to) && is_narrow(to));
    if (!quantises) return wrong("quantised to {}", name_of(to));
    if (!repeat_over(in) || !fits_float32(in[0].dtype) || !fits_float32(in[1].dtype)) {
        return wrong("{} cannot be quantised with scales {} and zero points {}", in[0].str(), in[1].str(), in[2].str());
    }
    return one(to, in[0].shape);
}

DenseOutcome rule(DequantizeLinear const& op, Types in) {
    DType const from = in[0].dtype;
    bool const fits = step_range(from) || from == DType::i32 || (is_floating(from) && is_narrow(from));
    if (!fits || !repeat_over(in) || in[2].dtype != from || !fits_float32(in[1].dtype) || !is_floating(op.to)) {
        return wrong("{} cannot stand for numbers with scales {} and zero points {}", in[0].str(), in[1].str(),
                     in[2].str());
    }
    return one(op.to, in[0].shape);
}

DenseOutcome rule(Reduce const& op, Types in) {
    Shape shape = in[0].shape;
    if (op.axes >> shape.rank() != 0) return wrong("no such axis in {}", in[0].str());
    bool const empty = in[0].shape.count() == 0;
    for (int i = 0; i < shape.rank(); ++i) {
        if ((op.axes >> i & 1) != 0) shape[i] = 1;
    }
    bool const needs = op.function == ReduceFunction::mean && !is_floating(in[0].dtype);
    if (needs && empty) return wrong("the mean of no integer");
    return one(in[0].dtype, shape);
}

DenseOutcome rule(ArgReduce const& op, Types in) {
    if (!has_axis(in[0].shape, op.axis)) return wrong("no axis {} in {}", op.axis, in[0].str());
    if (in[0].shape[op.axis] == 0) return wrong("no largest of nothing");
    Shape shape = in[0].shape;
    shape[op.axis] = 1;
    return one(DType::i64, shape);
}

DenseOutcome rule(Cumulate const& op, Types in) {
    if (!has_axis(in[0].shape, op.axis)) return wrong("no axis {} in {}", op.axis, in[0].str());
    return one(in[0].dtype, in[0].shape);
}

DenseOutcome rule(Restride const& op, Types in) {
    auto const count = op.shape.checked_count();
    if (!count || op.strides.rank() != op.shape.rank()) return wrong("impossible extents {}", op.shape.str());
    std::int64_t lowest = op.offset, highest = op.offset;
    for (int i = 0; i < op.shape.rank(); ++i) {
        std::int64_t reach = 0;
        if (__builtin_mul_overflow(op.shape[i] - 1, op.strides[i], &reach)) return wrong("impossible strides");
        (reach < 0 ? lowest : highest) += reach;
    }
    bool const inside = *count == 0 || (lowest >= 0 && highest < in[0].shape.count());
    if (!inside) return wrong("{} at strides {} leaves {}", op.shape.str(), op.strides.str(), in[0].str());
    return one(in[0].dtype, op.shape);
}

DenseOutcome rule(Pad const& op, Types in) {
    Shape shape = in[0].shape;
    bool const fits = op.before.rank() == shape.rank() && op.behind.rank() == shape.rank() &&
                      none_negative(op.before) && none_negative(op.behind) && in[1].dtype == in[0].dtype &&
                      in[1].shape.count() == 1;
    if (!fits) return wrong("padding does not fit {}", in[0].str());
    for (int i = 0; i < shape.rank(); ++i) {
        bool const grows = op.before[i] + op.behind[i] > 0;
        if (grows && shape[i] == 0 && op.mode != PadMode::constant)
            return wrong("nothing to repeat in {}", in[0].str());
        if (__builtin_add_overflow(shape[i], op.before[i] + op.behind[i], &shape[i]))
            return wrong("impossible padding");
    }
    return one(in[0].dtype, shape);
}

DenseOutcome rule(Concat const& op, Types in) {
    Shape shape = in[0].shape;
    if (!has_axis(shape, op.axis)) return wrong("no axis {} in {}", op.axis, in[0].str());
    for (DenseType const& next : in.subspan(1)) {
        Shape rest = next.shape;
        if (rest.rank() == shape.rank()) rest[op.axis] = shape[op.axis];
        if (rest != shape || next.dtype != in[0].dtype) return wrong("{} cannot follow {}", next.str(), in[0].str());
        shape[op.axis] += next.shape[op.axis];
    }
    return one(in[0].dtype, shape);
}

/// x's extents from dimension `from` on, behind those of `front`.
std::optional<Shape> joined(std::span<std::int64_t const> front, Shape const& x, int from) {
    std::vector<std::int64_t> extents(front.begin(), front.end());
    for (int i = from; i < x.rank(); ++i) extents.push_back(x[i]);
    if (extents.size() > Shape::kMaxRank) return std::nullopt;
    return Shape(extents);
}

/// What indexing by tuples reads: [n…, i…, b…], or nothing.
std::optional<Shape> tuple_shape(Shape const& x, Shape const& indices, int shared) {
    if (indices.rank() < 1 || shared < 0 || shared >= std::min(x.rank(), indices.rank())) return std::nullopt;
    for (int i = 0; i < shared; ++i) {
        if (x[i] != indices[i]) return std::nullopt;
    }
    auto const width = indices[indices.rank() - 1];
    if (width < 0 || shared + width > x.rank()) return std::nullopt;
    return joined({indices.begin(), static_cast<std::size_t>(indices.rank() - 1)}, x, shared + static_cast<int>(width));
}

DenseOutcome rule(Gather const& op, Types in) {
    Shape const &x = in[0].shape, &indices = in[1].shape;
    std::optional<Shape> shape;
    if (in[1].dtype == DType::i64 && op.mode == IndexMode::tuples) {
        shape = tuple_shape(x, indices, op.axis);
    } else if (in[1].dtype == DType::i64 && has_axis(x, op.axis)) {
        if (op.mode == IndexMode::elements && indices.rank() == x.rank()) shape = indices;
        std::vector<std::int64_t> front(x.begin(), x.begin() + op.axis);
        front.insert(front.end(), indices.begin(), indices.end());
        if (op.mode == IndexMode::axis && front.size() <= Shape::kMaxRank) shape = joined(front, x, op.axis + 1);
        for (int i = 0; shape && op.mode == IndexMode::elements && i < x.rank(); ++i) {
            if (i != op.axis && indices[i] > x[i]) shape = std::nullopt;
        }
    }
    if (!shape || (shape->count() > 0 && x.count() == 0))
        return wrong("{} cannot be read at {}", in[0].str(), in[1].str());
    return one(in[0].dtype, *shape);
}

DenseOutcome rule(Scatter const& op, Types in) {
    Shape const &x = in[0].shape, &indices = in[1].shape, &updates = in[2].shape;
    bool fits = in[1].dtype == DType::i64 && in[2].dtype == in[0].dtype;
    if (op.mode == IndexMode::tuples) {
        fits = fits && op.axis == 0 && tuple_shape(x, indices, 0) == updates;
    } else {
        fits = fits && op.mode == IndexMode::elements && has_axis(x, op.axis) && indices == updates &&
               indices.rank() == x.rank();
        for (int i = 0; fits && i < x.rank(); ++i) fits = i == op.axis || indices[i] <= x[i];
    }
    if (!fits) return wrong("{} cannot be written to {} at {}", in[2].str(), in[0].str(), in[1].str());
    return one(in[0].dtype, x);
}

DenseOutcome rule(MatMul const&, Types in) {
    Shape const &a = in[0].shape, &b = in[1].shape;
    bool const matrices = in[0].dtype == DType::f32 && in[1].dtype == DType::f32 && a.rank() >= 2 && b.rank() >= 2;
    if (matrices && a[a.rank() - 1] == b[b.rank() - 2]) {
        auto const batch = [](Shape const& s) {
            return Shape(std::span(s.begin(), static_cast<std::size_t>(s.rank() - 2)));
        };
        if (auto const shared = broadcast(batch(a), batch(b))) {
            std::vector<std::int64_t> extents(shared->begin(), shared->end());
            extents.push_back(a[a.rank() - 2]);
            extents.push_back(b[b.rank() - 1]);
            return one(DType::f32, Shape(extents));
        }
    }
    return wrong("{} cannot be multiplied by {}", in[0].str(), in[1].str());
}

/// Whether x, weight and bias are those of some convolution with that many spatial dimensions in each of the fields.
bool is_convolution(Types in, int groups, int out_axis, std::initializer_list<Shape const*> fields) {
    Shape const &x = in[0].shape, &weight = in[1].shape, &bias = in[2].shape;
    int const spatial = x.rank() - 2;
    bool fits = spatial >= 1 && spatial <= 3 && weight.rank() == x.rank() && bias.rank() == 1 && groups >= 1;
    for (DenseType const& type : in) fits = fits && type.dtype == DType::f32;
    for (Shape const* const field : fields) fits = fits && field->rank() == spatial;
    if (!fits || !all_positive(weight)) return false;
    bool const forward = out_axis == 0;
    std::int64_t const channels = forward ? weight[1] * groups : weight[0];
    std::int64_t const out = forward ? weight[0] : weight[1] * groups;
    return x[1] == channels && bias[0] == out && channels % groups == 0 && out % groups == 0;
}

DenseOutcome rule(Convolution const& op, Types in) {
    bool const fits = is_convolution(in, op.groups, 0, {&op.strides, &op.dilations, &op.before, &op.behind}) &&
                      all_positive(op.strides) && all_positive(op.dilations);
    if (!fits) return wrong("{} does not fit {} in {} groups", in[1].str(), in[0].str(), op.groups);
    Shape shape = in[0].shape;
    shape[1] = in[1].shape[0];
    for (int i = 0; i < op.strides.rank(); ++i) {
        auto const taps = op.dilations[i] * (in[1].shape[i + 2] - 1) + 1;
        auto const room = shape[i + 2] + op.before[i] + op.behind[i] - taps;
        if (room < 0) return wrong("{} is smaller than the kernel {}", in[0].str(), in[1].str());
        shape[i + 2] = room / op.strides[i] + 1;
    }
    return one(DType::f32, shape);
}

DenseOutcome rule(TransposedConvolution const& op, Types in) {
    bool const fits = is_convolution(in, op.groups, 1, {&op.strides, &op.dilations, &op.before, &op.output}) &&
                      all_positive(op.strides) && all_positive(op.dilations) && all_positive(op.output);
    if (!fits) return wrong("{} does not fit {} in {} groups", in[1].str(), in[0].str(), op.groups);
    Shape shape = in[0].shape;
    shape[1] = in[1].shape[1] * op.groups;
    for (int i = 0; i < op.output.rank(); ++i) shape[i + 2] = op.output[i];
    return one(DType::f32, shape);
}

DenseOutcome rule(Pool const& op, Types in) {
    Shape shape = in[0].shape;
    int const spatial = shape.rank() - 2;
    bool fits = in[0].dtype == DType::f32 && spatial >= 1 && spatial <= 3 && op.p >= 1;
    for (Shape const* const field : {&op.kernel, &op.strides, &op.dilations, &op.output}) {
        fits = fits && field->rank() == spatial && all_positive(*field);
    }
    for (Shape const* const field : {&op.before, &op.behind})
        fits = fits && field->rank() == spatial && none_negative(*field);
    if (!fits) return wrong("{} cannot be pooled by {}", in[0].str(), op.kernel.str());
    for (int i = 0; i < spatial; ++i) shape[i + 2] = op.output[i];
    return one(op.function == PoolFunction::maximum_place ? DType::i64 : DType::f32, shape);
}

DenseOutcome rule(Softmax const& op, Types in) {
    if (in[0].dtype != DType::f32 || !has_axis(in[0].shape, op.axis))
        return wrong("no axis {} in {}", op.axis, in[0].str());
    return one(DType::f32, in[0].shape);
}

DenseOutcome rule(Normalise const& op, Types in) {
    if (in[0].dtype != DType::f32 || !has_axis(in[0].shape, op.axis))
        return wrong("no axis {} in {}", op.axis, in[0].str());
    return one(DType::f32, in[0].shape);
}

DenseOutcome rule(Taps const& op, Types in) {
    bool const fits = in[0].dtype == DType::f32 && has_axis(in[0].shape, op.axis) && in[1].dtype == DType::i64 &&
                      in[2].dtype == DType::f32 && in[1].shape.rank() == 2 && in[1].shape == in[2].shape &&
                      in[1].shape[1] >= 1 && in[0].shape[op.axis] >= 1;
    if (!fits) return wrong("{} cannot be resampled", in[0].str());
    Shape shape = in[0].shape;
    shape[op.axis] = in[1].shape[0];
    return one(DType::f32, shape);
}

DenseOutcome rule(GridSample const&, Types in) {
    Shape const &x = in[0].shape, &grid = in[1].shape;
    int const spatial = x.rank() - 2;
    bool const fits = in[0].dtype == DType::f32 && in[1].dtype == DType::f32 && spatial >= 1 && spatial <= 3 &&
                      grid.rank() == x.rank() && x[0] == grid[0] && grid[spatial + 1] == spatial && all_positive(x);
    if (!fits) return wrong("{} cannot be sampled at {}", in[0].str(), in[1].str());
    Shape shape = x;
    for (int i = 0; i < spatial; ++i) shape[i + 2] = grid[i + 1];
    return one(DType::f32, shape);
}

DenseOutcome rule(TopK const& op, Types in) {
    if (!has_axis(in[0].shape, op.axis) || op.k < 0 || op.k > in[0].shape[op.axis]) {
        return wrong("no {} numbers along axis {} of {}", op.k, op.axis, in[0].str());
    }
    Shape shape = in[0].shape;
    shape[op.axis] = op.k;
    return {{{in[0].dtype, shape}, {DType::i64, shape}}, ""};
}

template <class O>
constexpr std::size_t kInputsOf = 1;
template <>
constexpr std::size_t kInputsOf<Binary> = 2;
template <>
constexpr std::size_t kInputsOf<Where> = 3;
template <>
constexpr std::size_t kInputsOf<QuantizeLinear> = 3;
template <>
constexpr std::size_t kInputsOf<DequantizeLinear> = 3;
template <>
constexpr std::size_t kInputsOf<Pad> = 2;
template <>
constexpr std::size_t kInputsOf<Gather> = 2;
template <>
constexpr std::size_t kInputsOf<Scatter> = 3;
template <>
constexpr std::size_t kInputsOf<MatMul> = 2;
template <>
constexpr std::size_t kInputsOf<Convolution> = 3;
template <>
constexpr std::size_t kInputsOf<TransposedConvolution> = 3;
template <>
constexpr std::size_t kInputsOf<Taps> = 3;
template <>
constexpr std::size_t kInputsOf<GridSample> = 2;

}  // namespace

std::optional<StepRange> dense::step_range(DType type) {
    switch (type) {
        case DType::u8: return StepRange{0, 255};
        case DType::i8: return StepRange{-128, 127};
        case DType::u16: return StepRange{0, 65535};
        case DType::i16: return StepRange{-32768, 32767};
        case DType::u4: return StepRange{0, 15};
        case DType::i4: return StepRange{-8, 7};
        case DType::u2: return StepRange{0, 3};
        case DType::i2: return StepRange{-2, 1};
        default: return std::nullopt;
    }
}

std::optional<Shape> broadcast(Shape const& a, Shape const& b) {
    int const rank = std::max(a.rank(), b.rank());
    std::vector<std::int64_t> extents(static_cast<std::size_t>(rank), 1);
    for (int i = 0; i < rank; ++i) {
        std::int64_t const of_a = i < rank - a.rank() ? 1 : a[i - (rank - a.rank())];
        std::int64_t const of_b = i < rank - b.rank() ? 1 : b[i - (rank - b.rank())];
        if (of_a != of_b && of_a != 1 && of_b != 1) return std::nullopt;
        extents[static_cast<std::size_t>(i)] = of_a == 1 ? of_b : of_a;
    }
    return Shape(extents);
}

DenseOutcome dense_outcome(Dense const& dense_op, std::span<DenseType const> inputs) {
    // Far beyond any tensor that fits into memory, and small enough that no sum of offsets overflows.
    constexpr std::int64_t kMostElements = std::int64_t{1} << 48;
    DenseOutcome outcome = std::visit(
        [&]<class O>(O const& op) -> DenseOutcome {
            bool const variadic = std::is_same_v<O, Concat>;
            if (inputs.empty() || (!variadic && inputs.size() != kInputsOf<O>)) return wrong("wrong number of inputs");
            return rule(op, inputs);
        },
        dense_op.op);
    for (DenseType const& output : outcome.outputs) {
        auto const count = output.shape.checked_count();
        if (!count || *count > kMostElements) return wrong("the result {} is larger than any memory", output.str());
    }
    return outcome;
}

}  // namespace vitrum
