// SPDX-License-Identifier: Apache-2.0
// Quantised values, and the numbers that they stand for.
#include <array>

#include "call.h"

namespace vitrum::onnx {
namespace {

using B = dense::BinaryFunction;
using R = dense::ReduceFunction;
using U = dense::UnaryFunction;
using Values = std::vector<ValueId>;

/// Where a scale or zero point for each block of `size` numbers along an axis goes with x: at each of them.
ValueId repeated_in_blocks(Call const& c, ValueId parameter, int axis, std::int64_t size) {
    Shape const x = c.shape(0);
    Shape blocks = x;
    blocks[axis] = x[axis] / size + (x[axis] % size == 0 ? 0 : 1);
    if (c.b.shape(parameter) != blocks) {
        c.b.refuse("scales of shape {} for {} in blocks of {} along axis {}", c.b.shape(parameter).str(), x.str(), size,
                   axis);
    }
    std::vector<std::int64_t> places(static_cast<std::size_t>(x[axis]));
    for (std::size_t i = 0; i < places.size(); ++i) places[i] = static_cast<std::int64_t>(i) / size;
    return c.b.emit(dense::Gather{dense::IndexMode::axis, axis}, {parameter, c.b.integers_constant({x[axis]}, places)});
}

/// A scale or zero point for all of x, for each slice of an axis or for each block of such, to go with x.
ValueId spread(Call const& c, ValueId parameter) {
    Shape const shape = c.b.shape(parameter), x = c.shape(0);
    std::int64_t const block = c.integer("block_size", 0);
    if (block > 0) return repeated_in_blocks(c, parameter, c.b.axis(c.integer("axis", 1), x.rank()), block);
    if (shape.count() == 1) return c.b.reshape(parameter, {});
    int const axis = c.b.axis(c.integer("axis", 1), x.rank());
    if (shape.rank() != 1 || shape[0] != x[axis]) c.b.refuse("scales of shape {} for {}", shape.str(), x.str());
    std::vector<std::int64_t> extents(static_cast<std::size_t>(x.rank()), 1);
    extents[static_cast<std::size_t>(axis)] = shape[0];
    return c.b.reshape(parameter, Shape(extents));
}

Values quantise(Call const& c) {
    constexpr std::int64_t kUint8 = 2;
    std::int64_t const stated = c.integer("output_dtype", 0);
    ValueId const zero = c.has(2) ? spread(c, c.in(2)) : c.b.scalar(dtype_of(c, stated == 0 ? kUint8 : stated), 0);
    dense::QuantizeLinear const op{.saturates = c.integer("saturate", 1) != 0};
    return {c.b.emit(op, {c.in(0), spread(c, c.in(1)), zero})};
}

Values dequantise(Call const& c) {
    ValueId const zero = c.has(2) ? spread(c, c.in(2)) : c.b.scalar(c.b.dtype(c.in(0)), 0);
    std::int64_t const stated = c.integer("output_dtype", 0);
    dense::DequantizeLinear const op{.to = stated == 0 ? c.b.dtype(c.in(1)) : dtype_of(c, stated)};
    return {c.b.emit(op, {c.in(0), spread(c, c.in(1)), zero})};
}

/// To uint8 by the range of the numbers, zero included.
Values quantise_dynamically(Call const& c) {
    ValueId const x = c.in(0);
    auto const number = [&](double value) { return c.b.scalar(DType::f32, value); };
    std::uint32_t const all = (1U << c.rank(0)) - 1;
    ValueId const low = c.b.reshape(c.b.binary(B::minimum, c.b.reduce(R::minimum, x, all), number(0)), {});
    ValueId const high = c.b.reshape(c.b.binary(B::maximum, c.b.reduce(R::maximum, x, all), number(0)), {});
    ValueId const scale = c.b.binary(B::divide, c.b.binary(B::subtract, high, low), number(255));
    ValueId const none = c.b.scalar(DType::u8, 0);
    ValueId const zero = c.b.emit(dense::QuantizeLinear{}, {c.b.unary(U::negate, low), scale, none});
    return {c.b.emit(dense::QuantizeLinear{}, {x, scale, zero}), scale, zero};
}

constexpr auto kQuantisationRules = std::to_array<NamedRule>(
    {{"QuantizeLinear", quantise}, {"DequantizeLinear", dequantise}, {"DynamicQuantizeLinear", quantise_dynamically}});

}  // namespace

std::span<NamedRule const> quantise_rules() {
    return kQuantisationRules;
}

}  // namespace vitrum::onnx
