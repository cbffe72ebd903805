// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "../../elan_layout.h"
#include "../scaled_halves.cuh"

// Operands of one float16 each, or of two whose sum is the value; of their products the three largest are taken, which
// is within 2^-21 of a float32 product.

namespace vitrum::cuda {

/// 16 rows × 16 channels as the left operand.
template <int kParts>
struct SplitLeft {
    std::uint32_t a[kParts][4];

    /// Register i holds two values.
    __device__ void set(int i, float first, float second) {
        if constexpr (kParts == 1) {
            a[0][i] = Fp16::pack(first, second);
        } else {
            SplitPair const pair(first, second);
            a[0][i] = pair.high, a[1][i] = pair.low;
        }
    }
    /// Four channels of row g or g + 8, times a scale.
    __device__ void set_quad(int row, float4 v, float scale) {
        set(row, v.x * scale, v.y * scale);
        set(2 + row, v.z * scale, v.w * scale);
    }
};

/// Right operands of two tiles of eight columns.
template <int kParts>
struct SplitRight {
    uint4 v[kParts];

    SplitRight() = default;
    /// The parts lie `part_lanes` apart.
    __device__ SplitRight(uint4 const* from, int part_lanes) {
#pragma unroll
        for (int part = 0; part < kParts; ++part) v[part] = from[part * part_lanes];
    }
};

template <int kParts>
__device__ void multiply_add(float (&first)[4], float (&second)[4], SplitLeft<kParts> const& left,
                             SplitRight<kParts> const& right) {
    if constexpr (kParts == 2) {
        multiply_add<Fp16>(first, left.a[1], {right.v[0].x, right.v[0].y});
        multiply_add<Fp16>(second, left.a[1], {right.v[0].z, right.v[0].w});
        multiply_add<Fp16>(first, left.a[0], {right.v[1].x, right.v[1].y});
        multiply_add<Fp16>(second, left.a[0], {right.v[1].z, right.v[1].w});
    }
    multiply_add<Fp16>(first, left.a[0], {right.v[0].x, right.v[0].y});
    multiply_add<Fp16>(second, left.a[0], {right.v[0].z, right.v[0].w});
}

/// The first tile alone.
template <int kParts>
__device__ void multiply_add_first(float (&sums)[4], SplitLeft<kParts> const& left, SplitRight<kParts> const& right) {
    if constexpr (kParts == 2) {
        multiply_add<Fp16>(sums, left.a[1], {right.v[0].x, right.v[0].y});
        multiply_add<Fp16>(sums, left.a[0], {right.v[1].x, right.v[1].y});
    }
    multiply_add<Fp16>(sums, left.a[0], {right.v[0].x, right.v[0].y});
}

}  // namespace vitrum::cuda
