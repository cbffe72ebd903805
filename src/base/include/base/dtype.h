// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace vitrum {

/// Element types that a file may hold. Activations and canonical weights of the families are f32. Those from f8e4m3fn
/// on are in ONNX files only, and take a byte each in memory (base/narrow.h); text is a string's hash, to be compared.
enum class DType : std::uint8_t {
    f32,
    f16,
    bf16,
    f64,
    i8,
    u8,
    i16,
    i32,
    i64,
    boolean,
    u16,
    u32,
    u64,
    f8e4m3fn,
    f8e4m3fnuz,
    f8e5m2,
    f8e5m2fnuz,
    f8e8m0,
    f4e2m1,
    i4,
    u4,
    i2,
    u2,
    text
};

[[nodiscard]] constexpr bool is_floating(DType type) {
    return type == DType::f32 || type == DType::f64 || type == DType::f16 || type == DType::bf16 ||
           (type >= DType::f8e4m3fn && type <= DType::f4e2m1);
}

[[nodiscard]] constexpr std::size_t size_of(DType type) {
    switch (type) {
        case DType::i8:
        case DType::u8:
        case DType::f8e4m3fn:
        case DType::f8e4m3fnuz:
        case DType::f8e5m2:
        case DType::f8e5m2fnuz:
        case DType::f8e8m0:
        case DType::f4e2m1:
        case DType::i4:
        case DType::u4:
        case DType::i2:
        case DType::u2:
        case DType::boolean: return 1;
        case DType::f16:
        case DType::bf16:
        case DType::i16:
        case DType::u16: return 2;
        case DType::f32:
        case DType::i32:
        case DType::u32: return 4;
        case DType::f64:
        case DType::i64:
        case DType::u64:
        case DType::text: return 8;
    }
    return 0;
}

[[nodiscard]] constexpr std::string_view name_of(DType type) {
    switch (type) {
        case DType::f32: return "float32";
        case DType::f16: return "float16";
        case DType::bf16: return "bfloat16";
        case DType::f64: return "float64";
        case DType::i8: return "int8";
        case DType::u8: return "uint8";
        case DType::i16: return "int16";
        case DType::i32: return "int32";
        case DType::i64: return "int64";
        case DType::boolean: return "bool";
        case DType::u16: return "uint16";
        case DType::u32: return "uint32";
        case DType::u64: return "uint64";
        case DType::f8e4m3fn: return "float8_e4m3fn";  // as the package ml_dtypes names them for NumPy
        case DType::f8e4m3fnuz: return "float8_e4m3fnuz";
        case DType::f8e5m2: return "float8_e5m2";
        case DType::f8e5m2fnuz: return "float8_e5m2fnuz";
        case DType::f8e8m0: return "float8_e8m0fnu";
        case DType::f4e2m1: return "float4_e2m1fn";
        case DType::i4: return "int4";
        case DType::u4: return "uint4";
        case DType::i2: return "int2";
        case DType::u2: return "uint2";
        case DType::text: return "string";
    }
    return "unknown";
}

/// IEEE 754 binary16 bits to float, exact, subnormals and NaN included.
[[nodiscard]] constexpr float half_to_float(std::uint16_t bits) {
    std::uint32_t const sign = static_cast<std::uint32_t>(bits & 0x8000U) << 16;
    std::uint32_t const exponent = (bits >> 10) & 0x1FU;
    std::uint32_t const mantissa = bits & 0x3FFU;
    if (exponent == 0x1F) return std::bit_cast<float>(sign | 0x7F800000U | (mantissa << 13));
    if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
    // Subnormal halves are mantissa · 2^-24, which float32 holds exactly as a normal number.
    float const magnitude = static_cast<float>(mantissa) * 0x1p-24F;
    return sign != 0 ? -magnitude : magnitude;
}

[[nodiscard]] constexpr float bfloat16_to_float(std::uint16_t bits) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

}  // namespace vitrum
