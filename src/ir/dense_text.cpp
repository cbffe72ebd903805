// SPDX-License-Identifier: Apache-2.0
// The fields of operators on dense values as text, for `vitrum inspect --graph`.
#include <fmt/core.h>

#include "ir/dense_op.h"

namespace vitrum {
namespace {

using namespace dense;
using Names = std::span<char const* const>;

// In the order of the enumerators.
constexpr char const* kUnary[] = {"abs",
                                  "neg",
                                  "reciprocal",
                                  "sqrt",
                                  "exp",
                                  "log",
                                  "floor",
                                  "ceil",
                                  "round",
                                  "sign",
                                  "erf",
                                  "relu",
                                  "leaky_relu",
                                  "elu",
                                  "selu",
                                  "celu",
                                  "sigmoid",
                                  "hard_sigmoid",
                                  "hard_swish",
                                  "swish",
                                  "tanh",
                                  "gelu",
                                  "gelu_tanh",
                                  "softplus",
                                  "softsign",
                                  "mish",
                                  "thresholded_relu",
                                  "shrink",
                                  "sin",
                                  "cos",
                                  "tan",
                                  "asin",
                                  "acos",
                                  "atan",
                                  "sinh",
                                  "cosh",
                                  "asinh",
                                  "acosh",
                                  "atanh",
                                  "bitwise_not",
                                  "not",
                                  "is_nan",
                                  "is_positive_infinity",
                                  "is_negative_infinity"};
static_assert(std::size(kUnary) == static_cast<std::size_t>(UnaryFunction::is_negative_infinity) + 1);
constexpr char const* kBinary[] = {"add",         "sub",
                                   "mul",         "div",
                                   "pow",         "min",
                                   "max",         "mod",
                                   "remainder",   "prelu",
                                   "shl",         "shr",
                                   "bitwise_and", "bitwise_or",
                                   "bitwise_xor", "equal",
                                   "less",        "less_or_equal",
                                   "greater",     "greater_or_equal",
                                   "and",         "or",
                                   "xor"};
static_assert(std::size(kBinary) == static_cast<std::size_t>(BinaryFunction::logical_xor) + 1);
constexpr char const* kReduce[] = {"sum", "mean", "max", "min", "prod", "sum_abs", "sum_square"};
constexpr char const* kPadMode[] = {"constant", "edge", "reflect", "wrap"};
constexpr char const* kIndexMode[] = {"axis", "elements", "tuples"};
constexpr char const* kCombine[] = {"replace", "add", "mul", "max", "min"};
constexpr char const* kPool[] = {"max", "max_place", "average", "average_padded", "norm"};
constexpr char const* kSample[] = {"linear", "nearest", "cubic"};
constexpr char const* kBorder[] = {"zeros", "border", "reflection"};

template <class E>
char const* name(Names names, E value) {
    return names[static_cast<std::size_t>(value)];
}

std::string text(Unary const& op) {
    auto const parameters = op.a != 0 || op.b != 0 ? fmt::format(" a={} b={}", op.a, op.b) : "";
    return fmt::format(" {}{}", name(kUnary, op.function), parameters);
}
std::string text(Binary const& op) {
    return fmt::format(" {}", name(kBinary, op.function));
}
std::string text(Where const&) {
    return "";
}
std::string text(Cast const& op) {
    return fmt::format(" to={}{}", name_of(op.to), op.narrowing.saturates ? "" : " unsaturated");
}
std::string text(QuantizeLinear const& op) {
    return op.saturates ? "" : " unsaturated";
}
std::string text(DequantizeLinear const& op) {
    return fmt::format(" to={}", name_of(op.to));
}
std::string text(Reduce const& op) {
    std::string axes;
    for (int i = 0; i < Shape::kMaxRank; ++i) {
        if ((op.axes >> i & 1) != 0) axes += fmt::format("{}{}", axes.empty() ? "" : ",", i);
    }
    return fmt::format(" {} axes={}", name(kReduce, op.function), axes);
}
std::string text(ArgReduce const& op) {
    return fmt::format(" {} axis={}{}", op.smallest ? "min" : "max", op.axis, op.last ? " last" : "");
}
std::string text(Cumulate const& op) {
    return fmt::format(" {} axis={}{}{}", op.product ? "product" : "sum", op.axis, op.exclusive ? " exclusive" : "",
                       op.reverse ? " reverse" : "");
}
std::string text(Restride const& op) {
    return fmt::format(" strides={} offset={}", op.strides.str(), op.offset);
}
std::string text(Pad const& op) {
    return fmt::format(" {} before={} behind={}", name(kPadMode, op.mode), op.before.str(), op.behind.str());
}
std::string text(Concat const& op) {
    return fmt::format(" axis={}", op.axis);
}
std::string text(Gather const& op) {
    return fmt::format(" {} axis={}", name(kIndexMode, op.mode), op.axis);
}
std::string text(Scatter const& op) {
    return fmt::format(" {} axis={} {}", name(kIndexMode, op.mode), op.axis, name(kCombine, op.combine));
}
std::string text(MatMul const&) {
    return "";
}
std::string text(Convolution const& op) {
    return fmt::format(" groups={} strides={} dilations={} before={} behind={}", op.groups, op.strides.str(),
                       op.dilations.str(), op.before.str(), op.behind.str());
}
std::string text(TransposedConvolution const& op) {
    return fmt::format(" groups={} strides={} dilations={} before={}", op.groups, op.strides.str(), op.dilations.str(),
                       op.before.str());
}
std::string text(Pool const& op) {
    return fmt::format(" {} kernel={} strides={} dilations={} before={} behind={}", name(kPool, op.function),
                       op.kernel.str(), op.strides.str(), op.dilations.str(), op.before.str(), op.behind.str());
}
std::string text(Softmax const& op) {
    return fmt::format(" axis={}{}", op.axis, op.log ? " log" : "");
}
std::string text(Normalise const& op) {
    return fmt::format(" axis={} epsilon={}{}", op.axis, op.epsilon, op.rms ? " rms" : "");
}
std::string text(Taps const& op) {
    return fmt::format(" axis={}", op.axis);
}
std::string text(GridSample const& op) {
    return fmt::format(" {} {}{}", name(kSample, op.mode), name(kBorder, op.border),
                       op.align_corners ? " align_corners" : "");
}
std::string text(TopK const& op) {
    return fmt::format(" axis={} k={}{}", op.axis, op.k, op.largest ? "" : " smallest");
}

}  // namespace

std::string fields_text(Dense const& dense_op) {
    return std::visit([](auto const& op) { return text(op); }, dense_op.op);
}

}  // namespace vitrum
