// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "../fragments.cuh"

namespace vitrum::cuda {

/// The loads of load_quads alone, for which nothing waits here: of a quad of which less than four channels exist, the
/// others are whatever memory holds, until first_of() is asked for.
template <int kCount>
__device__ void fetch_quads(float4 (&to)[kCount], QuadAt const (&at)[kCount], Matrix const& safe) {
    if (safe.vector) {
#pragma unroll
        for (int i = 0; i < kCount; ++i) {
            to[i] = *reinterpret_cast<float4 const*>(at[i].count > 0 ? at[i].from : safe.data);
        }
    } else {
#pragma unroll
        for (int i = 0; i < kCount; ++i) to[i] = load4(at[i].from, at[i].count, false);
    }
}

}  // namespace vitrum::cuda
