// SPDX-License-Identifier: Apache-2.0
#include "dense.cuh"

namespace vitrum::cuda {
namespace {

using dense::BinaryFunction;
using dense::UnaryFunction;

/// Calls body with a value of the type that numbers of a type are computed in.
template <class Body>
void with_compute_type(DType type, Body const& body) {
    if (!is_floating(type)) return body(std::int64_t{});
    if (type == DType::f64) return body(double{});
    body(float{});
}

template <class C>
__device__ C sigmoid(C x) {
    return 1 / (1 + std::exp(-x));
}
template <class C>
__device__ C softplus(C x) {
    return (x > 0 ? x : C{0}) + std::log1p(std::exp(-std::fabs(x)));
}
template <class C>
__device__ C elu(C x, C alpha) {
    return x > 0 ? x : alpha * std::expm1(x);
}
template <class C>
__device__ C held_in_unit(C x) {
    return x < 0 ? C{0} : x > 1 ? C{1} : x;
}
template <class C>
__device__ C gelu_tanh(C x) {
    C const inner = static_cast<C>(0.79788456080286535588) * (x + static_cast<C>(0.044715) * x * x * x);
    return x / 2 * (1 + std::tanh(inner));
}
template <class C>
__device__ C sign(C x) {
    return x > 0 ? C{1} : x < 0 ? C{-1} : x;  // x itself: zero or NaN
}

/// What does not only choose between x and a constant.
template <class C>
__device__ C smooth(UnaryFunction function, C v, C a, C b) {
    using F = UnaryFunction;
    switch (function) {
        case F::square_root: return std::sqrt(v);
        case F::exponential: return std::exp(v);
        case F::logarithm: return std::log(v);
        case F::error_function: return std::erf(v);
        case F::elu: return elu(v, a);
        case F::selu: return b * elu(v, a);
        case F::celu: return v > 0 ? v : a * std::expm1(v / a);
        case F::sigmoid: return sigmoid(v);
        case F::swish: return v * sigmoid(a * v);
        case F::tanh: return std::tanh(v);
        case F::gelu: return v / 2 * (1 + std::erf(v * static_cast<C>(0.70710678118654752440)));
        case F::gelu_tanh: return gelu_tanh(v);
        case F::softplus: return softplus(v);
        case F::mish: return v * std::tanh(softplus(v));
        case F::sine: return std::sin(v);
        case F::cosine: return std::cos(v);
        case F::tangent: return std::tan(v);
        case F::arc_sine: return std::asin(v);
        case F::arc_cosine: return std::acos(v);
        case F::arc_tangent: return std::atan(v);
        case F::sinh: return std::sinh(v);
        case F::cosh: return std::cosh(v);
        case F::arsinh: return std::asinh(v);
        case F::arcosh: return std::acosh(v);
        case F::artanh: return std::atanh(v);
        default: return v;
    }
}

template <class C>
__device__ C unary(UnaryFunction function, C v, C a, C b) {
    using F = UnaryFunction;
    constexpr C kInfinity = std::numeric_limits<C>::infinity();
    switch (function) {
        case F::absolute: return std::fabs(v);
        case F::negate: return -v;
        case F::reciprocal: return 1 / v;
        case F::floor: return std::floor(v);
        case F::ceiling: return std::ceil(v);
        case F::round_even: return std::nearbyint(v);
        case F::sign: return sign(v);
        case F::relu: return v < 0 ? C{0} : v;
        case F::leaky_relu: return v < 0 ? a * v : v;
        case F::hard_sigmoid: return held_in_unit(a * v + b);
        case F::hard_swish: return v * held_in_unit(v / 6 + C{0.5});
        case F::softsign: return v / (1 + std::fabs(v));
        case F::thresholded_relu: return v > a ? v : C{0};
        case F::shrink: return v < -a ? v + b : v > a ? v - b : C{0};
        case F::is_nan: return static_cast<C>(v != v);
        case F::is_positive_infinity: return static_cast<C>(v == kInfinity);
        case F::is_negative_infinity: return static_cast<C>(v == -kInfinity);
        default: return smooth(function, v, a, b);
    }
}

__device__ inline std::int64_t negated(std::int64_t v) {
    return static_cast<std::int64_t>(0 - static_cast<std::uint64_t>(v));
}

template <>
__device__ std::int64_t unary(UnaryFunction function, std::int64_t v, std::int64_t, std::int64_t) {
    using F = UnaryFunction;
    switch (function) {
        case F::absolute: return v < 0 ? negated(v) : v;
        case F::negate: return negated(v);
        case F::sign: return sign(v);
        case F::relu: return v < 0 ? 0 : v;
        case F::bitwise_not: return ~v;
        case F::logical_not: return v == 0 ? 1 : 0;
        default: return v;  // the rule lets no others through
    }
}

/// By squaring; wraps around. Of negative powers only those of 1 and −1 are whole.
__device__ inline std::int64_t power(std::int64_t a, std::int64_t b) {
    if (b < 0) return a == 1 ? 1 : a == -1 ? (b % 2 == 0 ? 1 : -1) : 0;
    auto base = static_cast<std::uint64_t>(a);
    std::uint64_t result = 1;
    for (; b > 0; b /= 2) {
        if (b % 2 != 0) result *= base;
        base *= base;
    }
    return static_cast<std::int64_t>(result);
}

template <class C>
__device__ C arithmetic(BinaryFunction function, C a, C b) {
    using F = BinaryFunction;
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
        default: return std::pow(a, b);
    }
}

template <>
__device__ std::int64_t arithmetic(BinaryFunction function, std::int64_t a, std::int64_t b) {
    using F = BinaryFunction;
    auto const x = static_cast<std::uint64_t>(a), y = static_cast<std::uint64_t>(b);
    switch (function) {
        case F::add: return static_cast<std::int64_t>(x + y);
        case F::subtract: return static_cast<std::int64_t>(x - y);
        case F::multiply: return static_cast<std::int64_t>(x * y);
        case F::divide: return b == 0 ? 0 : b == -1 ? negated(a) : a / b;
        case F::shift_left: return y > 63 ? 0 : static_cast<std::int64_t>(x << y);
        case F::shift_right: return a >> (y > 63 ? 63 : y);
        case F::bitwise_and: return a & b;
        case F::bitwise_or: return a | b;
        case F::bitwise_xor: return a ^ b;
        case F::remainder: return b == 0 || b == -1 ? 0 : a % b;
        case F::modulo: {
            std::int64_t const remainder = b == 0 || b == -1 ? 0 : a % b;
            return remainder != 0 && (remainder < 0) != (b < 0) ? remainder + b : remainder;
        }
        default: return power(a, b);
    }
}

template <class C>
__device__ C binary(BinaryFunction function, C x, C y) {
    using F = BinaryFunction;
    switch (function) {
        case F::minimum: return x != x || x < y ? x : y;
        case F::maximum: return x != x || x > y ? x : y;
        case F::prelu: return x < 0 ? arithmetic(F::multiply, x, y) : x;
        case F::equal: return static_cast<C>(x == y);
        case F::less: return static_cast<C>(x < y);
        case F::less_or_equal: return static_cast<C>(x <= y);
        case F::greater: return static_cast<C>(x > y);
        case F::greater_or_equal: return static_cast<C>(x >= y);
        case F::logical_and: return static_cast<C>(x != 0 && y != 0);
        case F::logical_or: return static_cast<C>(x != 0 || y != 0);
        case F::logical_xor: return static_cast<C>((x != 0) != (y != 0));
        default: return arithmetic(function, x, y);
    }
}

template <class C>
struct UnaryElement {
    Tensor x, y;
    UnaryFunction function;
    C a, b;

    __device__ void operator()(std::int64_t i) const { y.store(i, unary(function, x.load<C>(i), a, b)); }
};

template <class C>
struct BinaryElement {
    Tensor a, b, y;
    Walk<2> walk;
    BinaryFunction function;

    __device__ void operator()(std::int64_t i) const {
        std::int64_t from[2];
        walk.offsets(i, from);
        y.store(i, binary(function, a.load<C>(from[0]), b.load<C>(from[1])));
    }
};

template <class C>
struct CastElement {
    Tensor x, y;
    Narrowing narrowing;

    __device__ void operator()(std::int64_t i) const { y.store(i, x.load<C>(i), narrowing); }
};

/// Numbers of `size` bytes.
struct WhereElement {
    std::uint8_t const* when;
    std::byte const *a, *b;
    std::byte* y;
    int size;
    Walk<3> walk;

    __device__ void operator()(std::int64_t i) const {
        std::int64_t from[3];
        walk.offsets(i, from);
        std::byte const* const chosen = when[from[0]] != 0 ? a + from[1] * size : b + from[2] * size;
        for (int byte = 0; byte < size; ++byte) y[i * size + byte] = chosen[byte];
    }
};

}  // namespace

void run(dense::Unary const& op, Launch const& launch) {
    TensorView const &x = launch.inputs[0], &y = launch.outputs[0];
    with_compute_type(x.dtype, [&]<class C>(C) {
        UnaryElement<C> const element{Tensor(x), Tensor(y), op.function, static_cast<C>(op.a), static_cast<C>(op.b)};
        for_each(launch.stream, y.shape.count(), element);
    });
}

void run(dense::Binary const& op, Launch const& launch) {
    TensorView const &a = launch.inputs[0], &b = launch.inputs[1], &y = launch.outputs[0];
    Shape const strides[2] = {repeating_strides(a.shape, y.shape), repeating_strides(b.shape, y.shape)};
    Walk<2> walk;
    for (int i = 0; i < y.shape.rank(); ++i) walk.append(y.shape[i], {strides[0][i], strides[1][i]});
    with_compute_type(a.dtype, [&]<class C>(C) {
        for_each(launch.stream, y.shape.count(), BinaryElement<C>{Tensor(a), Tensor(b), Tensor(y), walk, op.function});
    });
}

void run(dense::Where const&, Launch const& launch) {
    auto const in = launch.inputs;
    TensorView const& y = launch.outputs[0];
    Walk<3> walk;
    Shape const strides[3] = {repeating_strides(in[0].shape, y.shape), repeating_strides(in[1].shape, y.shape),
                              repeating_strides(in[2].shape, y.shape)};
    for (int i = 0; i < y.shape.rank(); ++i) walk.append(y.shape[i], {strides[0][i], strides[1][i], strides[2][i]});
    WhereElement const element{reinterpret_cast<std::uint8_t const*>(in[0].data),
                               in[1].data,
                               in[2].data,
                               y.data,
                               static_cast<int>(size_of(y.dtype)),
                               walk};
    for_each(launch.stream, y.shape.count(), element);
}

void run(dense::Cast const& op, Launch const& launch) {
    TensorView const &x = launch.inputs[0], &y = launch.outputs[0];
    with_sum_type(x.dtype, [&]<class C>(C) {
        for_each(launch.stream, y.shape.count(), CastElement<C>{Tensor(x), Tensor(y), op.narrowing});
    });
}

}  // namespace vitrum::cuda
