// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "../fragments.cuh"

// Operands that are the sum of two bfloat16, which hold sixteen bits or more; of their products the three largest are
// taken. Unlike float16's (split_halves.cuh), their range is float32's, so that nothing has to be scaled or looked at
// before.

namespace vitrum::cuda {

/// Two values.
struct BrainPair {
    std::uint32_t high, low;

    __device__ BrainPair(float a, float b) : high(Bf16::pack(a, b)) {
        float2 const rounded = Bf16::unpack(high);
        low = Bf16::pack(a - rounded.x, b - rounded.y);
    }
};

/// 16 rows × 16 channels as the left operand.
struct BrainLeft {
    std::uint32_t high[4], low[4];

    __device__ void set(int i, float a, float b) {
        BrainPair const pair(a, b);
        high[i] = pair.high, low[i] = pair.low;
    }
    /// Four channels of row g or g + 8.
    __device__ void set_quad(int row, float4 v) {
        set(row, v.x, v.y);
        set(2 + row, v.z, v.w);
    }
};

/// A right operand is a lane's high words and its low ones.
__device__ inline void multiply_add(float (&sums)[4], BrainLeft const& left, uint4 right) {
    multiply_add<Bf16>(sums, left.low, {right.x, right.y});
    multiply_add<Bf16>(sums, left.high, {right.z, right.w});
    multiply_add<Bf16>(sums, left.high, {right.x, right.y});
}

}  // namespace vitrum::cuda
