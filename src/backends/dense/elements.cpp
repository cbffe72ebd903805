// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "elements.h"

namespace vitrum::dense {
namespace {

struct Half {
    std::uint16_t bits;
};
struct Bfloat {
    std::uint16_t bits;
};
struct Bool {
    std::uint8_t value;
};

/// The nearest binary16, ties to even; too large becomes infinity.
std::uint16_t half_bits(double value) {
    std::uint16_t const sign = std::signbit(value) ? 0x8000 : 0;
    double const magnitude = std::fabs(value);
    if (std::isnan(value)) return sign | 0x7E00;
    if (magnitude >= 65520) return sign | 0x7C00;
    int const exponent = magnitude < 0x1p-14 ? -14 : std::ilogb(magnitude);
    auto const steps =
        static_cast<std::uint32_t>(std::nearbyint(std::ldexp(magnitude, 10 - exponent)));  // 1024 a binade
    return static_cast<std::uint16_t>(sign | (steps + (static_cast<std::uint32_t>(exponent + 14) << 10)));
}

/// The nearest bfloat16, ties to even.
std::uint16_t bfloat_bits(float value) {
    auto const bits = std::bit_cast<std::uint32_t>(value);
    if (std::isnan(value)) return static_cast<std::uint16_t>(bits >> 16 | 0x40);
    return static_cast<std::uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

template <class C, class T>
C from_element(T value) {
    if constexpr (std::is_same_v<T, Half>) return static_cast<C>(half_to_float(value.bits));
    else if constexpr (std::is_same_v<T, Bfloat>) return static_cast<C>(bfloat16_to_float(value.bits));
    else if constexpr (std::is_same_v<T, Bool>) return static_cast<C>(value.value != 0);
    else return static_cast<C>(value);
}

template <class C>
std::int64_t to_integer(C value) {
    if constexpr (std::is_same_v<C, std::int64_t>) {
        return value;
    } else {
        constexpr C kLimit = static_cast<C>(0x1p63);
        if (!(value > -kLimit)) return std::isnan(value) ? 0 : std::numeric_limits<std::int64_t>::min();
        return value >= kLimit ? std::numeric_limits<std::int64_t>::max() : static_cast<std::int64_t>(value);
    }
}

template <class T, class C>
T to_element(C value) {
    if constexpr (std::is_same_v<T, Half>) return {half_bits(static_cast<double>(value))};
    else if constexpr (std::is_same_v<T, Bfloat>) return {bfloat_bits(static_cast<float>(value))};
    else if constexpr (std::is_same_v<T, Bool>) return {static_cast<std::uint8_t>(value != 0)};
    else if constexpr (std::is_floating_point_v<T>) return static_cast<T>(value);
    else return static_cast<T>(to_integer(value));
}

template <class C>
std::uint8_t narrowed(C value, DType type, Narrowing how) {
    return is_floating(type) ? float_to_narrow(type, static_cast<double>(value), how)
                             : integer_to_narrow(type, to_integer(value));
}

/// Calls body with a value of the element type.
template <class Body>
void with_type(DType type, Body const& body) {
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
        default: break;  // narrow types have loops of their own
    }
}

}  // namespace

template <class C>
void load(std::byte const* from, DType type, std::int64_t stride, std::int64_t count, C* to) {
    if (is_narrow(type)) {
        auto const* const codes = reinterpret_cast<std::uint8_t const*>(from);
        for (std::int64_t i = 0; i < count; ++i) to[i] = static_cast<C>(narrow_to_float(type, codes[i * stride]));
        return;
    }
    with_type(type, [&]<class T>(T) {
        auto const* const elements = reinterpret_cast<T const*>(from);
        if (stride == 0) return std::fill_n(to, count, from_element<C>(*elements)), void();
        for (std::int64_t i = 0; i < count; ++i) to[i] = from_element<C>(elements[i * stride]);
    });
}

template <class C>
void store(C const* from, std::int64_t count, DType type, std::byte* to, Narrowing narrowing) {
    for (std::int64_t i = 0; is_narrow(type) && i < count; ++i) to[i] = std::byte{narrowed(from[i], type, narrowing)};
    if (is_narrow(type)) return;
    with_type(type, [&]<class T>(T) {
        auto* const elements = reinterpret_cast<T*>(to);
        for (std::int64_t i = 0; i < count; ++i) elements[i] = to_element<T>(from[i]);
    });
}

template void load(std::byte const*, DType, std::int64_t, std::int64_t, float*);
template void load(std::byte const*, DType, std::int64_t, std::int64_t, double*);
template void load(std::byte const*, DType, std::int64_t, std::int64_t, std::int64_t*);
template void store(float const*, std::int64_t, DType, std::byte*, Narrowing);
template void store(double const*, std::int64_t, DType, std::byte*, Narrowing);
template void store(std::int64_t const*, std::int64_t, DType, std::byte*, Narrowing);

}  // namespace vitrum::dense
