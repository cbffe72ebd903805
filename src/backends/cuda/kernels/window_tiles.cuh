// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attention.cuh"
#include "fragments.cuh"
#include "packed_fragments.cuh"

// Attention inside windows of at most 64 tokens by tensor cores in TF32: what attention.cuh does query by query.

namespace vitrum::cuda {

constexpr int kTileTokens = 64, kTileDim = 32;

[[nodiscard]] constexpr bool window_tiles_serve(int tokens, int dim) {
    return tokens <= kTileTokens && dim <= kTileDim && dim % 4 == 0;
}

/// Rows of 36 floats: what the lanes of a warp read of keys, and of values, lies in 32 banks.
struct WindowTile {
    static constexpr int kStride = kTileDim + 4;
    alignas(16) float keys[kTileTokens][kStride];
    alignas(16) float values[kTileTokens][kStride];

    template <class Source>
    __device__ void fill(Source const& source, typename Source::Item const& item) {
        constexpr int kQuads = kTileDim / 4;
        for (int i = static_cast<int>(threadIdx.x); i < kTileTokens * kQuads; i += static_cast<int>(blockDim.x)) {
            int const j = i / kQuads, d = i % kQuads * 4;
            bool const exists = j < source.tokens && d < source.dim;
            int const token = exists ? j : 0, channel = exists ? d : 0;
            copy_async_or_zero(&keys[j][d], source.key(item, token) + channel, exists);
            copy_async_or_zero(&values[j][d], source.value(item, token) + channel, exists);
        }
        commit_copies();
    }
};

/// Logits of sixteen queries from `first` on: lane 4 g + t has rows g and g + 8, keys 8 j + 2 t and 2 t + 1.
using TileLogits = float[kTileTokens / 8][4];

template <class Source>
__device__ void find_logits(Source const& source, typename Source::Item const& item, WindowTile const& tile, int first,
                            TileLogits& logits) {
    int const lane = static_cast<int>(threadIdx.x) % 32, g = lane / 4, t = lane % 4;
    std::uint32_t queries[kTileDim / 8][4];
#pragma unroll
    for (int i = 0; i < kTileDim / 2; ++i) {
        int const row = first + g + i % 2 * 8, d = i / 4 * 8 + i % 4 / 2 * 4 + t;
        bool const exists = row < source.tokens && d < source.dim;
        queries[i / 4][i % 4] = Tf32::pack(exists ? source.query(item, row)[d] : 0.0F);
    }
#pragma unroll
    for (int j = 0; j < kTileTokens / 8; ++j) {
#pragma unroll
        for (float& logit : logits[j]) logit = 0;
#pragma unroll
        for (int s = 0; s < kTileDim / 8; ++s) {
            float const* const key = tile.keys[8 * j + g] + 8 * s + t;
            multiply_add<Tf32>(logits[j], queries[s], {Tf32::pack(key[0]), Tf32::pack(key[4])});
        }
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            int const row = min(first + g + i / 2 * 8, source.tokens - 1), key = 8 * j + 2 * t + i % 2;
            logits[j][i] = key < source.tokens ? source.logit(item, row, key, logits[j][i]) : -INFINITY;
        }
    }
}

/// Logits become weights, not yet divided by their sums, which it returns.
__device__ inline float2 weigh(TileLogits& logits) {
    float sums[2];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        float most = -INFINITY, sum = 0;
#pragma unroll
        for (int i = 0; i < kTileTokens / 4; ++i) most = fmaxf(most, logits[i / 2][2 * half + i % 2]);
        most = row_max(most);
#pragma unroll
        for (int i = 0; i < kTileTokens / 4; ++i) {
            float& logit = logits[i / 2][2 * half + i % 2];
            logit = exp2_approximate(1.4426950408889634F * (logit - most));
            sum += logit;
        }
        sums[half] = row_sum(sum);
    }
    return make_float2(sums[0], sums[1]);
}

/// A block has a head of a window (see window_attention_kernel), a warp sixteen of its queries.
template <class Source>
__global__ void __launch_bounds__(kTileTokens * 2) window_tiles_kernel(Source source) {
    __shared__ WindowTile tile;
    typename Source::Item const item = source.item(static_cast<std::int64_t>(blockIdx.x));
    tile.fill(source, item);
    wait_for_copies<0>();
    __syncthreads();
    int const lane = static_cast<int>(threadIdx.x) % 32, g = lane / 4, t = lane % 4;
    int const first = static_cast<int>(threadIdx.x) / 32 * 16;
    TileLogits weights;
    find_logits(source, item, tile, first, weights);
    float2 const totals = weigh(weights);
    float sums[kTileDim / 8][4] = {};
#pragma unroll
    for (int j = 0; j < kTileTokens / 8; ++j) {
        // Keys 2 t and 2 t + 1 in the places of t and t + 4, in both operands.
        std::uint32_t const left[4] = {Tf32::pack(weights[j][0]), Tf32::pack(weights[j][2]), Tf32::pack(weights[j][1]),
                                       Tf32::pack(weights[j][3])};
#pragma unroll
        for (int d = 0; d < kTileDim / 8; ++d) {
            float const* const value = tile.values[8 * j + 2 * t] + 8 * d + g;
            multiply_add<Tf32>(sums[d], left, {Tf32::pack(value[0]), Tf32::pack(value[WindowTile::kStride])});
        }
    }
#pragma unroll
    for (int i = 0; i < kTileDim / 2; ++i) {
        int const row = first + g + i % 2 * 8, d = i / 4 * 8 + 2 * t + i % 4 / 2;
        if (row >= source.tokens || d >= source.dim) continue;
        float const total = i % 2 == 0 ? totals.x : totals.y;
        source.result(item, row)[d] = sums[i / 4][i % 2 * 2 + i % 4 / 2] / total;
    }
}

template <class Source>
void attend_in_tiles(void* stream, std::int64_t blocks, Source const& source) {
    int const warps = (source.tokens + 15) / 16;
    start(stream, window_tiles_kernel<Source>, blocks, warps * 32, source);
}

}  // namespace vitrum::cuda
