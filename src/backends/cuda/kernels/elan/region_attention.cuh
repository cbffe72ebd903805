// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "group_window_project.cuh"

// ELAN's attention over tokens that lie as rows in shared memory, from which ldmatrix takes operands. `Rows` says how:
//     kTiles        of eight columns of values, the last of which sums probabilities
//     kValueParts   float16 that a value is the sum of
//     kWeightParts  float16 that a probability is the sum of
//     Queries, load_queries, add_scores: how logits come from rows of keys
//     value_place(token, chunk): where eight values lie, the high parts' chunks before the low ones'

namespace vitrum::cuda {

template <class Rows>
struct RowsSoftmax {
    float largest[2] = {-INFINITY, -INFINITY};  ///< logits so far, to base 2
    float sums[Rows::kTiles][4] = {};           ///< of probabilities · 2^10 and values, and of probabilities alone

    /// What undoes the sum of probabilities, for row g or g + 8; it lies in the column behind the last channel.
    [[nodiscard]] __device__ float inverse_total(int r, int column, int lane) const {
        int const own = column / 8 * 2 + column % 2;  // of the columns that a lane holds
        float total = 0;
#pragma unroll
        for (int j = 0; j < Rows::kTiles; ++j) {  // no choice between two of them: they would be moved to memory
            total = own == 2 * j ? sums[j][2 * r] : total;
            total = own == 2 * j + 1 ? sums[j][2 * r + 1] : total;
        }
        return 1.0F / __shfl_sync(0xFFFFFFFFU, total, lane / 4 * 4 + column % 8 / 2);
    }
};

/// Attention of a warp for sets of sixteen queries.
template <class Rows>
class RowsAttention {
public:
    static constexpr int kTiles = Rows::kTiles, kValueTiles = Rows::kValueParts * kTiles;
    using Queries = typename Rows::Queries;
    using Softmax = RowsSoftmax<Rows>;

    __device__ RowsAttention(typename Rows::Shared const& shared, float query_scale, int lane)
        : shared_(shared), scale_(1.44269504F / (query_scale * query_scale)), lane_(lane) {}

    template <int kSets, int kKeyTiles>
    __device__ void attend(int first, int first_key, int end_key, Softmax (&softmax)[kSets]) const {
        Queries queries[kSets];
#pragma unroll
        for (int m = 0; m < kSets; ++m) Rows::load_queries(shared_, first + 16 * m, lane_, queries[m]);
#pragma unroll 1
        for (int key = first_key; key < end_key; key += 8 * kKeyTiles) {
            float scores[kSets][kKeyTiles][4] = {};
#pragma unroll
            for (int k = 0; k < kKeyTiles; k += 2) Rows::add_scores(shared_, queries, key + 8 * k, lane_, k, scores);
#pragma unroll
            for (int m = 0; m < kSets; ++m) weigh(scores[m], softmax[m]);
#pragma unroll
            for (int k = 0; k < kKeyTiles; k += 2) add_values(scores, key + 8 * k, k, softmax);
        }
    }

private:
    /// Scores to probabilities · 2^10, relative to the largest score so far; what came before follows.
    template <int kKeyTiles>
    __device__ void weigh(float (&scores)[kKeyTiles][4], Softmax& softmax) const {
        float most[2];
#pragma unroll
        for (int r = 0; r < 2; ++r) {
            float own = -INFINITY;
#pragma unroll
            for (int i = 0; i < 2 * kKeyTiles; ++i) own = fmaxf(own, scores[i / 2][2 * r + i % 2]);
            own = fmaxf(own, __shfl_xor_sync(0xFFFFFFFFU, own, 1));
            own = fmaxf(own, __shfl_xor_sync(0xFFFFFFFFU, own, 2));
            most[r] = fmaxf(softmax.largest[r], own * scale_);
        }
        bool const has_larger = most[0] > softmax.largest[0] || most[1] > softmax.largest[1];
        if (__any_sync(0xFFFFFFFFU, has_larger)) follow(most, softmax);
#pragma unroll
        for (int i = 0; i < 4 * kKeyTiles; ++i) {
            float& s = scores[i / 4][i % 4];
            s = exp2_approximate(fmaf(s, scale_, 10.0F - most[i % 4 / 2]));
        }
    }
    __device__ void follow(float const (&most)[2], Softmax& softmax) const {
#pragma unroll
        for (int r = 0; r < 2; ++r) {
            float const factor = exp2_approximate(softmax.largest[r] - most[r]);
            softmax.largest[r] = most[r];
#pragma unroll
            for (int j = 0; j < kTiles; ++j) {
                softmax.sums[j][2 * r] *= factor;
                softmax.sums[j][2 * r + 1] *= factor;
            }
        }
    }
    /// Sixteen keys.
    template <int kSets, int kKeyTiles>
    __device__ void add_values(float const (&weights)[kSets][kKeyTiles][4], int key, int tile,
                               Softmax (&softmax)[kSets]) const {
        std::uint32_t values[kValueTiles][2];
#pragma unroll
        for (int j = 0; j < kValueTiles; j += 2) {
            std::uint32_t both[4];
            load_matrices_transposed(both, shared_.values + Rows::value_place(key + lane_ % 16, j + lane_ / 16));
            values[j][0] = both[0], values[j][1] = both[1], values[j + 1][0] = both[2], values[j + 1][1] = both[3];
        }
#pragma unroll
        for (int m = 0; m < kSets; ++m) {
            SplitLeft<Rows::kWeightParts> left;
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                float const(&w)[4] = weights[m][tile + i / 2];
                left.set(i, w[i % 2 * 2], w[i % 2 * 2 + 1]);
            }
#pragma unroll
            for (int j = 0; j < kTiles; ++j) {
                float(&to)[4] = softmax[m].sums[j];
                if constexpr (Rows::kWeightParts == 2) multiply_add<Fp16>(to, left.a[1], values[j]);
                if constexpr (Rows::kValueParts == 2) multiply_add<Fp16>(to, left.a[0], values[kTiles + j]);
                multiply_add<Fp16>(to, left.a[0], values[j]);
            }
        }
    }

    typename Rows::Shared const& shared_;
    float scale_;  ///< of a product of queries to a logit to base 2
    int lane_;
};

}  // namespace vitrum::cuda
