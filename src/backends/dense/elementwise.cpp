// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <numbers>

#include "elements.h"
#include "run.h"

namespace vitrum::dense {
namespace {

template <class C>
C gelu(C x) {
    return x / 2 * (1 + std::erf(x / std::numbers::sqrt2_v<C>));
}
template <class C>
C gelu_tanh(C x) {
    C const inner = std::sqrt(2 / std::numbers::pi_v<C>) * (x + static_cast<C>(0.044715) * x * x * x);
    return x / 2 * (1 + std::tanh(inner));
}
template <class C>
C sigmoid(C x) {
    return 1 / (1 + std::exp(-x));
}
template <class C>
C softplus(C x) {
    return std::max<C>(x, 0) + std::log1p(std::exp(-std::fabs(x)));
}
template <class C>
C elu(C x, C alpha) {
    return x > 0 ? x : alpha * std::expm1(x);
}
template <class C>
C shrink(C x, C lambda, C bias) {
    if (x < -lambda) return x + bias;
    return x > lambda ? x - bias : 0;
}
template <class C>
C sign(C x) {
    return x > 0 ? C{1} : x < 0 ? C{-1} : x;  // x itself: zero or NaN
}

template <class C, class F>
void each(C* x, std::int64_t count, F const& f) {
    for (std::int64_t i = 0; i < count; ++i) x[i] = f(x[i]);
}

/// In place.
template <class C>
void apply(Unary const& op, C* x, std::int64_t n) {
    using F = UnaryFunction;
    auto const a = static_cast<C>(op.a), b = static_cast<C>(op.b);
    constexpr C kInfinity = std::numeric_limits<C>::infinity();
    switch (op.function) {
        case F::absolute: return each(x, n, [](C v) { return std::fabs(v); });
        case F::negate: return each(x, n, [](C v) { return -v; });
        case F::reciprocal: return each(x, n, [](C v) { return 1 / v; });
        case F::square_root: return each(x, n, [](C v) { return std::sqrt(v); });
        case F::exponential: return each(x, n, [](C v) { return std::exp(v); });
        case F::logarithm: return each(x, n, [](C v) { return std::log(v); });
        case F::floor: return each(x, n, [](C v) { return std::floor(v); });
        case F::ceiling: return each(x, n, [](C v) { return std::ceil(v); });
        case F::round_even: return each(x, n, [](C v) { return std::nearbyint(v); });
        case F::sign: return each(x, n, [](C v) { return sign(v); });
        case F::error_function: return each(x, n, [](C v) { return std::erf(v); });
        case F::relu: return each(x, n, [](C v) { return v < 0 ? 0 : v; });
        case F::leaky_relu: return each(x, n, [a](C v) { return v < 0 ? a * v : v; });
        case F::elu: return each(x, n, [a](C v) { return elu(v, a); });
        case F::selu: return each(x, n, [a, b](C v) { return b * elu(v, a); });
        case F::celu: return each(x, n, [a](C v) { return v > 0 ? v : a * std::expm1(v / a); });
        case F::sigmoid: return each(x, n, [](C v) { return sigmoid(v); });
        case F::hard_sigmoid: return each(x, n, [a, b](C v) { return std::clamp<C>(a * v + b, 0, 1); });
        case F::hard_swish: return each(x, n, [](C v) { return v * std::clamp<C>(v / 6 + C{0.5}, 0, 1); });
        case F::swish: return each(x, n, [a](C v) { return v * sigmoid(a * v); });
        case F::tanh: return each(x, n, [](C v) { return std::tanh(v); });
        case F::gelu: return each(x, n, [](C v) { return gelu(v); });
        case F::gelu_tanh: return each(x, n, [](C v) { return gelu_tanh(v); });
        case F::softplus: return each(x, n, [](C v) { return softplus(v); });
        case F::softsign: return each(x, n, [](C v) { return v / (1 + std::fabs(v)); });
        case F::mish: return each(x, n, [](C v) { return v * std::tanh(softplus(v)); });
        case F::thresholded_relu: return each(x, n, [a](C v) { return v > a ? v : 0; });
        case F::shrink: return each(x, n, [a, b](C v) { return shrink(v, a, b); });
        case F::sine: return each(x, n, [](C v) { return std::sin(v); });
        case F::cosine: return each(x, n, [](C v) { return std::cos(v); });
        case F::tangent: return each(x, n, [](C v) { return std::tan(v); });
        case F::arc_sine: return each(x, n, [](C v) { return std::asin(v); });
        case F::arc_cosine: return each(x, n, [](C v) { return std::acos(v); });
        case F::arc_tangent: return each(x, n, [](C v) { return std::atan(v); });
        case F::sinh: return each(x, n, [](C v) { return std::sinh(v); });
        case F::cosh: return each(x, n, [](C v) { return std::cosh(v); });
        case F::arsinh: return each(x, n, [](C v) { return std::asinh(v); });
        case F::arcosh: return each(x, n, [](C v) { return std::acosh(v); });
        case F::artanh: return each(x, n, [](C v) { return std::atanh(v); });
        case F::is_nan: return each(x, n, [](C v) { return static_cast<C>(std::isnan(v)); });
        case F::is_positive_infinity: return each(x, n, [](C v) { return static_cast<C>(v == kInfinity); });
        case F::is_negative_infinity: return each(x, n, [](C v) { return static_cast<C>(v == -kInfinity); });
        case F::bitwise_not:
        case F::logical_not: break;  // of integers
    }
}

template <>
void apply(Unary const& op, std::int64_t* x, std::int64_t n) {
    using F = UnaryFunction;
    using I = std::int64_t;
    auto const negated = [](I v) { return static_cast<I>(0 - static_cast<std::uint64_t>(v)); };
    switch (op.function) {
        case F::absolute: return each(x, n, [&](I v) { return v < 0 ? negated(v) : v; });
        case F::negate: return each(x, n, negated);
        case F::sign: return each(x, n, [](I v) { return sign(v); });
        case F::relu: return each(x, n, [](I v) { return v < 0 ? 0 : v; });
        case F::bitwise_not: return each(x, n, [](I v) { return ~v; });
        case F::logical_not: return each(x, n, [](I v) { return static_cast<I>(v == 0); });
        default: return;  // the rule lets no others through
    }
}

template <class C>
C power(C a, C b) {
    if constexpr (!std::is_same_v<C, std::int64_t>) {
        return std::pow(a, b);
    } else {
        if (b < 0) return a == 1 ? 1 : a == -1 ? (b % 2 == 0 ? 1 : -1) : 0;
        std::uint64_t result = 1, base = static_cast<std::uint64_t>(a);
        for (; b > 0; b >>= 1, base *= base) {
            if ((b & 1) != 0) result *= base;
        }
        return static_cast<C>(result);
    }
}

/// Integers wrap around; a division by zero gives zero.
template <class C>
C arithmetic(BinaryFunction function, C a, C b) {
    using F = BinaryFunction;
    if constexpr (std::is_same_v<C, std::int64_t>) {
        auto const ua = static_cast<std::uint64_t>(a), ub = static_cast<std::uint64_t>(b);
        bool const is_defined = b != 0 && b != -1;
        std::int64_t const remainder = is_defined ? a % b : 0;
        switch (function) {
            case F::add: return static_cast<C>(ua + ub);
            case F::subtract: return static_cast<C>(ua - ub);
            case F::multiply: return static_cast<C>(ua * ub);
            case F::divide: return b == 0 ? 0 : b == -1 ? static_cast<C>(0 - ua) : a / b;
            case F::remainder: return remainder;
            case F::modulo: return remainder != 0 && (remainder < 0) != (b < 0) ? remainder + b : remainder;
            case F::shift_left: return ub > 63 ? 0 : static_cast<C>(ua << ub);
            case F::shift_right: return a >> std::min<std::uint64_t>(ub, 63);
            case F::bitwise_and: return a & b;
            case F::bitwise_or: return a | b;
            case F::bitwise_xor: return a ^ b;
            default: return power(a, b);
        }
    } else {
        switch (function) {
            case F::add: return a + b;
            case F::subtract: return a - b;
            case F::multiply: return a * b;
            case F::divide: return a / b;
            case F::remainder: return std::fmod(a, b);
            case F::modulo: {
                C const remainder = std::fmod(a, b);
                return remainder != 0 && (remainder < 0) != (b < 0) ? remainder + b : remainder;
            }
            default: return power(a, b);
        }
    }
}

/// a = f(a, b). The frequent functions have loops of their own.
template <class C>
void apply(Binary const& op, C* a, C const* b, std::int64_t n) {
    using F = BinaryFunction;
    auto const each_pair = [&](auto const& f) {
        for (std::int64_t i = 0; i < n; ++i) a[i] = static_cast<C>(f(a[i], b[i]));
    };
    constexpr bool kFloats = !std::is_same_v<C, std::int64_t>;
    switch (op.function) {
        case F::add:  // NOLINT(bugprone-branch-clone): they differ where numbers are floats
            if constexpr (kFloats) return each_pair([](C x, C y) { return x + y; });
            break;
        case F::subtract:
            if constexpr (kFloats) return each_pair([](C x, C y) { return x - y; });
            break;
        case F::multiply:
            if constexpr (kFloats) return each_pair([](C x, C y) { return x * y; });
            break;
        case F::divide:
            if constexpr (kFloats) return each_pair([](C x, C y) { return x / y; });
            break;
        case F::minimum: return each_pair([](C x, C y) { return is_nan(x) || x < y ? x : y; });
        case F::maximum: return each_pair([](C x, C y) { return is_nan(x) || x > y ? x : y; });
        case F::prelu: return each_pair([](C x, C y) { return x < 0 ? arithmetic(F::multiply, x, y) : x; });
        case F::equal: return each_pair([](C x, C y) { return x == y; });
        case F::less: return each_pair([](C x, C y) { return x < y; });
        case F::less_or_equal: return each_pair([](C x, C y) { return x <= y; });
        case F::greater: return each_pair([](C x, C y) { return x > y; });
        case F::greater_or_equal: return each_pair([](C x, C y) { return x >= y; });
        case F::logical_and: return each_pair([](C x, C y) { return x != 0 && y != 0; });
        case F::logical_or: return each_pair([](C x, C y) { return x != 0 || y != 0; });
        case F::logical_xor: return each_pair([](C x, C y) { return (x != 0) != (y != 0); });
        default: break;
    }
    each_pair([&](C x, C y) { return arithmetic(op.function, x, y); });
}

/// y = f(a, b) where they lie; strides are 0 or 1 but for turned operands.
template <class F>
void each_pair(float const* a, std::int64_t a_stride, float const* b, std::int64_t b_stride, std::int64_t n, float* y,
               F const& f) {
    if (a_stride == 1 && b_stride == 1) {
        for (std::int64_t i = 0; i < n; ++i) y[i] = f(a[i], b[i]);
    } else if (a_stride == 1 && b_stride == 0) {
        for (std::int64_t i = 0; i < n; ++i) y[i] = f(a[i], *b);
    } else {
        for (std::int64_t i = 0; i < n; ++i) y[i] = f(a[i * a_stride], b[i * b_stride]);
    }
}

/// Calls body with one of the four functions that are most of a network's, and tells whether it did.
template <class Body>
bool with_arithmetic(BinaryFunction function, Body const& body) {
    switch (function) {
        case BinaryFunction::add: body([](float x, float y) { return x + y; }); return true;
        case BinaryFunction::subtract: body([](float x, float y) { return x - y; }); return true;
        case BinaryFunction::multiply: body([](float x, float y) { return x * y; }); return true;
        case BinaryFunction::divide: body([](float x, float y) { return x / y; }); return true;
        default: return false;
    }
}

/// Without copies: the operands of float32 arithmetic need no other type to be computed in.
bool run_where_they_lie(Binary const& op, Loop<2> const& loop, Launch const& launch) {
    auto const* const a = reinterpret_cast<float const*>(launch.inputs[0].data);
    auto const* const b = reinterpret_cast<float const*>(launch.inputs[1].data);
    auto* const y = reinterpret_cast<float*>(launch.outputs[0].data);
    return with_arithmetic(op.function, [&](auto const& f) {
        loop.run(*launch.threads, [&](std::int64_t first, std::int64_t count, std::array<std::int64_t, 2> const& from) {
            each_pair(a + from[0], loop.inner_stride(0), b + from[1], loop.inner_stride(1), count, y + first, f);
        });
    });
}

/// Calls body with a value of the type that numbers of a type are computed in.
template <class Body>
void with_compute_type(DType type, Precision precision, Body const& body) {
    if (!is_floating(type)) return body(std::int64_t{});
    if (precision == Precision::exact || type == DType::f64) return body(double{});
    body(float{});
}

}  // namespace

void run(Unary const& op, Launch const& launch, Precision precision) {
    TensorView const &x = launch.inputs[0], &y = launch.outputs[0];
    Loop<1> const loop(y.shape, {x.shape.contiguous_strides()});
    with_compute_type(x.dtype, precision, [&]<class C>(C) {
        loop.run(*launch.threads, [&](std::int64_t first, std::int64_t count, std::array<std::int64_t, 1> const& from) {
            C numbers[kRun];
            load(at(x, from[0]), x.dtype, loop.inner_stride(0), count, numbers);
            apply(op, numbers, count);
            store(numbers, count, y.dtype, at(y, first));
        });
    });
}

void run(Binary const& op, Launch const& launch, Precision precision) {
    TensorView const &a = launch.inputs[0], &b = launch.inputs[1], &y = launch.outputs[0];
    Loop<2> const loop(y.shape, {repeating_strides(a.shape, y.shape), repeating_strides(b.shape, y.shape)});
    bool const is_float32 = a.dtype == DType::f32 && precision == Precision::fast;
    if (is_float32 && run_where_they_lie(op, loop, launch)) return;
    with_compute_type(a.dtype, precision, [&]<class C>(C) {
        loop.run(*launch.threads, [&](std::int64_t first, std::int64_t count, std::array<std::int64_t, 2> const& from) {
            C left[kRun], right[kRun];
            load(at(a, from[0]), a.dtype, loop.inner_stride(0), count, left);
            load(at(b, from[1]), b.dtype, loop.inner_stride(1), count, right);
            apply(op, left, right, count);
            store(left, count, y.dtype, at(y, first));
        });
    });
}

void run(Where const&, Launch const& launch, Precision) {
    TensorView const &when = launch.inputs[0], &a = launch.inputs[1], &b = launch.inputs[2], &y = launch.outputs[0];
    Loop<3> const loop(y.shape, {repeating_strides(when.shape, y.shape), repeating_strides(a.shape, y.shape),
                                 repeating_strides(b.shape, y.shape)});
    std::size_t const size = size_of(y.dtype);
    loop.run(*launch.threads, [&](std::int64_t first, std::int64_t count, std::array<std::int64_t, 3> const& from) {
        auto const* const conditions = reinterpret_cast<std::uint8_t const*>(when.data) + from[0];
        for (std::int64_t i = 0; i < count; ++i) {
            bool const yes = conditions[i * loop.inner_stride(0)] != 0;
            std::byte const* const chosen =
                yes ? at(a, from[1] + i * loop.inner_stride(1)) : at(b, from[2] + i * loop.inner_stride(2));
            std::memcpy(at(y, first + i), chosen, size);
        }
    });
}

void run(Cast const& op, Launch const& launch, Precision) {
    TensorView const &x = launch.inputs[0], &y = launch.outputs[0];
    Loop<1> const loop(y.shape, {x.shape.contiguous_strides()});
    with_compute_type(x.dtype, Precision::exact, [&]<class C>(C) {
        loop.run(*launch.threads, [&](std::int64_t first, std::int64_t count, std::array<std::int64_t, 1> const& from) {
            C numbers[kRun];
            load(at(x, from[0]), x.dtype, loop.inner_stride(0), count, numbers);
            store(numbers, count, y.dtype, at(y, first), op.narrowing);
        });
    });
}

}  // namespace vitrum::dense
