// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "call.h"

namespace vitrum::onnx {
namespace {

using U = dense::UnaryFunction;
using B = dense::BinaryFunction;
using Values = std::vector<ValueId>;

template <U function>
Values unary(Call const& c) {
    return {c.b.unary(function, c.in(0))};
}

/// ReLU and GELU of what the fast operators made stay with them.
ValueId activated(Call const& c, Activation activation, float slope, U otherwise, float a) {
    ValueId const pixels = c.b.pixels_behind(c.in(0));
    if (pixels == kNone) return c.b.unary(otherwise, c.in(0), a);
    return c.b.emit_on_pixels(Activate{activation, slope}, {pixels});
}

Values relu(Call const& c) {
    return {activated(c, Activation::leaky_relu, 0, U::relu, 0)};
}
Values leaky_relu(Call const& c) {
    float const slope = c.number("alpha", 0.01F);
    return {activated(c, Activation::leaky_relu, slope, U::leaky_relu, slope)};
}
Values gelu(Call const& c) {
    if (c.text("approximate", "none") == "tanh") return unary<U::gelu_tanh>(c);
    return {activated(c, Activation::gelu, 0, U::gelu, 0)};
}

/// Functions with one or two parameters, by their names and defaults.
template <U function>
Values with_parameters(Call const& c) {
    switch (function) {
        case U::elu:
        case U::celu:
        case U::thresholded_relu:
        case U::swish: return {c.b.unary(function, c.in(0), c.number("alpha", 1))};
        case U::selu:
            return {c.b.unary(function, c.in(0), c.number("alpha", 1.67326319217681884765625F),
                              c.number("gamma", 1.05070102214813232421875F))};
        case U::hard_sigmoid: return {c.b.unary(function, c.in(0), c.number("alpha", 0.2F), c.number("beta", 0.5F))};
        default: return {c.b.unary(function, c.in(0), c.number("lambd", 0.5F), c.number("bias", 0))};
    }
}

/// Two operands of one type. The sum of two activations of the fast operators stays with them.
template <B function>
Values binary(Call const& c) {
    ValueId const a = c.in(0), b = c.in(1);
    if (function == B::add && c.shape(0) == c.shape(1)) {
        ValueId const left = c.b.pixels_behind(a), right = c.b.pixels_behind(b);
        if (left != kNone && right != kNone) return {c.b.emit_on_pixels(Add{}, {left, right})};
    }
    return {c.b.binary(function, a, b)};
}

/// Of any number of operands.
template <B function>
Values chain(Call const& c) {
    ValueId result = c.in(0);
    for (std::size_t i = 1; i < c.inputs.size(); ++i) result = c.b.binary(function, result, c.in(i));
    return {result};
}

Values mean(Call const& c) {
    ValueId const sum = chain<B::add>(c).front();
    return {c.b.binary(B::divide, sum, c.b.scalar(c.b.dtype(sum), static_cast<double>(c.inputs.size())))};
}

Values pow(Call const& c) {
    DType const type = c.b.dtype(c.in(0)), exponent = c.b.dtype(c.in(1));
    DType const common = is_floating(exponent) && !is_floating(type) ? exponent : type;
    return {c.b.cast(c.b.binary(B::power, c.b.cast(c.in(0), common), c.b.cast(c.in(1), common)), type)};
}

Values mod(Call const& c) {
    return {c.b.binary(c.integer("fmod", 0) != 0 ? B::remainder : B::modulo, c.in(0), c.in(1))};
}

Values bit_shift(Call const& c) {
    return {c.b.binary(c.text("direction", "LEFT") == "LEFT" ? B::shift_left : B::shift_right, c.in(0), c.in(1))};
}

Values clip(Call const& c) {
    ValueId x = c.in(0);
    DType const type = c.b.dtype(x);
    auto const bound = [&](std::size_t i, std::string_view name) {
        if (c.has(i)) return c.in(i);
        return c.has_attribute(name) ? c.b.scalar(type, static_cast<double>(c.number(name, 0))) : kNone;
    };
    ValueId const low = bound(1, "min"), high = bound(2, "max");
    if (low != kNone) x = c.b.binary(B::maximum, x, low);
    if (high != kNone) x = c.b.binary(B::minimum, x, high);
    return {x};
}

Values is_inf(Call const& c) {
    ValueId const x = c.in(0);
    bool const up = c.integer("detect_positive", 1) != 0, down = c.integer("detect_negative", 1) != 0;
    ValueId const above = c.b.unary(U::is_positive_infinity, x), below = c.b.unary(U::is_negative_infinity, x);
    if (up && down) return {c.b.binary(B::logical_or, above, below)};
    if (!up && !down) return {c.b.binary(B::logical_and, above, below)};
    return {up ? above : below};
}

ValueId cast_to(Call const& c, DType type) {
    using Powers = Narrowing::Powers;
    std::string_view const powers = c.text("round_mode", "up");
    Narrowing const how{.saturates = c.integer("saturate", 1) != 0,
                        .powers = powers == "down"      ? Powers::down
                                  : powers == "nearest" ? Powers::nearest
                                                        : Powers::up};
    return c.b.dtype(c.in(0)) == type ? c.in(0) : c.b.emit(dense::Cast{type, how}, {c.in(0)});
}
Values cast(Call const& c) {
    return {cast_to(c, dtype_of(c, c.integer("to", 1)))};
}
Values cast_like(Call const& c) {
    return {cast_to(c, c.b.dtype(c.in(1)))};
}

Values where(Call const& c) {
    return {c.b.emit(dense::Where{}, {c.in(0), c.in(1), c.in(2)})};
}

Values dropout(Call const& c) {
    if (c.has(2) && c.b.integers(c.in(2), "training_mode").front() != 0)
        c.b.refuse("dropout in training is not supported");
    Values results{c.in(0)};
    if (c.node.outputs.size() > 1) results.push_back(c.b.expand(c.b.scalar(DType::boolean, 1), c.shape(0)));
    return results;
}

Values identity(Call const& c) {
    return {c.inputs.at(0)};  // absent or not
}

Values prelu(Call const& c) {
    // A slope of rank 1 goes with the last dimension, as all repetition does; models that mean channels say [C, 1, 1].
    return {c.b.binary(B::prelu, c.in(0), c.in(1))};
}

constexpr auto kElementwiseRules = std::to_array<NamedRule>({
    {"Abs", unary<U::absolute>},
    {"Neg", unary<U::negate>},
    {"Reciprocal", unary<U::reciprocal>},
    {"Sqrt", unary<U::square_root>},
    {"Exp", unary<U::exponential>},
    {"Log", unary<U::logarithm>},
    {"Floor", unary<U::floor>},
    {"Ceil", unary<U::ceiling>},
    {"Round", unary<U::round_even>},
    {"Sign", unary<U::sign>},
    {"Erf", unary<U::error_function>},
    {"Sigmoid", unary<U::sigmoid>},
    {"HardSwish", unary<U::hard_swish>},
    {"Tanh", unary<U::tanh>},
    {"Softplus", unary<U::softplus>},
    {"Softsign", unary<U::softsign>},
    {"Mish", unary<U::mish>},
    {"Sin", unary<U::sine>},
    {"Cos", unary<U::cosine>},
    {"Tan", unary<U::tangent>},
    {"Asin", unary<U::arc_sine>},
    {"Acos", unary<U::arc_cosine>},
    {"Atan", unary<U::arc_tangent>},
    {"Sinh", unary<U::sinh>},
    {"Cosh", unary<U::cosh>},
    {"Asinh", unary<U::arsinh>},
    {"Acosh", unary<U::arcosh>},
    {"Atanh", unary<U::artanh>},
    {"BitwiseNot", unary<U::bitwise_not>},
    {"Not", unary<U::logical_not>, 1},
    {"IsNaN", unary<U::is_nan>},
    {"IsInf", is_inf},
    {"Relu", relu},
    {"LeakyRelu", leaky_relu},
    {"Gelu", gelu},
    {"Elu", with_parameters<U::elu>},
    {"Celu", with_parameters<U::celu>},
    {"Selu", with_parameters<U::selu>},
    {"HardSigmoid", with_parameters<U::hard_sigmoid>},
    {"Swish", with_parameters<U::swish>},
    {"ThresholdedRelu", with_parameters<U::thresholded_relu>},
    {"Shrink", with_parameters<U::shrink>},
    {"PRelu", prelu},
    {"Add", binary<B::add>},
    {"Sub", binary<B::subtract>},
    {"Mul", binary<B::multiply>},
    {"Div", binary<B::divide>},
    {"Pow", pow},
    {"Mod", mod},
    {"BitShift", bit_shift},
    {"BitwiseAnd", binary<B::bitwise_and>},
    {"BitwiseOr", binary<B::bitwise_or>},
    {"BitwiseXor", binary<B::bitwise_xor>},
    {"Equal", binary<B::equal>},
    {"Less", binary<B::less>},
    {"LessOrEqual", binary<B::less_or_equal>},
    {"Greater", binary<B::greater>},
    {"GreaterOrEqual", binary<B::greater_or_equal>},
    {"And", binary<B::logical_and>},
    {"Or", binary<B::logical_or>},
    {"Xor", binary<B::logical_xor>},
    {"Min", chain<B::minimum>},
    {"Max", chain<B::maximum>},
    {"Sum", chain<B::add>},
    {"Mean", mean},
    {"Clip", clip},
    {"Cast", cast},
    {"CastLike", cast_like},
    {"Where", where},
    {"Dropout", dropout},
    {"Identity", identity, 1},
});

}  // namespace

DType dtype_of(Call const& c, std::int64_t code) {
    auto const type = onnx_dtype(code);
    if (!type) c.b.refuse("element type {} is not supported", code);
    return *type;
}

std::span<NamedRule const> elementwise_rules() {
    return kElementwiseRules;
}

}  // namespace vitrum::onnx
