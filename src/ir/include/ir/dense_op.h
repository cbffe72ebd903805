// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/narrow.h"
#include "base/shape.h"

// Operators on dense values: row-major tensors of any rank up to 8 and any element type, of known extents. Graphs from
// ONNX files are made of them. They are few: what differs by a function is one operator with an enum, and what only
// moves numbers is one strided copy. The kernels in backends/dense define their meaning.

namespace vitrum {

struct DenseType {
    DType dtype = DType::f32;
    Shape shape;
    bool operator==(DenseType const&) const = default;
    /// "float32[1, 3, 8, 8]"
    [[nodiscard]] std::string str() const { return std::string(name_of(dtype)) + shape.str(); }
};

namespace dense {

enum class UnaryFunction : std::uint8_t {
    absolute,
    negate,
    reciprocal,
    square_root,
    exponential,
    logarithm,
    floor,
    ceiling,
    round_even,
    sign,
    error_function,
    relu,
    leaky_relu,
    elu,
    selu,
    celu,
    sigmoid,
    hard_sigmoid,
    hard_swish,
    swish,
    tanh,
    gelu,
    gelu_tanh,
    softplus,
    softsign,
    mish,
    thresholded_relu,
    shrink,
    sine,
    cosine,
    tangent,
    arc_sine,
    arc_cosine,
    arc_tangent,
    sinh,
    cosh,
    arsinh,
    arcosh,
    artanh,
    bitwise_not,
    logical_not,
    is_nan,
    is_positive_infinity,
    is_negative_infinity
};

/// y = f(x) elementwise; a and b are the function's parameters (alpha and beta of ONNX, lambda and bias of Shrink).
struct Unary {
    static constexpr std::string_view kName = "Unary";
    UnaryFunction function = UnaryFunction::absolute;
    float a = 0, b = 0;
    bool operator==(Unary const&) const = default;
};

enum class BinaryFunction : std::uint8_t {
    add,
    subtract,
    multiply,
    divide,
    power,
    minimum,
    maximum,
    modulo,
    remainder,
    prelu,
    shift_left,
    shift_right,
    bitwise_and,
    bitwise_or,
    bitwise_xor,
    // from here on the result is bool
    equal,
    less,
    less_or_equal,
    greater,
    greater_or_equal,
    logical_and,
    logical_or,
    logical_xor
};

/// y = f(a, b) elementwise, a and b of one type, extents of 1 repeated. modulo has the divisor's sign, remainder the
/// dividend's.
struct Binary {
    static constexpr std::string_view kName = "Binary";
    BinaryFunction function = BinaryFunction::add;
    bool operator==(Binary const&) const = default;
};

/// y = condition ? a : b elementwise, extents of 1 repeated.
struct Where {
    static constexpr std::string_view kName = "Where";
    bool operator==(Where const&) const = default;
};

/// The same numbers in another type: floats to integers by cutting off, to bool by x ≠ 0, to fewer bits by rounding.
struct Cast {
    static constexpr std::string_view kName = "Cast";
    DType to = DType::f32;
    Narrowing narrowing{};
    bool operator==(Cast const&) const = default;
};

/// y = round(x / scale) + zero, ties to even, held inside the range of zero's type, which is y's; extents of 1 of scale
/// and zero repeated. Where that type is a float of 8 or 4 bits, x / scale is not rounded to a whole number first. As
/// ONNX defines it, computed in float32: steps are the same on every backend.
struct QuantizeLinear {
    static constexpr std::string_view kName = "QuantizeLinear";
    bool saturates = true;  ///< of floats: too large a number becomes the largest one
    bool operator==(QuantizeLinear const&) const = default;
};

/// y = (x − zero) · scale, x and zero of one type, extents of 1 of scale and zero repeated; computed in float32.
struct DequantizeLinear {
    static constexpr std::string_view kName = "DequantizeLinear";
    DType to = DType::f32;
    bool operator==(DequantizeLinear const&) const = default;
};

/// The least and the largest step of an integer type that numbers are quantised to; nothing of other types.
struct StepRange {
    float low, high;
};
[[nodiscard]] std::optional<StepRange> step_range(DType type);

enum class ReduceFunction : std::uint8_t { sum, mean, maximum, minimum, product, sum_absolute, sum_square };

/// One number over each of the axes (a bit each); the axes stay with an extent of 1.
struct Reduce {
    static constexpr std::string_view kName = "Reduce";
    ReduceFunction function = ReduceFunction::sum;
    std::uint32_t axes = 0;
    bool operator==(Reduce const&) const = default;
};

/// The index, as int64, of the largest or smallest number along an axis, which stays with an extent of 1.
struct ArgReduce {
    static constexpr std::string_view kName = "ArgReduce";
    int axis = 0;
    bool smallest = false;
    bool last = false;  ///< of several equal ones
    bool operator==(ArgReduce const&) const = default;
};

/// Running sums or products along an axis.
struct Cumulate {
    static constexpr std::string_view kName = "Cumulate";
    int axis = 0;
    bool product = false, exclusive = false, reverse = false;
    bool operator==(Cumulate const&) const = default;
};

/// y[i₀, i₁, …] = x[offset + i₀·strides₀ + i₁·strides₁ + …], counted in elements: transpositions, reshapes, slices, and
/// what repeats numbers.
struct Restride {
    static constexpr std::string_view kName = "Restride";
    Shape shape, strides;
    std::int64_t offset = 0;
    bool operator==(Restride const&) const = default;
};

enum class PadMode : std::uint8_t { constant, edge, reflect, wrap };

/// x with that many numbers before and behind it in each dimension. Input 1 is the number of mode constant, of x's
/// type.
struct Pad {
    static constexpr std::string_view kName = "Pad";
    PadMode mode = PadMode::constant;
    Shape before, behind;  ///< not negative
    bool operator==(Pad const&) const = default;
};

/// Its inputs one behind the other along an axis.
struct Concat {
    static constexpr std::string_view kName = "Concat";
    int axis = 0;
    bool operator==(Concat const&) const = default;
};

enum class IndexMode : std::uint8_t {
    axis,      ///< y[a…, i…, b…] = x[a…, indices[i…], b…]
    elements,  ///< y[i] = x[i, but indices[i] along the axis]
    tuples,    ///< y[n…, i…, b…] = x[n…, indices[n…, i…, :], b…], with `axis` leading extents n shared
};

/// Reads by int64 indices; negative ones count from the end.
struct Gather {
    static constexpr std::string_view kName = "Gather";
    IndexMode mode = IndexMode::axis;
    int axis = 0;
    bool operator==(Gather const&) const = default;
};

enum class Combine : std::uint8_t { replace, add, multiply, maximum, minimum };

/// A copy of x where updates are written, or combined with what is there, at int64 indices (elements or tuples).
struct Scatter {
    static constexpr std::string_view kName = "Scatter";
    IndexMode mode = IndexMode::elements;
    int axis = 0;
    Combine combine = Combine::replace;
    bool operator==(Scatter const&) const = default;
};

/// [b…, M, K] · [b…, K, N] = [b…, M, N], float32; leading extents of 1 repeated.
struct MatMul {
    static constexpr std::string_view kName = "MatMul";
    bool operator==(MatMul const&) const = default;
};

/// Cross-correlation of x [N, C, spatial…] with weight [O, C / groups, kernel…] plus bias [O], float32: output i reads
/// from i · stride − before on, taps dilation apart, zeros outside. Up to three spatial dimensions.
struct Convolution {
    static constexpr std::string_view kName = "Convolution";
    int groups = 1;
    Shape strides, dilations, before, behind;
    bool operator==(Convolution const&) const = default;
};

/// The adjoint of Convolution: weight [C, O / groups, kernel…], and each input number adds a kernel to the output,
/// which is cut to `output` from `before` on.
struct TransposedConvolution {
    static constexpr std::string_view kName = "TransposedConvolution";
    int groups = 1;
    Shape strides, dilations, before, output;
    bool operator==(TransposedConvolution const&) const = default;
};

enum class PoolFunction : std::uint8_t {
    maximum,
    maximum_place,   ///< where the first maximum lies in its plane, row-major, as int64
    average,         ///< over what lies inside of x
    average_padded,  ///< over what lies inside of x and its padding
    norm             ///< (Σ |x|^p)^(1/p)
};

/// One number per window of x [N, C, spatial…], float32 but for places.
struct Pool {
    static constexpr std::string_view kName = "Pool";
    PoolFunction function = PoolFunction::maximum;
    Shape kernel, strides, dilations, before, behind, output;
    int p = 2;
    bool operator==(Pool const&) const = default;
};

/// exp(x) / Σ exp(x) along an axis, or its logarithm, float32.
struct Softmax {
    static constexpr std::string_view kName = "Softmax";
    int axis = 0;
    bool log = false;
    bool operator==(Softmax const&) const = default;
};

/// (x − mean) / sqrt(variance + epsilon) over all dimensions from an axis on, float32; without the mean where `rms`.
struct Normalise {
    static constexpr std::string_view kName = "Normalise";
    int axis = 0;
    float epsilon = 1e-5F;
    bool rms = false;
    bool operator==(Normalise const&) const = default;
};

/// Resampling along an axis: y[…, o, …] = Σ_t weights[o, t] · x[…, indices[o, t], …], float32, indices int64 [O, T].
/// Where indices[o, 0] is −1, y is `outside`.
struct Taps {
    static constexpr std::string_view kName = "Taps";
    int axis = 0;
    float outside = 0;
    bool operator==(Taps const&) const = default;
};

enum class SampleMode : std::uint8_t { linear, nearest, cubic };
enum class SampleBorder : std::uint8_t { zeros, border, reflection };

/// x [N, C, H, W] at the places grid [N, h, w, 2] (along the width, then the height, −1 … 1), float32. The same of
/// lines and volumes: x [N, C, spatial…], grid [N, places…, one to three coordinates], the last dimension's first.
struct GridSample {
    static constexpr std::string_view kName = "GridSample";
    SampleMode mode = SampleMode::linear;
    SampleBorder border = SampleBorder::zeros;
    bool align_corners = false;
    bool operator==(GridSample const&) const = default;
};

/// The k largest or smallest numbers along an axis, in order, and their int64 indices; the first of equal ones first.
struct TopK {
    static constexpr std::string_view kName = "TopK";
    int axis = 0;
    std::int64_t k = 1;
    bool largest = true;
    bool operator==(TopK const&) const = default;
};

using Op = std::variant<Unary, Binary, Where, Cast, QuantizeLinear, DequantizeLinear, Reduce, ArgReduce, Cumulate,
                        Restride, Pad, Concat, Gather, Scatter, MatMul, Convolution, TransposedConvolution, Pool,
                        Softmax, Normalise, Taps, GridSample, TopK>;

}  // namespace dense

/// An operator on dense values as one operator of a graph. All its inputs are present, constants or not.
struct Dense {
    static constexpr std::string_view kName = "Dense";
    dense::Op op;
    bool operator==(Dense const&) const = default;
    [[nodiscard]] std::string_view name() const {
        return std::visit([](auto const& o) { return o.kName; }, op);
    }
};

/// What an operator gives for inputs of these types, or what is wrong with them.
struct DenseOutcome {
    std::vector<DenseType> outputs;
    std::string violation;  ///< empty: none
};
[[nodiscard]] DenseOutcome dense_outcome(Dense const& op, std::span<DenseType const> inputs);

/// The function or fields of an operator, for printing: " function=add", " axis=1".
[[nodiscard]] std::string fields_text(Dense const& op);

/// The extents of a and b with extents of 1 repeated, or nothing where they do not fit.
[[nodiscard]] std::optional<Shape> broadcast(Shape const& a, Shape const& b);

}  // namespace vitrum
