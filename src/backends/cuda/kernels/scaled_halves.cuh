// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>

#include "fragments.cuh"

// float16 operands of values whose range nobody knows: each is multiplied by a power of two that the largest of them
// demands. None overflows, and what is lost at the lower end is 2^-24 of the largest or less.

namespace vitrum::cuda {

constexpr float kHalfRange = 32768.0F;

/// The largest power of two with which a value stays below 2^limit; a tame one where there is nothing to scale.
[[nodiscard]] __device__ inline float power_of_two_below(float value, int limit) {
    int const exponent = value > 0 ? (std::bit_cast<int>(value) >> 23) - 127 : -100;
    return std::bit_cast<float>((limit - 1 - max(-100, min(127, exponent)) + 127) << 23);
}

[[nodiscard]] __device__ inline float warp_max(float value) {
    for (int lane = 16; lane > 0; lane /= 2) value = fmaxf(value, __shfl_xor_sync(0xFFFFFFFFU, value, lane));
    return value;
}

[[nodiscard]] __device__ inline float largest_of(float4 v) {
    return fmaxf(fmaxf(fabsf(v.x), fabsf(v.y)), fmaxf(fabsf(v.z), fabsf(v.w)));
}

/// Makes room for `largest`, the most that this lane has: where any lane's would leave the range, and at first, `scale`
/// gets lower for the whole warp, and multiply(factor) is called for what was summed with it so far.
template <class Multiply>
__device__ void fit_scale(float& scale, float largest, Multiply const& multiply) {
    if (!__any_sync(0xFFFFFFFFU, scale == 0 || largest * scale >= kHalfRange)) return;
    float const lower = power_of_two_below(warp_max(largest), 11);
    multiply(scale > 0 ? lower / scale : 1.0F);
    scale = lower;
}

/// Two float16 whose sum is the value, for two values.
struct SplitPair {
    std::uint32_t high, low;
    __device__ SplitPair(float a, float b) : high(Fp16::pack(a, b)) {
        float2 const rounded = Fp16::unpack(high);
        low = Fp16::pack(a - rounded.x, b - rounded.y);
    }
};

}  // namespace vitrum::cuda
