// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/dtype.h"

// Element types of at most 8 bits as ONNX defines them (https://onnx.ai/onnx/technical/float8.html and float4.html). In
// memory each number has a byte of its own; files pack those below 8 bits. Everything is constexpr, for kernels too.

namespace vitrum {

/// How numbers become floats of 8 bits, where there is a choice.
struct Narrowing {
    enum class Powers : std::uint8_t { nearest, up, down };
    bool saturates = true;       ///< too large a number becomes the largest one; else infinity, or NaN without one
    Powers powers = Powers::up;  ///< which power of two stands for a number between two of them
    bool operator==(Narrowing const&) const = default;
};

namespace narrow {

enum class Lost : std::uint8_t {
    infinities,     ///< the largest exponent means infinity and NaN, as IEEE 754 has it
    all_ones,       ///< that code alone is NaN
    negative_zero,  ///< NaN has zero's code with a sign
    nothing         ///< there is no NaN
};

/// A sign bit, then these.
struct Format {
    int exponent_bits, fraction_bits, bias;
    Lost lost;
};

[[nodiscard]] constexpr Format format_of(DType type) {
    switch (type) {
        case DType::f8e4m3fn: return {4, 3, 7, Lost::all_ones};
        case DType::f8e4m3fnuz: return {4, 3, 8, Lost::negative_zero};
        case DType::f8e5m2: return {5, 2, 15, Lost::infinities};
        case DType::f8e5m2fnuz: return {5, 2, 16, Lost::negative_zero};
        default: return {2, 1, 1, Lost::nothing};  // f4e2m1
    }
}

/// 2^exponent, from −149 to 127.
[[nodiscard]] constexpr float power_of_two(int exponent) {
    return exponent < -126 ? std::bit_cast<float>(1U << (exponent + 149))
                           : std::bit_cast<float>(static_cast<std::uint32_t>(exponent + 127) << 23);
}

constexpr float kNan = std::bit_cast<float>(0x7FC00000U);

/// value >> shift, the nearest, ties to even.
[[nodiscard]] constexpr std::uint64_t rounded_shift(std::uint64_t value, int shift) {
    if (shift > 60) return 0;
    std::uint64_t const whole = value >> shift, half = std::uint64_t{1} << (shift - 1);
    std::uint64_t const rest = value & (2 * half - 1);
    return whole + (rest > half || (rest == half && (whole & 1) != 0) ? 1 : 0);
}

[[nodiscard]] constexpr float from_float_code(DType type, unsigned code) {
    Format const f = format_of(type);
    unsigned const magnitude_bits = static_cast<unsigned>(f.exponent_bits + f.fraction_bits);
    unsigned const magnitude = code & ((1U << magnitude_bits) - 1), exponent = magnitude >> f.fraction_bits;
    unsigned const fraction = magnitude & ((1U << f.fraction_bits) - 1);
    bool const is_negative = (code >> magnitude_bits & 1) != 0, is_last = exponent + 1 == 1U << f.exponent_bits;
    if (f.lost == Lost::negative_zero && is_negative && magnitude == 0) return kNan;
    if (f.lost == Lost::all_ones && magnitude + 1 == 1U << magnitude_bits) return kNan;
    if (f.lost == Lost::infinities && is_last && fraction != 0) return kNan;
    float value = 0;
    if (f.lost == Lost::infinities && is_last) value = std::bit_cast<float>(0x7F800000U);
    else if (exponent == 0) value = static_cast<float>(fraction) * power_of_two(1 - f.bias - f.fraction_bits);
    else
        value = static_cast<float>(fraction + (1U << f.fraction_bits)) *
                power_of_two(static_cast<int>(exponent) - f.bias - f.fraction_bits);
    return is_negative ? -value : value;
}

[[nodiscard]] constexpr unsigned to_float_code(DType type, double value, bool saturates) {
    Format const f = format_of(type);
    auto const bits = std::bit_cast<std::uint64_t>(value);
    int const raw = static_cast<int>(bits >> 52 & 0x7FF);
    std::uint64_t const fraction = bits & ((std::uint64_t{1} << 52) - 1);
    unsigned const magnitude_bits = static_cast<unsigned>(f.exponent_bits + f.fraction_bits);
    unsigned const sign = static_cast<unsigned>(bits >> 63) << magnitude_bits, all = (1U << magnitude_bits) - 1;
    unsigned const infinity = all >> f.fraction_bits << f.fraction_bits;
    bool const has_zero = f.lost == Lost::negative_zero;  // with NaN in the place of the negative one
    unsigned const largest = f.lost == Lost::infinities ? infinity - 1 : f.lost == Lost::all_ones ? all - 1 : all;
    unsigned const nan = f.lost == Lost::infinities ? sign | infinity | 1U << (f.fraction_bits - 1)
                         : f.lost == Lost::all_ones ? sign | all
                                                    : 1U << magnitude_bits;
    if (raw == 0x7FF && fraction != 0) return nan;
    unsigned code = largest + 1;
    int const own = raw - 1023;
    if (own <= (1 << f.exponent_bits) - f.bias) {  // else beyond all, infinity too
        int const exponent = own < 1 - f.bias ? 1 - f.bias : own;
        std::uint64_t const significand = fraction | (raw == 0 ? 0 : std::uint64_t{1} << 52);
        code = static_cast<unsigned>(rounded_shift(significand, 52 - f.fraction_bits + exponent - own)) +
               (static_cast<unsigned>(exponent + f.bias - 1) << f.fraction_bits);
    }
    if (code > largest) {
        if (saturates || f.lost == Lost::nothing) code = largest;
        else return f.lost == Lost::infinities ? sign | infinity : nan;
    }
    return has_zero && code == 0 ? 0 : sign | code;
}

/// 2^(code − 127) without a sign; 255 is NaN, and stands for infinity too.
[[nodiscard]] constexpr unsigned to_power_code(float value, Narrowing how) {
    auto const bits = std::bit_cast<std::uint32_t>(value);
    unsigned const exponent = bits >> 23 & 0xFF, fraction = bits & 0x7FFFFF;
    if (exponent == 0xFF) return 0xFF;
    bool const is_half = fraction == 0x400000;
    bool const nearer_next = fraction > 0x400000 || (is_half && exponent > 0);
    bool const up = how.powers == Narrowing::Powers::up ? fraction != 0 : nearer_next;
    bool const stays = how.powers == Narrowing::Powers::down || (how.saturates && exponent == 0xFE);
    return up && !stays ? exponent + 1 : exponent;
}

/// How many bits a number of the type takes in a file.
[[nodiscard]] constexpr unsigned bits_of(DType type) {
    if (type == DType::i4 || type == DType::u4 || type == DType::f4e2m1) return 4;
    return type == DType::i2 || type == DType::u2 ? 2 : 8 * static_cast<unsigned>(size_of(type));
}

}  // namespace narrow

[[nodiscard]] constexpr bool is_narrow(DType type) {
    return type >= DType::f8e4m3fn && type <= DType::u2;
}

/// The number that a narrow type's byte stands for. Signed integers have their sign in the whole byte.
[[nodiscard]] constexpr float narrow_to_float(DType type, std::uint8_t code) {
    switch (type) {
        case DType::i4:
        case DType::i2: return static_cast<float>(static_cast<std::int8_t>(code));
        case DType::u4:
        case DType::u2: return static_cast<float>(code);
        case DType::f8e8m0: return code == 0xFF ? narrow::kNan : narrow::power_of_two(code - 127);
        default: return narrow::from_float_code(type, code);
    }
}

/// The byte of an integer type below 8 bits; what is too large wraps around.
[[nodiscard]] constexpr std::uint8_t integer_to_narrow(DType type, std::int64_t value) {
    unsigned const bits = narrow::bits_of(type);
    auto const low = static_cast<unsigned>(value) & ((1U << bits) - 1);
    bool const is_negative = (type == DType::i4 || type == DType::i2) && (low >> (bits - 1)) != 0;
    return static_cast<std::uint8_t>(is_negative ? low | (0xFFU << bits) : low);
}

/// The nearest number of a narrow floating type, ties to even.
[[nodiscard]] constexpr std::uint8_t float_to_narrow(DType type, double value, Narrowing how = {}) {
    unsigned const code = type == DType::f8e8m0 ? narrow::to_power_code(static_cast<float>(value), how)
                                                : narrow::to_float_code(type, value, how.saturates);
    return static_cast<std::uint8_t>(code);
}

}  // namespace vitrum
