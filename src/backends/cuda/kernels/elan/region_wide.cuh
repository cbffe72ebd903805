// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "fetch_quads.cuh"
#include "region_attention.cuh"

// ELAN's attention for many channels inside regions of 16 × 16 pixels: a block has a region and a group of channels,
// projects its queries and values from x in one pass, and attends. All operands are of one float16, scaled; results
// stay float16, in the rows of y, until the output's projection takes them (group_output.cuh).

namespace vitrum::cuda {

/// Rows of 64 queries and of 64 values, whose chunks of eight change places so that eight rows' lie in different banks.
struct WideRows {
    static constexpr int kTiles = WideGroupWeights::kTiles, kValueParts = 1, kWeightParts = 1;
    static constexpr int kWarps = 8, kThreads = kWarps * 32;
    static constexpr int kKeyTiles = 4;  ///< at a time
    static constexpr int kRowBytes = kTiles * 16, kSteps = kTiles / 2;
    struct Shared {
        alignas(128) std::byte keys[kRegionTokens * kRowBytes];
        alignas(128) std::byte values[kRegionTokens * kRowBytes];
        float largest_queries[kWarps], largest_values[kWarps];
    };
    [[nodiscard]] static __device__ int value_place(int token, int chunk) {
        return token * kRowBytes + (chunk ^ token % 8) * 16;
    }

    struct Queries {
        std::uint32_t of[kSteps][4];
    };
    static __device__ void load_queries(Shared const& shared, int first, int lane, Queries& queries) {
#pragma unroll
        for (int s = 0; s < kSteps; ++s) {
            load_matrices(queries.of[s], shared.keys + value_place(first + lane % 16, 2 * s + lane / 16));
        }
    }
    /// Sixteen keys.
    template <int kSets, int kKeyTiles>
    static __device__ void add_scores(Shared const& shared, Queries const (&queries)[kSets], int key, int lane,
                                      int tile, float (&scores)[kSets][kKeyTiles][4]) {
        std::uint32_t keys[4][4];  // of eight keys each, two steps
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            load_matrices(keys[i], shared.keys + value_place(key + i / 2 * 8 + lane % 8, i % 2 * 4 + lane / 8));
        }
#pragma unroll
        for (int s = 0; s < kSteps; ++s) {
#pragma unroll
            for (int n = 0; n < 2; ++n) {
                auto const& k = keys[2 * n + s / 2];
#pragma unroll
                for (int m = 0; m < kSets; ++m) {
                    multiply_add<Fp16>(scores[m][tile + n], queries[m].of[s], {k[s % 2 * 2], k[s % 2 * 2 + 1]});
                }
            }
        }
    }
};

class WideRegionThread {
public:
    using Rows = WideRows;
    static constexpr int kTiles = Rows::kTiles, kStepsAtOnce = 2;

    __device__ WideRegionThread(RegionData const& data, Rows::Shared& shared)
        : d_(data), shared_(shared), place_(data), first_(static_cast<int>(threadIdx.x) / 32 * 32) {}

    __device__ void run() {
        project();
        __syncthreads();
        if (place_.bits == 2) {
            attend<1, 2>(first_, first_, first_ + 16);
            attend<1, 2>(first_ + 16, first_ + 16, first_ + 32);
        } else {
            int const tokens = 1 << 2 * place_.bits, window = first_ & ~(tokens - 1);
            attend<2, Rows::kKeyTiles>(first_, window, window + tokens);
        }
    }

private:
    /// Of 32 tokens, queries' tiles before values': what follows is row g or g + 8 of 16 tokens, channels as
    /// WideGroupWeights says.
    using Sums = float[2][2 * kTiles][4];

    __device__ void project() {
        Sums sums = {};
        multiply(sums);
        publish_largest(sums);
        __syncthreads();
        query_scale_ = power_of_two_below(largest(shared_.largest_queries), 8);
        value_scale_ = power_of_two_below(largest(shared_.largest_values), 12);
        put(sums);
    }
    __device__ void multiply(Sums& sums) const {
        std::int64_t pixels[4];
#pragma unroll
        for (int i = 0; i < 4; ++i) pixels[i] = place_.pixel(first_ + 8 * i + place_.g);
        uint4 const* weights =
            d_.weights + place_.group * WideGroupWeights::group_lanes(d_.steps) + static_cast<int>(place_.lane);
        float scale = 0;
        float4 next[4 * kStepsAtOnce];
        load_x(pixels, 0, next);
#pragma unroll 1
        for (int step = 0; step < d_.steps; step += kStepsAtOnce) {
            float largest = 0;
#pragma unroll
            for (int i = 0; i < 4 * kStepsAtOnce; ++i) {
                next[i] = first_of(next[i], d_.x.c - 16 * (step + i / 4) - 4 * place_.t);
                largest = fmaxf(largest, largest_of(next[i]));
            }
            fit_scale(scale, largest, [&](float factor) {
#pragma unroll
                for (int i = 0; i < 16 * kTiles; ++i) sums[i / 8 / kTiles][i / 4 % (2 * kTiles)][i % 4] *= factor;
            });
            SplitLeft<1> left[kStepsAtOnce][2];
#pragma unroll
            for (int i = 0; i < 4 * kStepsAtOnce; ++i) left[i / 4][i / 2 % 2].set_quad(i % 2, next[i], scale);
            if (step + kStepsAtOnce < d_.steps) load_x(pixels, step + kStepsAtOnce, next);
#pragma unroll
            for (int s = 0; s < kStepsAtOnce; ++s) {
#pragma unroll
                for (int u = 0; u < kTiles; ++u, weights += kWarpLanes) {
                    uint4 const w = *weights;
#pragma unroll
                    for (int m = 0; m < 2; ++m) {
                        multiply_add<Fp16>(sums[m][2 * u], left[s][m].a[0], {w.x, w.y});
                        multiply_add<Fp16>(sums[m][2 * u + 1], left[s][m].a[0], {w.z, w.w});
                    }
                }
            }
        }
        add_bias(sums, reinterpret_cast<float const*>(d_.weights)[d_.scale_word] / scale);
    }
    __device__ void load_x(std::int64_t const (&pixels)[4], int step, float4 (&x)[4 * kStepsAtOnce]) const {
        QuadAt at[4 * kStepsAtOnce];
#pragma unroll
        for (int i = 0; i < 4 * kStepsAtOnce; ++i) {
            int const channel = 16 * (step + i / 4) + 4 * place_.t;
            at[i] = {d_.x.at(pixels[i % 4]) + channel, d_.x.c - channel};
        }
        fetch_quads(x, at, d_.x);
    }
    /// The channel of a group that sums 2 t + i of tile j are.
    [[nodiscard]] __device__ int channel(int j, int i) const {
        return j < kTiles ? 8 * j + 2 * place_.t + i : 16 * place_.t + 2 * (j - kTiles) + i;
    }
    __device__ void add_bias(Sums& sums, float factor) const {
#pragma unroll
        for (int n = 0; n < 4 * kTiles; ++n) {
            int const j = n / 2, i = n % 2, c = channel(j, i);
            float const b = c < d_.dim ? d_.bias[(2 * place_.group + j / kTiles) * d_.dim + c] : 0.0F;
#pragma unroll
            for (int k = 0; k < 4; ++k) {
                float& v = sums[k / 2][j][k % 2 * 2 + i];
                v = fmaf(v, factor, b);
            }
        }
    }
    __device__ void publish_largest(Sums const& sums) const {
        float of_query = 0, of_values = 0;
#pragma unroll
        for (int n = 0; n < 8 * kTiles; ++n) {
            of_query = fmaxf(of_query, fabsf(sums[n / 4 / kTiles][n / 4 % kTiles][n % 4]));
            of_values = fmaxf(of_values, fabsf(sums[n / 4 / kTiles][kTiles + n / 4 % kTiles][n % 4]));
        }
        of_query = warp_max(of_query);
        of_values = warp_max(of_values);
        if (place_.lane != 0) return;
        shared_.largest_queries[first_ / 32] = of_query;
        shared_.largest_values[first_ / 32] = of_values;
    }
    [[nodiscard]] static __device__ float largest(float const (&of_warps)[Rows::kWarps]) {
        float result = 0;
#pragma unroll
        for (float const v : of_warps) result = fmaxf(result, v);
        return result;
    }
    __device__ void put(Sums const& sums) const {
#pragma unroll
        for (int n = 0; n < 8 * kTiles; ++n) {
            int const m = n / 4 / kTiles, r = n / 2 / kTiles % 2, j = n % (2 * kTiles);
            bool const is_value = j >= kTiles;
            float const scale = is_value ? value_scale_ : query_scale_;
            float a = sums[m][j][2 * r] * scale, b = sums[m][j][2 * r + 1] * scale;
            if (is_value && channel(j, 0) == d_.dim) a = 1;  // the column that sums probabilities
            if (is_value && channel(j, 1) == d_.dim) b = 1;
            int const at = Rows::value_place(first_ + 16 * m + 8 * r + place_.g, j % kTiles) + 4 * place_.t;
            *reinterpret_cast<std::uint32_t*>((is_value ? shared_.values : shared_.keys) + at) = Fp16::pack(a, b);
        }
    }

    template <int kSets, int kKeyTiles>
    __device__ void attend(int first, int first_key, int end_key) const {
        RowsSoftmax<Rows> softmax[kSets];
        RowsAttention<Rows>(shared_, query_scale_, place_.lane)
            .template attend<kSets, kKeyTiles>(first, first_key, end_key, softmax);
#pragma unroll
        for (int m = 0; m < kSets; ++m) store(first + 16 * m, softmax[m]);
    }
    /// A lane has the sixteen channels from 16 t on, to which it gives the column behind the last as well.
    __device__ void store(int first, RowsSoftmax<Rows> const& softmax) const {
        int const dim = d_.dim, ones = dim % 16 / 2 * 8 + dim / 16 * 2 + dim % 2;
#pragma unroll
        for (int r = 0; r < 2; ++r) {
            float const factor = softmax.inverse_total(r, ones, place_.lane);
            std::uint32_t words[kTiles];
#pragma unroll
            for (int j = 0; j < kTiles; ++j) {
                words[j] = Fp16::pack(softmax.sums[j][2 * r] * factor, softmax.sums[j][2 * r + 1] * factor);
            }
            float* const row = d_.attended.at(place_.pixel(first + 8 * r + place_.g));
            auto* const to = reinterpret_cast<uint4*>(row + GroupOutputWeights::word(place_.group, 16 * place_.t));
            to[0] = make_uint4(words[0], words[1], words[2], words[3]);
            to[1] = make_uint4(words[4], words[5], words[6], words[7]);
            if (place_.t == 0) row[GroupOutputWeights::kScaleWord + place_.group] = value_scale_;
        }
    }

    RegionData const& d_;
    Rows::Shared& shared_;
    RegionPlace place_;
    int first_;  ///< of the warp's 32 tokens
    float query_scale_ = 0, value_scale_ = 0;
};

__global__ static void __launch_bounds__(WideRows::kThreads, 1)
    wide_region_kernel(__grid_constant__ RegionData const data) {
    WideRegionThread(data, dynamic_shared<WideRows::Shared>()).run();
}

}  // namespace vitrum::cuda
