// SPDX-License-Identifier: Apache-2.0
// Operators that read, write or make numbers by their places.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "call.h"

namespace vitrum::onnx {
namespace {

using B = dense::BinaryFunction;
using Values = std::vector<ValueId>;
using Integers = std::vector<std::int64_t>;

/// Indices that are known are checked here; kernels hold the others inside.
ValueId indices(Call const& c, ValueId id, std::int64_t extent) {
    ValueId const wide = c.b.cast(id, DType::i64);
    if (!c.b.is_known(wide)) return wide;
    for (auto const index : c.b.integers(wide, "indices")) {
        if (index < -extent || index >= extent) c.b.refuse("index {} of {}", index, extent);
    }
    return wide;
}

Values gather(Call const& c) {
    int const axis = c.b.axis(c.integer("axis", 0), c.rank(0));
    return {c.b.emit(dense::Gather{dense::IndexMode::axis, axis}, {c.in(0), indices(c, c.in(1), c.shape(0)[axis])})};
}
Values gather_elements(Call const& c) {
    int const axis = c.b.axis(c.integer("axis", 0), c.rank(0));
    return {
        c.b.emit(dense::Gather{dense::IndexMode::elements, axis}, {c.in(0), indices(c, c.in(1), c.shape(0)[axis])})};
}
Values gather_nd(Call const& c) {
    auto const shared = static_cast<int>(c.integer("batch_dims", 0));
    return {c.b.emit(dense::Gather{dense::IndexMode::tuples, shared}, {c.in(0), c.in(1)})};
}

dense::Combine combine(Call const& c) {
    std::string_view const how = c.text("reduction", "none");
    if (how == "none") return dense::Combine::replace;
    if (how == "add") return dense::Combine::add;
    if (how == "mul") return dense::Combine::multiply;
    if (how == "max") return dense::Combine::maximum;
    if (how == "min") return dense::Combine::minimum;
    c.b.refuse("reduction {}", how);
}
Values scatter_elements(Call const& c) {
    int const axis = c.b.axis(c.integer("axis", 0), c.rank(0));
    return {c.b.emit(dense::Scatter{dense::IndexMode::elements, axis, combine(c)},
                     {c.in(0), indices(c, c.in(1), c.shape(0)[axis]), c.in(2)})};
}
Values scatter_nd(Call const& c) {
    return {c.b.emit(dense::Scatter{dense::IndexMode::tuples, 0, combine(c)}, {c.in(0), c.in(1), c.in(2)})};
}

/// 0, 1, … as int64 [count].
ValueId counting(Call const& c, std::int64_t count) {
    Integers numbers(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<std::int64_t>(i);
    return c.b.integers_constant({count}, numbers);
}

Values range(Call const& c) {
    DType const type = c.b.dtype(c.in(0));
    double const start = c.b.numbers(c.in(0), "start").at(0), limit = c.b.numbers(c.in(1), "limit").at(0);
    double const delta = c.b.numbers(c.in(2), "delta").at(0);
    double const count = std::max(std::ceil((limit - start) / delta), 0.0);
    if (!(count < 0x1p40)) c.b.refuse("{} numbers", count);
    std::vector<double> numbers(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = start + static_cast<double>(i) * delta;
    return {c.b.constant(type, {std::ssize(numbers)}, numbers)};
}

Constant as_constant(OnnxTensor const& tensor) {
    auto owner = std::make_shared<std::vector<double>>(tensor.bytes.size() / sizeof(double) + 1);  // aligned
    std::ranges::copy(tensor.bytes, reinterpret_cast<std::byte*>(owner->data()));
    return {tensor.shape, reinterpret_cast<float const*>(owner->data()), owner, tensor.dtype};
}

Values constant(Call const& c) {
    if (auto const* const value = c.node.attribute("value"); value != nullptr && value->tensor) {
        return {c.b.constant(as_constant(*value->tensor))};
    }
    if (c.has_attribute("value_int")) {
        std::int64_t const value = c.integer("value_int", 0);
        return {c.b.integers_constant({}, std::span(&value, 1))};
    }
    if (c.has_attribute("value_ints")) {
        auto const values = c.integers("value_ints");
        return {c.b.integers_constant({std::ssize(values)}, values)};
    }
    if (c.has_attribute("value_float"))
        return {c.b.scalar(DType::f32, static_cast<double>(c.number("value_float", 0)))};
    if (auto const* const floats = c.node.attribute("value_floats")) {
        std::vector<double> const values(floats->numbers.begin(), floats->numbers.end());
        return {c.b.constant(DType::f32, {std::ssize(values)}, values)};
    }
    c.b.refuse("a constant that is no dense tensor of numbers");
}

Values constant_of_shape(Call const& c) {
    Integers const extents = c.b.integers(c.in(0), "shape");
    if (extents.size() > Shape::kMaxRank) c.b.refuse("{} dimensions", extents.size());
    auto const* const value = c.node.attribute("value");
    ValueId const filler =
        value != nullptr && value->tensor ? c.b.constant(as_constant(*value->tensor)) : c.b.scalar(DType::f32, 0);
    Shape const shape{std::span<std::int64_t const>(extents)};
    if (!shape.checked_count()) c.b.refuse("impossible extents {}", shape.str());
    return {c.b.expand(c.b.reshape(filler, {}), shape)};
}

/// Where j − i ≥ k (or ≤ k): what the triangle keeps.
Values trilu(Call const& c) {
    Shape const shape = c.shape(0);
    if (shape.rank() < 2) c.b.refuse("no matrix");
    std::int64_t const k = c.has(1) ? c.b.integers(c.in(1), "k").at(0) : 0;
    std::int64_t const rows = shape[shape.rank() - 2], columns = shape[shape.rank() - 1];
    ValueId const row = c.b.reshape(counting(c, rows), {rows, 1});
    ValueId const limit = c.b.binary(B::add, row, c.b.scalar(DType::i64, static_cast<double>(k)));
    bool const upper = c.integer("upper", 1) != 0;
    ValueId const keeps = c.b.binary(upper ? B::greater_or_equal : B::less_or_equal, counting(c, columns), limit);
    return {c.b.emit(dense::Where{}, {keeps, c.in(0), c.b.scalar(c.b.dtype(c.in(0)), 0)})};
}

Values eye_like(Call const& c) {
    Shape const shape = c.shape(0);
    if (shape.rank() != 2) c.b.refuse("no matrix");
    DType const type = c.has_attribute("dtype") ? dtype_of(c, c.integer("dtype", 1)) : c.b.dtype(c.in(0));
    ValueId const row = c.b.reshape(counting(c, shape[0]), {shape[0], 1});
    ValueId const shifted = c.b.binary(B::add, row, c.b.scalar(DType::i64, static_cast<double>(c.integer("k", 0))));
    return {c.b.cast(c.b.binary(B::equal, counting(c, shape[1]), shifted), type)};
}

Values one_hot(Call const& c) {
    std::int64_t const depth = c.b.integers(c.in(1), "depth").at(0);
    if (depth < 0 || depth > (1 << 24)) c.b.refuse("depth {}", depth);
    int const rank = c.rank(0) + 1;
    int const axis = c.b.axis(c.integer("axis", -1), rank);
    Shape const from = c.shape(0);
    Integers extents(from.begin(), from.end());
    extents.insert(extents.begin() + axis, 1);
    Integers line(static_cast<std::size_t>(rank), 1);
    line[static_cast<std::size_t>(axis)] = depth;
    ValueId index = c.b.reshape(c.b.cast(c.in(0), DType::i64), c.b.sized(extents));
    index = c.b.binary(B::modulo, index, c.b.scalar(DType::i64, static_cast<double>(depth)));
    ValueId const is_hot = c.b.binary(B::equal, c.b.reshape(counting(c, depth), Shape(line)), index);
    ValueId const off = c.b.reshape(c.b.slice(c.in(2), 0, 0, 1), {}), on = c.b.reshape(c.b.slice(c.in(2), 0, 1, 1), {});
    ValueId const inside = c.b.emit(dense::Where{}, {is_hot, on, off});
    // An index beyond the depth is hot nowhere, and modulo would bring it back inside.
    ValueId const original = c.b.reshape(c.b.cast(c.in(0), DType::i64), Shape(extents));
    ValueId const fits =
        c.b.binary(B::logical_and, c.b.binary(B::less, original, c.b.scalar(DType::i64, static_cast<double>(depth))),
                   c.b.binary(B::greater_or_equal, original, c.b.scalar(DType::i64, -static_cast<double>(depth))));
    return {c.b.emit(dense::Where{}, {fits, inside, off})};
}

/// Places of numbers that are not zero: how many there are must be known.
Values non_zero(Call const& c) {
    std::vector<double> const numbers = c.b.numbers(c.in(0), "argument");
    Shape const shape = c.shape(0), strides = shape.contiguous_strides();
    std::vector<Integers> places(static_cast<std::size_t>(shape.rank()));
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        if (numbers[i] == 0) continue;
        for (int d = 0; d < shape.rank(); ++d) {
            places[static_cast<std::size_t>(d)].push_back(static_cast<std::int64_t>(i) / strides[d] % shape[d]);
        }
    }
    Integers all;
    for (Integers const& line : places) all.insert(all.end(), line.begin(), line.end());
    std::int64_t const count = places.empty() ? 0 : std::ssize(places.front());
    return {c.b.integers_constant({shape.rank(), count}, all)};
}

Values compress(Call const& c) {
    Integers const keeps = c.b.integers(c.in(1), "condition");
    Integers kept;
    for (std::size_t i = 0; i < keeps.size(); ++i) {
        if (keeps[i] != 0) kept.push_back(static_cast<std::int64_t>(i));
    }
    bool const flat = !c.has_attribute("axis");
    ValueId const x = flat ? c.b.reshape(c.in(0), {c.shape(0).count()}) : c.in(0);
    int const axis = flat ? 0 : c.b.axis(c.integer("axis", 0), c.rank(0));
    ValueId const places = indices(c, c.b.integers_constant({std::ssize(kept)}, kept), c.b.shape(x)[axis]);
    return {c.b.emit(dense::Gather{dense::IndexMode::axis, axis}, {x, places})};
}

constexpr auto kIndexRules = std::to_array<NamedRule>({
    {"Gather", gather},
    {"GatherElements", gather_elements},
    {"GatherND", gather_nd},
    {"ScatterElements", scatter_elements},
    {"Scatter", scatter_elements},
    {"ScatterND", scatter_nd},
    {"Range", range},
    {"Constant", constant},
    {"ConstantOfShape", constant_of_shape},
    {"Trilu", trilu},
    {"EyeLike", eye_like},
    {"OneHot", one_hot},
    {"NonZero", non_zero},
    {"Compress", compress},
});

}  // namespace

std::span<NamedRule const> index_rules() {
    return kIndexRules;
}

}  // namespace vitrum::onnx
