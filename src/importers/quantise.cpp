// SPDX-License-Identifier: Apache-2.0
// Quantised values as the numbers that they stand for. The arithmetic between is float32.
#include <algorithm>
#include <array>

#include "call.h"

namespace vitrum::onnx {
namespace {

using B = dense::BinaryFunction;
using R = dense::ReduceFunction;
using U = dense::UnaryFunction;
using Values = std::vector<ValueId>;

/// A scale or zero point per slice of an axis, to go with x.
ValueId spread(Call const& c, ValueId parameter) {
    Shape const shape = c.b.shape(parameter), x = c.shape(0);
    if (shape.count() == 1) return c.b.reshape(parameter, {});
    int const axis = c.b.axis(c.integer("axis", 1), x.rank());
    if (shape.rank() != 1 || shape[0] != x[axis])
        c.b.refuse("scales of shape {} for {} (blocks are not supported)", shape.str(), x.str());
    std::vector<std::int64_t> extents(static_cast<std::size_t>(x.rank()), 1);
    extents[static_cast<std::size_t>(axis)] = shape[0];
    return c.b.reshape(parameter, Shape(extents));
}

struct Limits {
    double low, high;
};
Limits limits_of(Call const& c, DType type) {
    switch (type) {
        case DType::u8: return {0, 255};
        case DType::i8: return {-128, 127};
        case DType::u16: return {0, 65535};
        case DType::i16: return {-32768, 32767};
        case DType::u4: return {0, 15};
        case DType::i4: return {-8, 7};
        case DType::u2: return {0, 3};
        case DType::i2: return {-2, 1};
        default: c.b.refuse("quantised to {}", name_of(type));
    }
}

ValueId held(Call const& c, ValueId x, DType type) {
    Limits const limits = limits_of(c, type);
    DType const own = c.b.dtype(x);
    x = c.b.binary(B::maximum, x, c.b.scalar(own, limits.low));
    return c.b.cast(c.b.binary(B::minimum, x, c.b.scalar(own, limits.high)), type);
}

Values quantise(Call const& c) {
    ValueId const x = c.b.cast(c.in(0), DType::f32);
    constexpr std::int64_t kUint8 = 2;
    std::int64_t const stated = c.integer("output_dtype", 0);
    DType const type = c.has(2) ? c.b.dtype(c.in(2)) : dtype_of(c, stated == 0 ? kUint8 : stated);
    ValueId y = c.b.binary(B::divide, x, spread(c, c.b.cast(c.in(1), DType::f32)));
    if (!is_floating(type)) y = c.b.unary(U::round_even, y);
    if (c.has(2)) y = c.b.binary(B::add, y, spread(c, c.b.cast(c.in(2), DType::f32)));
    if (!is_floating(type)) return {held(c, y, type)};
    return {c.b.emit(dense::Cast{type, {.saturates = c.integer("saturate", 1) != 0}}, {y})};
}

Values dequantise(Call const& c) {
    ValueId const scale = c.in(1);
    ValueId x = c.b.cast(c.in(0), DType::f32);
    if (c.has(2)) x = c.b.binary(B::subtract, x, spread(c, c.b.cast(c.in(2), DType::f32)));
    return {c.b.cast(c.b.binary(B::multiply, x, spread(c, c.b.cast(scale, DType::f32))), c.b.dtype(scale))};
}

/// To uint8 by the range of the numbers, zero included.
Values quantise_dynamically(Call const& c) {
    ValueId const x = c.in(0);
    auto const number = [&](double value) { return c.b.scalar(DType::f32, value); };
    std::uint32_t const all = (1U << c.rank(0)) - 1;
    ValueId const low = c.b.reshape(c.b.binary(B::minimum, c.b.reduce(R::minimum, x, all), number(0)), {});
    ValueId const high = c.b.reshape(c.b.binary(B::maximum, c.b.reduce(R::maximum, x, all), number(0)), {});
    ValueId const scale = c.b.binary(B::divide, c.b.binary(B::subtract, high, low), number(255));
    ValueId const zero =
        held(c, c.b.unary(U::round_even, c.b.unary(U::negate, c.b.binary(B::divide, low, scale))), DType::u8);
    ValueId const steps = c.b.unary(U::round_even, c.b.binary(B::divide, x, scale));
    return {held(c, c.b.binary(B::add, steps, c.b.cast(zero, DType::f32)), DType::u8), scale, zero};
}

constexpr auto kQuantisationRules = std::to_array<NamedRule>(
    {{"QuantizeLinear", quantise}, {"DequantizeLinear", dequantise}, {"DynamicQuantizeLinear", quantise_dynamically}});

}  // namespace

std::span<NamedRule const> quantise_rules() {
    return kQuantisationRules;
}

}  // namespace vitrum::onnx
