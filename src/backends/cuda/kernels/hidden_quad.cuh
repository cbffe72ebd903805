// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ptx/halves.cuh>

#include "../rounding.h"
#include "halo_tile.cuh"

// Four channels of a hidden layer between two products: float32, or, where the next product takes float16 operands,
// float16 from the first product's sums on. Its GELU and the nine products of its filter are then rounded as the
// operands are, at half the instructions.

namespace vitrum::cuda {

struct alignas(8) HalfQuad {
    std::uint32_t low, high;

    HalfQuad() = default;
    explicit __device__ HalfQuad(float4 v) : low(Fp16::pack(v.x, v.y)), high(Fp16::pack(v.z, v.w)) {}
    __device__ HalfQuad(std::uint32_t low_, std::uint32_t high_) : low(low_), high(high_) {}
};

template <class Operand>
struct HiddenQuad {
    using Type = float4;
};
template <>
struct HiddenQuad<Fp16> {
    using Type = HalfQuad;
};

[[nodiscard]] __device__ inline HalfQuad multiply_add(HalfQuad a, HalfQuad b, HalfQuad c) {
    return {multiply_add_halves(a.low, b.low, c.low), multiply_add_halves(a.high, b.high, c.high)};
}

/// gelu_for<Fp16> in float16 (fragments.cuh).
[[nodiscard]] __device__ inline std::uint32_t gelu_halves(std::uint32_t x) {
    constexpr auto both = [](float v) { return half_bits(v) * 0x10001U; };
    constexpr std::uint32_t kEnd = both(20.0F), kHalf = both(0.5F);
    constexpr std::uint32_t kFirst = both(7.97507055e-1F), kSecond = both(3.70064006e-2F), kThird = both(-3.51639357e-4F);
    std::uint32_t const square = least_halves(multiply_halves(x, x), kEnd);
    std::uint32_t const p = multiply_add_halves(multiply_add_halves(kThird, square, kSecond), square, kFirst);
    std::uint32_t const half = multiply_halves(x, kHalf);
    return multiply_add_halves(half, tanh_halves(multiply_halves(x, p)), half);
}
template <class Operand>
[[nodiscard]] __device__ HalfQuad gelu_for(HalfQuad v) {
    return {gelu_halves(v.low), gelu_halves(v.high)};
}

/// Two pixels' quads as the left operand.
template <class Operand>
[[nodiscard]] __device__ Left<Operand> left_of(float4 first, float4 second) {
    Quads q;
    q.set(0, first);
    q.set(1, second);
    return Left<Operand>(q);
}
template <class Operand>
[[nodiscard]] __device__ Left<Operand> left_of(HalfQuad first, HalfQuad second) {
    Left<Operand> left;
    left.a[0] = first.low, left.a[1] = second.low, left.a[2] = first.high, left.a[3] = second.high;
    return left;
}

}  // namespace vitrum::cuda
