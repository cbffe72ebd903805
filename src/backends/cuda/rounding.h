// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <span>

// float32 as the operands of tensor cores hold it, on the host: to the nearest, ties to even, as devices round (TF32:
// ties away from zero).

namespace vitrum::cuda {

namespace detail {

/// The bits of a float32 of which `dropped` bits of the fraction are zero.
[[nodiscard]] constexpr std::uint32_t rounded_bits(float value, int dropped, bool ties_to_even) {
    auto const bits = std::bit_cast<std::uint32_t>(value);
    if ((bits & 0x7F800000U) == 0x7F800000U) return bits;  // NaN and infinity
    std::uint32_t const half = 1U << (dropped - 1);
    bool const is_odd = (bits >> dropped & 1) != 0;
    return (bits + (ties_to_even && !is_odd ? half - 1 : half)) & ~((1U << dropped) - 1);
}

}  // namespace detail

[[nodiscard]] constexpr std::uint32_t tf32_bits(float value) {
    return detail::rounded_bits(value, 13, false);
}

[[nodiscard]] constexpr std::uint16_t bfloat16_bits(float value) {
    return static_cast<std::uint16_t>(detail::rounded_bits(value, 16, true) >> 16);
}

[[nodiscard]] constexpr std::uint16_t half_bits(float value) {
    auto const bits = std::bit_cast<std::uint32_t>(value);
    std::uint32_t const sign = bits >> 16 & 0x8000U;
    float const magnitude = std::bit_cast<float>(bits & 0x7FFFFFFFU);
    if (magnitude != magnitude) return static_cast<std::uint16_t>(sign | 0x7E00U);
    if (magnitude >= 65520.0F) return static_cast<std::uint16_t>(sign | 0x7C00U);
    if (magnitude < 0x1p-14F) {  // a multiple of 2^-24: adding 2^-1 leaves it in the fraction, rounded
        return static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(magnitude + 0.5F) & 0x7FFU));
    }
    std::uint32_t const rounded = detail::rounded_bits(magnitude, 13, true);
    return static_cast<std::uint16_t>(sign | ((rounded >> 13) - (112U << 10)));
}

/// The power of two that the largest of these numbers is divided by to lie in [2^top, 2^(top + 1)): float16 then holds
/// the others as exactly as it can, however small or large all of them are. 1 where all are zero.
[[nodiscard]] inline float half_unit(std::span<float const> numbers, int top = 14) {
    float largest = 0;
    for (float const number : numbers) largest = std::max(largest, std::abs(number));
    return largest == 0 ? 1.0F : std::ldexp(1.0F, std::max(std::ilogb(largest) - top, -126));
}

}  // namespace vitrum::cuda
