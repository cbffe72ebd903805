// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>

#include "device.cuh"

// Dense values on the device: row-major, any element type, brought into float, double or int64 to compute in.

namespace vitrum::cuda {

struct Half {
    std::uint16_t bits;
};
struct Bfloat {
    std::uint16_t bits;
};
struct Bool {
    std::uint8_t value;
};

/// Calls body with a value of the element type.
template <class Body>
__host__ __device__ void with_type(DType type, Body const& body) {
    switch (type) {
        case DType::f32: return body(float{});
        case DType::f16: return body(Half{});
        case DType::bf16: return body(Bfloat{});
        case DType::f64: return body(double{});
        case DType::i8: return body(std::int8_t{});
        case DType::u8: return body(std::uint8_t{});
        case DType::i16: return body(std::int16_t{});
        case DType::i32: return body(std::int32_t{});
        case DType::i64: return body(std::int64_t{});
        case DType::boolean: return body(Bool{});
        case DType::u16: return body(std::uint16_t{});
        case DType::u32: return body(std::uint32_t{});
        case DType::u64:
        case DType::text: return body(std::uint64_t{});
        default: break;  // narrow types are looked at before
    }
}

/// The nearest binary16, ties to even; too large becomes infinity.
[[nodiscard]] __device__ inline std::uint16_t half_bits(double value) {
    std::uint16_t const sign = std::signbit(value) ? 0x8000 : 0;
    double const magnitude = std::fabs(value);
    if (std::isnan(value)) return sign | 0x7E00;
    if (magnitude >= 65520) return sign | 0x7C00;
    int const exponent = magnitude < 0x1p-14 ? -14 : std::ilogb(magnitude);
    auto const steps = static_cast<std::uint32_t>(std::nearbyint(std::ldexp(magnitude, 10 - exponent)));
    return static_cast<std::uint16_t>(sign | (steps + (static_cast<std::uint32_t>(exponent + 14) << 10)));
}

/// The nearest bfloat16, ties to even.
[[nodiscard]] __device__ inline std::uint16_t bfloat_bits(float value) {
    auto const bits = std::bit_cast<std::uint32_t>(value);
    if (std::isnan(value)) return static_cast<std::uint16_t>(bits >> 16 | 0x40);
    return static_cast<std::uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

template <class C>
[[nodiscard]] __device__ std::int64_t to_integer(C value) {
    if constexpr (std::is_same_v<C, std::int64_t>) {
        return value;
    } else {
        constexpr C kLimit = static_cast<C>(0x1p63);
        if (!(value > -kLimit)) return std::isnan(value) ? 0 : std::numeric_limits<std::int64_t>::min();
        return value >= kLimit ? std::numeric_limits<std::int64_t>::max() : static_cast<std::int64_t>(value);
    }
}

template <class T, class C>
[[nodiscard]] __device__ T to_element(C value) {
    if constexpr (std::is_same_v<T, Half>) return {half_bits(static_cast<double>(value))};
    else if constexpr (std::is_same_v<T, Bfloat>) return {bfloat_bits(static_cast<float>(value))};
    else if constexpr (std::is_same_v<T, Bool>) return {static_cast<std::uint8_t>(value != 0)};
    else if constexpr (std::is_floating_point_v<T>) return static_cast<T>(value);
    else return static_cast<T>(to_integer(value));
}

template <class C, class T>
[[nodiscard]] __device__ C from_element(T value) {
    if constexpr (std::is_same_v<T, Half>) return static_cast<C>(half_to_float(value.bits));
    else if constexpr (std::is_same_v<T, Bfloat>) return static_cast<C>(bfloat16_to_float(value.bits));
    else if constexpr (std::is_same_v<T, Bool>) return static_cast<C>(value.value != 0);
    else return static_cast<C>(value);
}

// Calls, since every operator on numbers of any type would hold this code otherwise.
[[nodiscard]] __device__ __attribute__((noinline)) inline float number_of(DType type, std::uint8_t code) {
    return narrow_to_float(type, code);
}
[[nodiscard]] __device__ __attribute__((noinline)) inline std::uint8_t code_of(DType type, double value, Narrowing how) {
    return float_to_narrow(type, value, how);
}

/// A tensor of any element type.
struct Tensor {
    std::byte* data = nullptr;
    DType type = DType::f32;

    Tensor() = default;
    explicit Tensor(TensorView const& view) : data(view.data), type(view.dtype) {}

    template <class C>
    [[nodiscard]] __device__ C load(std::int64_t i) const {
        if (is_narrow(type)) return static_cast<C>(number_of(type, std::to_integer<std::uint8_t>(data[i])));
        C value{};
        with_type(type, [&]<class T>(T) { value = from_element<C>(reinterpret_cast<T const*>(data)[i]); });
        return value;
    }
    template <class C>
    __device__ void store(std::int64_t i, C value, Narrowing how = {}) const {
        if (is_narrow(type)) {
            data[i] = std::byte{is_floating(type) ? code_of(type, static_cast<double>(value), how)
                                                  : integer_to_narrow(type, to_integer(value))};
            return;
        }
        with_type(type, [&]<class T>(T) { reinterpret_cast<T*>(data)[i] = to_element<T>(value); });
    }
};

/// Calls body with a value of the type that sums of such numbers are computed in.
template <class Body>
void with_sum_type(DType type, Body const& body) {
    is_floating(type) ? body(double{}) : body(std::int64_t{});
}

/// Extents and the strides of operands, neighbouring dimensions that all run through evenly being one.
template <int kOperands>
struct Walk {
    int rank = 0;
    std::int64_t count = 1;
    std::int64_t extents[Shape::kMaxRank] = {};
    std::int64_t strides[kOperands][Shape::kMaxRank] = {};

    void append(std::int64_t extent, std::int64_t const (&own)[kOperands]) {
        count *= extent;
        if (extent == 1) return;
        bool merges = rank > 0;
        for (int o = 0; o < kOperands && merges; ++o) merges = strides[o][rank - 1] == own[o] * extent;
        if (!merges) extents[rank++] = 1;
        extents[rank - 1] *= extent;
        for (int o = 0; o < kOperands; ++o) strides[o][rank - 1] = own[o];
    }
    /// Where element i lies in each operand.
    __host__ __device__ void offsets(std::int64_t i, std::int64_t (&to)[kOperands]) const {
        for (int o = 0; o < kOperands; ++o) to[o] = 0;
        for (int d = rank - 1; d >= 0; --d) {
            Quotient const at = divide(i, extents[d]);
            for (int o = 0; o < kOperands; ++o) to[o] += at.rest * strides[o][d];
            i = at.whole;
        }
    }
    [[nodiscard]] __host__ __device__ std::int64_t offset(std::int64_t i) const {
        std::int64_t to[kOperands];
        offsets(i, to);
        return to[0];
    }
};

/// The strides with which a packed tensor is read in the dimensions of a larger one.
[[nodiscard]] inline Shape repeating_strides(Shape const& shape, Shape const& output) {
    Shape const own = shape.contiguous_strides();
    Shape strides = output;
    int const added = output.rank() - shape.rank();
    for (int i = 0; i < output.rank(); ++i) strides[i] = i < added || shape[i - added] == 1 ? 0 : own[i - added];
    return strides;
}

/// Extents and strides as a kernel's argument.
struct Extents {
    int rank = 0;
    std::int64_t at[Shape::kMaxRank] = {};

    Extents() = default;
    explicit Extents(Shape const& shape) : rank(shape.rank()) {
        for (int i = 0; i < rank; ++i) at[i] = shape[i];
    }
    [[nodiscard]] __host__ __device__ std::int64_t operator[](int i) const { return at[i]; }
};

/// A tensor as lines along one axis: element (o, i, n) lies at (o · length + i) · inner + n.
struct Lines {
    std::int64_t outer = 1, length = 1, inner = 1;

    Lines(Shape const& shape, int axis) : length(shape[axis]) {
        for (int i = 0; i < axis; ++i) outer *= shape[i];
        for (int i = axis + 1; i < shape.rank(); ++i) inner *= shape[i];
    }
    [[nodiscard]] std::int64_t count() const { return outer * inner; }
    [[nodiscard]] __host__ __device__ std::int64_t begin(std::int64_t line) const {
        Quotient const at = divide(line, inner);
        return at.whole * length * inner + at.rest;
    }
};

[[nodiscard]] inline std::int64_t product(Shape const& shape, int from, int to) {
    std::int64_t total = 1;
    for (int i = from; i < to; ++i) total *= shape[i];
    return total;
}

/// An index as the caller counts it: negative ones from the end; held inside, since a kernel cannot fail.
[[nodiscard]] __host__ __device__ inline std::int64_t held(std::int64_t index, std::int64_t extent) {
    std::int64_t const i = index < 0 ? index + extent : index;
    return i < 0 ? 0 : i < extent ? i : extent - 1;
}

// One function per operator: an operator without one does not link.
void run(dense::Unary const& op, Launch const& launch);
void run(dense::Binary const& op, Launch const& launch);
void run(dense::Where const& op, Launch const& launch);
void run(dense::Cast const& op, Launch const& launch);
void run(dense::QuantizeLinear const& op, Launch const& launch);
void run(dense::DequantizeLinear const& op, Launch const& launch);
void run(dense::Reduce const& op, Launch const& launch);
void run(dense::ArgReduce const& op, Launch const& launch);
void run(dense::Cumulate const& op, Launch const& launch);
void run(dense::Restride const& op, Launch const& launch);
void run(dense::Pad const& op, Launch const& launch);
void run(dense::Concat const& op, Launch const& launch);
void run(dense::Gather const& op, Launch const& launch);
void run(dense::Scatter const& op, Launch const& launch);
void run(dense::MatMul const& op, Launch const& launch);
void run(dense::Convolution const& op, Launch const& launch);
void run(dense::TransposedConvolution const& op, Launch const& launch);
void run(dense::Pool const& op, Launch const& launch);
void run(dense::Softmax const& op, Launch const& launch);
void run(dense::Normalise const& op, Launch const& launch);
void run(dense::Taps const& op, Launch const& launch);
void run(dense::GridSample const& op, Launch const& launch);
void run(dense::TopK const& op, Launch const& launch);

}  // namespace vitrum::cuda
