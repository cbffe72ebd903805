// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "../kernels/elan/regions.cuh"
#include "../kernels/scaled_halves.cuh"
#include "../swin_layout.h"
#include "tiles.cuh"

// ELAN's attention inside a region of 16 × 16 pixels, whose queries and values lie as operands in shared memory:
// queries in chunks [eight numbers][token], values as [eight tokens][column][token]. A warpgroup takes 64 queries and
// 64 keys at a time; scores become probabilities in registers. `Layout` says how logits come from queries:
//     Query, load_query(keys, first, query), begin_scores(scores, query, keys, key)
//     kColumns: of values, one of which sums probabilities

namespace vitrum::cuda::hopper {

constexpr int kSet = 64;  ///< queries, or keys, at a time
using RegionScores = float[kSet / 2];

/// Numbers of all tokens of a region that stand next to each other in a product's depth.
constexpr int kChunkPlane = kRegionTokens * 16;

template <class Layout>
class RegionAttention {
public:
    using Sums = float[Layout::kColumns / 2];
    static constexpr int kValueBytes = Layout::kColumns * 16;  ///< of eight tokens

    __device__ RegionAttention(std::byte const* keys, std::uint32_t values, float query_scale, int window_bits)
        : chunks_(keys),
          keys_(shared_address(keys)),
          values_(values),
          scale_(kLog2E / (query_scale * query_scale)),
          bits_(window_bits) {}

    /// Sets of keys one after the other, the next one's scores with this one's values.
    __device__ void attend(int first_query, Sums& sums) const {
        typename Layout::Query query;
        Layout::load_query(chunks_, first_query + 16 * lane_.warp, query);
        bool const is_whole = bits_ == 4;
        int const first = is_whole ? 0 : first_query, end = is_whole ? kRegionTokens : first_query + kSet;
        float most[2] = {-INFINITY, -INFINITY};
#pragma unroll
        for (float& sum : sums) sum = 0;
        RegionScores scores;
        fence_products();
        Layout::begin_scores(scores, query, keys_, first);
        commit_products();
        wait_for_products<0>();
        settle(scores);
#pragma unroll 1
        for (int key = first; key < end; key += kSet) {
            Probabilities weights;
            if (bits_ == 2) keep_own_window(scores);
            weigh(scores, most, sums, weights);
            fence_products();
            begin_products<Layout::kColumns, kSet / 16>(sums, weights, values_ + key / 8 * kValueBytes, true);
            // Once too often, since no branch may come between products.
            Layout::begin_scores(scores, query, keys_, min(key + kSet, end - kSet));
            commit_products();
            wait_for_products<0>();
            settle(scores);
            settle(sums);
            settle(weights);
        }
        query.settle();
    }

private:
    using Probabilities = std::uint32_t[kSet / 4];

    /// A warp's sixteen queries are a window of 4 × 4.
    __device__ void keep_own_window(RegionScores& scores) const {
#pragma unroll
        for (int i = 0; i < kSet / 2; ++i) scores[i] = i / 8 == lane_.warp ? scores[i] : -INFINITY;
    }

    /// Scores to probabilities · 2^10, relative to the largest score so far; what came before follows.
    __device__ void weigh(RegionScores const& scores, float (&most)[2], Sums& sums, Probabilities& weights) const {
        float now[2];
#pragma unroll
        for (int r = 0; r < 2; ++r) {
            float own = -INFINITY;
#pragma unroll
            for (int i = 0; i < kSet / 4; ++i) own = fmaxf(own, scores[i / 2 * 4 + 2 * r + i % 2]);
            own = fmaxf(own, __shfl_xor_sync(0xFFFFFFFFU, own, 1));
            own = fmaxf(own, __shfl_xor_sync(0xFFFFFFFFU, own, 2));
            now[r] = fmaxf(most[r], own * scale_);
        }
        bool const has_larger = now[0] > most[0] || now[1] > most[1];
        if (__any_sync(0xFFFFFFFFU, has_larger)) {
            float const factor[2] = {exp2_approximate(most[0] - now[0]), exp2_approximate(most[1] - now[1])};
#pragma unroll
            for (int i = 0; i < Layout::kColumns / 2; ++i) sums[i] *= factor[i / 2 % 2];
            most[0] = now[0], most[1] = now[1];
        }
#pragma unroll
        for (int i = 0; i < kSet / 4; ++i) {
            float const base = 10.0F - now[i % 2];
            weights[i] = Fp16::pack(exp2_approximate(fmaf(scores[2 * i], scale_, base)),
                                    exp2_approximate(fmaf(scores[2 * i + 1], scale_, base)));
        }
    }

    std::byte const* chunks_;
    std::uint32_t keys_, values_;
    float scale_;  ///< of a product of queries to a logit to base 2
    int bits_;     ///< log2 of the window
    Lane lane_;
};

/// What undoes the sum of probabilities, for row g or g + 8; they lie in column `ones`.
template <int kCount>
[[nodiscard]] __device__ float inverse_total(float const (&sums)[kCount], int ones, int r) {
    int const owner = static_cast<int>(threadIdx.x) % 32 / 4 * 4 + ones % 8 / 2;
    return 1.0F / __shfl_sync(0xFFFFFFFFU, sums[ones / 8 * 4 + 2 * r + ones % 2], owner);
}

/// Two chunks of the keys from `key` on, as operand.
[[nodiscard]] __device__ inline std::uint64_t key_chunks(std::uint32_t keys, int chunk, int key) {
    return matrix_descriptor(keys + chunk * kChunkPlane + key * 16, kChunkPlane);
}

/// Where a region's tokens lie in memory: looked up, since what follows from a place would wait in registers, or in
/// local memory, from the loads to the stores.
class RegionPixels {
public:
    __device__ void put(RegionPlace const& place, int token) { pixels_[token] = static_cast<int>(place.pixel(token)); }
    [[nodiscard]] __device__ float* row(Matrix const& of, int token) const {
        return of.data + static_cast<std::int64_t>(pixels_[token]) * static_cast<int>(of.stride);
    }

private:
    int pixels_[kRegionTokens];
};

/// The largest numbers that warps have seen.
template <int kWarps>
struct RegionLargest {
    float of_queries[kWarps], of_values[kWarps];

    __device__ void publish(float of_query, float of_value) {
        of_query = warp_max(of_query), of_value = warp_max(of_value);
        if (threadIdx.x % 32 != 0) return;
        of_queries[threadIdx.x / 32] = of_query, of_values[threadIdx.x / 32] = of_value;
    }
    [[nodiscard]] __device__ float query_scale() const { return power_of_two_below(largest(of_queries), 8); }
    [[nodiscard]] __device__ float value_scale() const { return power_of_two_below(largest(of_values), 12); }

private:
    [[nodiscard]] static __device__ float largest(float const (&of_warps)[kWarps]) {
        float result = 0;
#pragma unroll
        for (float const v : of_warps) result = fmaxf(result, v);
        return result;
    }
};

}  // namespace vitrum::cuda::hopper
