// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "split_halves.cuh"

// Sums of a warp: groups of sixteen pixels, pairs of column tiles (see SumQuads).

namespace vitrum::cuda {

template <int kGroups, int kPairs>
__device__ void multiply_sums(SumQuads (&sums)[kGroups][kPairs], float factor) {
#pragma unroll
    for (int i = 0; i < 8 * kGroups * kPairs; ++i) {
        sums[i / 8 / kPairs][i / 8 % kPairs].tiles[i / 4 % 2][i % 4] *= factor;
    }
}

/// y = sums · factor + bias + residual. `pixels`: those of rows g and g + 8 of each group; bias may be null. The
/// residual may lie where y does, so that loads do not pass stores: eight are under way at a time.
template <int kGroups, int kPairs>
__device__ void store_sums(SumQuads const (&sums)[kGroups][kPairs], float factor, float const* bias, Pixels const& y,
                           Matrix const& residual, std::int64_t const (&pixels)[2 * kGroups],
                           bool const (&exists)[2 * kGroups], int t) {
    constexpr int kPixels = 2 * kGroups, kPairsAtOnce = 8 / kPixels;
#pragma unroll
    for (int u = 0; u < kPairs; u += kPairsAtOnce) {
        QuadAt at[8];
        float4 added[8];
#pragma unroll
        for (int i = 0; i < 8; ++i) {
            int const channel = 16 * (u + i / kPixels) + 4 * t;
            at[i] = {residual.at(pixels[i % kPixels]) + channel, exists[i % kPixels] ? y.c - channel : 0};
            added[i] = make_float4(0, 0, 0, 0);
        }
        if (residual.data != nullptr) load_quads(added, at, residual);
#pragma unroll
        for (int i = 0; i < 8; ++i) {
            if (at[i].count <= 0) continue;
            int const channel = 16 * (u + i / kPixels) + 4 * t;
            float4 const scale = {factor, factor, factor, factor},
                         sum = sums[i % kPixels / 2][u + i / kPixels].quad(i % 2),
                         b = load_some(bias + channel, bias == nullptr ? 0 : at[i].count);
            store4(y.at(pixels[i % kPixels]) + channel, multiply_add(sum, scale, b) + added[i], at[i].count, y.vector);
        }
    }
}

}  // namespace vitrum::cuda
