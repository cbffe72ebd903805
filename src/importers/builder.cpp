// SPDX-License-Identifier: Apache-2.0
#include "builder.h"

#include <algorithm>

#include "base/buffer.h"

namespace vitrum::onnx {
namespace {

Constant empty_constant(DenseType const& type) {
    auto const bytes = static_cast<std::size_t>(type.shape.count()) * size_of(type.dtype);
    auto buffer = std::make_shared<Buffer>(std::max<std::size_t>(bytes, 1));
    return {type.shape, buffer->floats(), buffer, type.dtype};
}

TensorView view_of(Constant const& constant) {
    return {const_cast<std::byte*>(constant.bytes()), constant.dtype, constant.shape,
            constant.shape.contiguous_strides()};
}

template <class T>
std::vector<T> converted(Constant const& constant) {
    std::vector<T> values(static_cast<std::size_t>(constant.shape.count()));
    for (std::size_t i = 0; i < values.size(); ++i) {
        std::byte const* const at = constant.bytes() + i * size_of(constant.dtype);
        switch (constant.dtype) {
            case DType::i64: values[i] = static_cast<T>(*reinterpret_cast<std::int64_t const*>(at)); break;
            case DType::f64: values[i] = static_cast<T>(*reinterpret_cast<double const*>(at)); break;
            default: {
                float value = 0;
                copy_to_f32({at, constant.dtype, {}, {}}, &value);
                values[i] = static_cast<T>(value);
            }
        }
    }
    return values;
}

}  // namespace

std::vector<ValueId> Builder::emit_all(dense::Op const& op, std::vector<ValueId> inputs) {
    Dense const dense_op{op};
    std::vector<DenseType> types;
    for (ValueId const input : inputs) types.push_back(type(input));
    DenseOutcome const outcome = dense_outcome(dense_op, types);
    if (!outcome.violation.empty()) refuse("{}", outcome.violation);
    if (std::ranges::all_of(inputs, [&](ValueId id) { return is_known(id); })) {
        std::vector<ValueId> made;
        evaluate(dense_op, inputs, outcome.outputs, made);
        return made;
    }
    return graph.add_all(dense_op, std::move(inputs), provenance_);
}

void Builder::evaluate(Dense const& op, std::vector<ValueId> const& inputs, std::vector<DenseType> const& outputs,
                       std::vector<ValueId>& made) {
    Problem problem;
    std::vector<TensorView> in, out;
    std::vector<Constant> results;
    for (ValueId const id : inputs) {
        in.push_back(view_of(*graph.value(id).constant));
        problem.inputs.push_back(in.back().shape);
        problem.present.push_back(true);
    }
    constexpr std::size_t kMostBytes = std::size_t{1} << 31;  // no mask or table of a network comes near
    for (DenseType const& type : outputs) {
        if (static_cast<std::size_t>(type.shape.count()) > kMostBytes / size_of(type.dtype)) {
            refuse("{} is too large to be computed beforehand", type.str());
        }
        results.push_back(empty_constant(type));
        out.push_back(view_of(results.back()));
        problem.outputs.push_back(type.shape);
    }
    Op const whole = op;
    Selection const selection = evaluator_.select(whole, problem, 1);
    VITRUM_ASSERT(selection.launch != nullptr);
    Buffer const workspace(selection.workspace_bytes + 1);
    selection.launch(whole, {in, out, {}, workspace.data(), &threads_});
    for (Constant& result : results) made.push_back(constant(std::move(result)));
}

std::vector<std::int64_t> Builder::integers(ValueId id, std::string_view what) const {
    if (!is_known(id)) {
        refuse("its {} depends on the numbers of an input; a graph's shapes must follow from the shapes of its inputs",
               what);
    }
    return converted<std::int64_t>(*graph.value(id).constant);
}

std::vector<double> Builder::numbers(ValueId id, std::string_view what) const {
    if (!is_known(id)) refuse("its {} depends on the numbers of an input", what);
    return converted<double>(*graph.value(id).constant);
}

ValueId Builder::constant(DType dtype, Shape const& shape, std::span<double const> values) {
    Constant made = empty_constant({DType::f64, shape});
    std::ranges::copy(values, reinterpret_cast<double*>(const_cast<std::byte*>(made.bytes())));
    return cast(constant(std::move(made)), dtype);
}

ValueId Builder::integers_constant(Shape const& shape, std::span<std::int64_t const> values) {
    Constant made = empty_constant({DType::i64, shape});
    std::ranges::copy(values, reinterpret_cast<std::int64_t*>(const_cast<std::byte*>(made.bytes())));
    return constant(std::move(made));
}

ValueId Builder::reshape(ValueId x, Shape const& to) {
    auto const count = to.checked_count();
    if (!count || *count != shape(x).count()) refuse("{} cannot take the shape {}", type(x).str(), to.str());
    return shape(x) == to ? x : emit(dense::Restride{to, to.contiguous_strides(), 0}, {x});
}

ValueId Builder::transpose(ValueId x, std::vector<int> const& order) {
    Shape const from = shape(x), strides = from.contiguous_strides();
    Shape to = from, to_strides = from;
    if (std::ssize(order) != from.rank()) refuse("{} in an order of {} dimensions", from.str(), order.size());
    bool changes = false;
    for (int i = 0; i < from.rank(); ++i) {
        int const source = order[static_cast<std::size_t>(i)];
        to[i] = from[source];
        to_strides[i] = strides[source];
        changes = changes || source != i;
    }
    return changes ? emit(dense::Restride{to, to_strides, 0}, {x}) : x;
}

ValueId Builder::expand(ValueId x, Shape const& to) {
    Shape const from = shape(x), strides = from.contiguous_strides();
    if (from == to) return x;
    if (broadcast(from, to) != to) refuse("{} cannot be repeated to {}", type(x).str(), to.str());
    Shape to_strides = to;
    int const added = to.rank() - from.rank();
    for (int i = 0; i < to.rank(); ++i) to_strides[i] = i < added || from[i - added] == 1 ? 0 : strides[i - added];
    return emit(dense::Restride{to, to_strides, 0}, {x});
}

ValueId Builder::slice(ValueId x, int axis, std::int64_t start, std::int64_t count, std::int64_t step) {
    Shape to = shape(x), strides = to.contiguous_strides();
    if (start == 0 && count == to[axis] && step == 1) return x;
    to[axis] = count;
    std::int64_t const offset = count == 0 ? 0 : start * strides[axis];
    strides[axis] *= step;
    return emit(dense::Restride{to, strides, offset}, {x});
}

ValueId Builder::concat(std::vector<ValueId> const& parts, int axis) {
    return parts.size() == 1 ? parts.front() : emit(dense::Concat{axis}, parts);
}

int Builder::axis(std::int64_t axis, int rank) const {
    std::int64_t const positive = axis < 0 ? axis + rank : axis;
    if (positive < 0 || positive >= rank) refuse("axis {} of {} dimensions", axis, rank);
    return static_cast<int>(positive);
}

ValueId Builder::to_pixels(ValueId x) {
    ValueId const behind = pixels_behind(x);
    return behind != kNone ? behind : graph.add(ToPixels{}, {x}, provenance_);
}

ValueId Builder::emit_on_pixels(ValueId pixels) {
    ValueId const dense_value = graph.add(ToDense{}, {pixels}, provenance_);
    pixels_[dense_value] = pixels;
    return dense_value;
}

ValueId Builder::copied(ValueId x) {
    Shape const own = shape(x);
    return graph.add(Dense{dense::Restride{own, own.contiguous_strides(), 0}}, {x}, provenance_);
}

}  // namespace vitrum::onnx
