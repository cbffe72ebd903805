// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "group_window_project.cuh"

// ELAN's attention inside 16 × 16 pixels, which are one window of 16, four of 8 or sixteen of 4: a block projects a
// region's queries and values of a group from x, and attends, so that neither queries nor scores reach device memory.
// A warp attends for sixteen queries at a time; scores go from one product to the next in registers.

namespace vitrum::cuda {

template <class Region>
class RegionThread {
public:
    static constexpr int kSteps = Region::kSteps, kTiles = Region::kTiles, kWarps = Region::kWarps;

    __device__ RegionThread(RegionData const& data, typename Region::Shared& shared)
        : d_(data), shared_(shared), place_(data), warp_(static_cast<int>(threadIdx.x) / 32) {}

    __device__ void run() {
        // Where there are warps enough, half of them project queries, the others values.
        bool const projects_queries = kWarps == 8 || warp_ < 8, projects_values = kWarps == 8 || warp_ >= 8;
        RegionProjection<Region> projection(d_, place_, shared_, warp_ % 8);
        if (projects_queries) projection.project_queries();
        typename RegionProjection<Region>::Values values;
        if (projects_values) projection.project_values(values);
        __syncthreads();
        if (projects_values) projection.publish(values);
        __syncthreads();
#pragma unroll 1
        for (int set = warp_; set < kRegionTokens / 16; set += kWarps) {
            if (place_.bits == 2) attend<2>(set, set * 2, set * 2 + 2);
            else if (place_.bits == 3) attend<Region::kKeyTiles>(set, set / 4 * 8, set / 4 * 8 + 8);
            else attend<Region::kKeyTiles>(set, 0, kRegionTokens / 8);
        }
    }

private:
    using Queries = SplitLeft<Region::kQueryParts>;
    struct Softmax {
        float largest[2] = {-INFINITY, -INFINITY};  ///< logits so far, to base 2
        float sums[kTiles][4] = {};                 ///< of probabilities · 2^10 and values, and of probabilities alone
    };

    /// softmax(q·qᵀ)·v of a set of sixteen tokens, over tiles of eight keys.
    template <int kKeyTiles>
    __device__ void attend(int set, int first_tile, int end_tile) {
        Queries queries[kSteps];
        load_queries(set, queries);
        float const scale = 1.44269504F * shared_.key_scales[set / 2];  // log2(e)
        Softmax softmax;
#pragma unroll 1
        for (int tile = first_tile; tile < end_tile; tile += kKeyTiles) {
            float scores[kKeyTiles][4];
            score(queries, tile, scores);
            weigh(scores, tile, scale, softmax);
            add_values(scores, tile / 2, softmax.sums);
        }
        store(set, softmax.sums);
    }
    /// Keys of eight tokens as right operands are the words of queries as left ones: rows g and g + 8 are two tiles.
    __device__ void load_queries(int set, Queries (&queries)[kSteps]) const {
#pragma unroll
        for (int i = 0; i < 8 * kSteps; ++i) {
            int const part = i / (4 * kSteps), u = i / 4 % kSteps, k = i / 2 % 2, r = i % 2;
            queries[u].a[part][2 * k + r] = shared_.word(2 * set + r, u, 2 * part + k, place_.lane);
        }
    }
    template <int kKeyTiles>
    __device__ void score(Queries const (&queries)[kSteps], int tile, float (&scores)[kKeyTiles][4]) const {
#pragma unroll
        for (int n = 0; n < kKeyTiles; ++n) {
#pragma unroll
            for (float& s : scores[n]) s = 0;
#pragma unroll
            for (int u = 0; u < kSteps; ++u) {
                uint4 const key = shared_.keys[tile + n][u][place_.lane];
                multiply_add<Fp16>(scores[n], queries[u].a[1], {key.x, key.y});
                multiply_add<Fp16>(scores[n], queries[u].a[0], {key.z, key.w});
                multiply_add<Fp16>(scores[n], queries[u].a[0], {key.x, key.y});
            }
        }
    }
    /// Scores to probabilities · 2^10, relative to the largest score so far; what came before follows.
    template <int kKeyTiles>
    __device__ void weigh(float (&scores)[kKeyTiles][4], int tile, float scale_of_queries, Softmax& softmax) const {
        constexpr int kScaled = kKeyTiles < 4 ? kKeyTiles : 4;  // tiles that share a scale
        float most[2] = {softmax.largest[0], softmax.largest[1]};
        float scales[kKeyTiles / kScaled];
#pragma unroll
        for (int k = 0; k < kKeyTiles / kScaled; ++k) {
            scales[k] = scale_of_queries * shared_.key_scales[tile / 4 + k];
#pragma unroll
            for (int r = 0; r < 2; ++r) {
                float own = -INFINITY;
#pragma unroll
                for (int i = 0; i < 2 * kScaled; ++i) own = fmaxf(own, scores[k * kScaled + i / 2][2 * r + i % 2]);
                most[r] = fmaxf(most[r], own * scales[k]);
            }
        }
#pragma unroll
        for (int r = 0; r < 2; ++r) {
            most[r] = fmaxf(most[r], __shfl_xor_sync(0xFFFFFFFFU, most[r], 1));
            most[r] = fmaxf(most[r], __shfl_xor_sync(0xFFFFFFFFU, most[r], 2));
        }
        bool const has_larger = most[0] > softmax.largest[0] || most[1] > softmax.largest[1];
        if (__any_sync(0xFFFFFFFFU, has_larger)) follow(most, softmax);
#pragma unroll
        for (int i = 0; i < 4 * kKeyTiles; ++i) {
            float& s = scores[i / 4][i % 4];
            s = exp2_approximate(fmaf(s, scales[i / 4 / kScaled], 10.0F - most[i % 4 / 2]));
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
    template <int kKeyTiles>
    __device__ void add_values(float const (&weights)[kKeyTiles][4], int first, float (&sums)[kTiles][4]) const {
#pragma unroll
        for (int k = 0; k < kKeyTiles / 2; ++k) {  // 16 keys
            SplitLeft<Region::kValueParts> left;
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                float const(&w)[4] = weights[2 * k + i / 2];
                left.set(i, w[i % 2 * 2], w[i % 2 * 2 + 1]);
            }
#pragma unroll
            for (int c = 0; c < Region::kPairs; ++c) {
                SplitRight<Region::kValueParts> const right(&shared_.values[first + k][0][c][place_.lane],
                                                            Region::kPairs * kWarpLanes);
                if (2 * c + 1 < kTiles) multiply_add(sums[2 * c], sums[min(2 * c + 1, kTiles - 1)], left, right);
                else multiply_add_first(sums[2 * c], left, right);
            }
        }
    }
    __device__ void store(int set, float const (&sums)[kTiles][4]) const {
        int const dim = d_.dim;
        float const scale = 1.0F / shared_.value_scale();
        bool const is_paired = d_.attended.vector && dim % 2 == 0;
#pragma unroll
        for (int r = 0; r < 2; ++r) {
            float total = 0;  // lies in the column behind the last channel
#pragma unroll
            for (int j = 0; j < kTiles; ++j) {
                if (j == dim / 8) total = dim % 2 == 0 ? sums[j][2 * r] : sums[j][2 * r + 1];
            }
            total = __shfl_sync(0xFFFFFFFFU, total, place_.lane / 4 * 4 + dim % 8 / 2);
            float const factor = scale / total;
            float* const to = d_.attended.at(place_.pixel(set * 16 + 8 * r + place_.g)) + place_.group * dim;
#pragma unroll
            for (int j = 0; j < kTiles; ++j) {
                int const c = 8 * j + 2 * place_.t;
                float const a = sums[j][2 * r] * factor, b = sums[j][2 * r + 1] * factor;
                if (is_paired) {
                    if (c < dim) *reinterpret_cast<float2*>(to + c) = make_float2(a, b);
                } else {
                    if (c < dim) to[c] = a;
                    if (c + 1 < dim) to[c + 1] = b;
                }
            }
        }
    }

    RegionData const& d_;
    typename Region::Shared& shared_;
    RegionPlace place_;
    int warp_;
};

template <class Region>
__global__ void __launch_bounds__(Region::kThreads, Region::kBlocks)
    region_kernel(__grid_constant__ RegionData const data) {
    RegionThread<Region>(data, dynamic_shared<typename Region::Shared>()).run();
}

}  // namespace vitrum::cuda
