// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gelu_halves.cuh"
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

/// What a kernel of such operands holds. The norm's results are multiplied by kScale, a power of two, so that the GELUs
/// need no factors.
template <class Operand>
struct HiddenQuad {
    using Type = float4;
    static constexpr float kScale = 1;
};
template <>
struct HiddenQuad<Fp16> {
    using Type = HalfQuad;
    static constexpr float kScale = 0.25F;
};

[[nodiscard]] __device__ inline HalfQuad multiply_add(HalfQuad a, HalfQuad b, HalfQuad c) {
    return {multiply_add_halves(a.low, b.low, c.low), multiply_add_halves(a.high, b.high, c.high)};
}

/// Of fc1's results, and of the filter's.
template <class Operand>
[[nodiscard]] __device__ HalfQuad first_gelu(HalfQuad v) {
    return {gelu_halves<4>(v.low), gelu_halves<4>(v.high)};
}
template <class Operand>
[[nodiscard]] __device__ HalfQuad second_gelu(HalfQuad v) {
    return {gelu_halves<2>(v.low), gelu_halves<2>(v.high)};
}
template <class Operand>
[[nodiscard]] __device__ float4 first_gelu(float4 v) {
    return gelu_for<Operand>(v);
}
template <class Operand>
[[nodiscard]] __device__ float4 second_gelu(float4 v) {
    return gelu_for<Operand>(v);
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
