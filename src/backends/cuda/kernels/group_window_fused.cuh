// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "scaled_halves.cuh"

// ELAN's attention inside 16 × 16 pixels, which are one window of 16, four of 8 or sixteen of 4: a block projects a
// region's queries and values from x, and attends, so that neither queries nor scores reach device memory.
//
// softmax(q·qᵀ) has no scale, and its logits reach hundreds: queries are sums of two float16, of whose products three
// are taken, which leaves a logit an error of 2^-22 of its terms. x, q and v are scaled to float16's range.

namespace vitrum::cuda {

constexpr int kRegion = 16;      ///< its side
constexpr int kRegionWarps = 8;  ///< of 32 tokens each
constexpr int kRegionThreads = kRegionWarps * 32;

struct RegionData {
    Pixels x;
    Matrix attended, query;        ///< no query: it is projected from x
    std::uint32_t const* weights;  ///< see RegionWeights
    float const* bias;             ///< of queries and values, as the operator has it
    std::int64_t scale_word;       ///< where the weights' inverse scale lies
    int dim, steps;                ///< channels of a group; steps of 16 channels of x
    int window_bits[3];            ///< log2 of the windows
    bool is_shifted;
    std::int64_t down, across;  ///< regions of a picture
};

/// One thread's share of a region and group. kSteps: of 16 channels of a group; kIsExact: values and probabilities are
/// split, too.
template <int kSteps_, bool kIsExact>
class RegionThread {
public:
    static constexpr int kSteps = kSteps_, kTiles = 2 * kSteps;
    static constexpr int kParts = kIsExact ? 2 : 1;
    /// Where values take two parts of 64 channels, keys come in two turns: 96 KiB are what every GPU has.
    static constexpr int kTurns = kIsExact && kSteps == 4 ? 2 : 1;
    static constexpr int kKeyWarps = kRegionWarps / kTurns;
    struct Shared {
        uint4 keys[4 * kKeyWarps][kSteps][32];               ///< of 8 tokens: high and low halves
        uint2 values[kParts][2 * kRegionWarps][kTiles][32];  ///< of 16 tokens × 8 channels
        float key_scales[kRegionWarps], largest_values[kRegionWarps];
    };

    __device__ RegionThread(RegionData const& data, Shared& shared)
        : d_(data),
          shared_(shared),
          group_(static_cast<int>(blockIdx.x % 3)),
          bits_(data.window_bits[group_]),
          warp_(static_cast<int>(threadIdx.x) / 32),
          lane_(static_cast<int>(threadIdx.x) % 32),
          g_(lane_ / 4),
          t_(lane_ % 4) {
        Place const at(blockIdx.x / 3, data.down, data.across);
        int const shift = data.is_shifted ? 1 << bits_ >> 1 : 0;
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            int const token = warp_ * 32 + i * 8 + g_;
            int const window = token >> 2 * bits_, side = (1 << bits_) - 1, across_bits = 4 - bits_;
            std::int64_t row = at.row * kRegion + ((window >> across_bits << bits_) + (token >> bits_ & side)) + shift;
            std::int64_t column =
                at.column * kRegion + (((window & ((1 << across_bits) - 1)) << bits_) + (token & side)) + shift;
            if (row >= data.x.h) row -= data.x.h;
            if (column >= data.x.w) column -= data.x.w;
            pixels_[i] = (at.n * data.x.h + row) * data.x.w + column;
        }
    }

    /// Queries and values of this warp's tokens, these to shared memory. Other warps see them after a barrier.
    __device__ void project() {
        float queries[2][kTiles][4] = {}, values[kSteps][4][4] = {};
        bool const has_query = d_.query.data != nullptr;
        float const factor = multiply_x(queries, values, has_query);
        if (has_query) load_queries(queries);
        else finish_queries(queries, factor);
        split_queries(queries);
        finish_values(values, factor);
    }

    /// softmax(q·qᵀ)·v of this warp's tokens.
    __device__ void attend() {
        float sums[2][kTiles][4] = {}, largest[2][2], totals[2][2] = {};
#pragma unroll
        for (int i = 0; i < 4; ++i) largest[i / 2][i % 2] = -INFINITY;
        int const warps = bits_ == 4 ? kRegionWarps : bits_ == 3 ? 2 : 1;  // whose tokens this warp's attend to
        int const first = warp_ / warps * warps;
#pragma unroll 1
        for (int turn = 0; turn < kTurns; ++turn) {
            int const begin = turn * kKeyWarps, end = begin + kKeyWarps;
            if (turn > 0) __syncthreads();
            if (warp_ >= begin && warp_ < end) publish_keys(warp_ - begin);
            __syncthreads();
            for (int key_warp = max(first, begin); key_warp < min(first + warps, end); ++key_warp) {
                attend_to(key_warp, key_warp - begin, largest, totals, sums);
            }
        }
        store(sums, totals);
    }

private:
    [[nodiscard]] __device__ int group_words() const {
        int const parts = (d_.query.data == nullptr ? kTiles : 0) + 2 * kSteps;
        return parts * d_.steps * 32 * 4;
    }
    [[nodiscard]] __device__ bool has_tile(int j) const {
        return 8 * j < d_.dim;
    }

    /// x times the weights of queries and values, in float16 parts of x · scale. Returns what undoes the scales.
    __device__ float multiply_x(float (&queries)[2][kTiles][4], float (&values)[kSteps][4][4], bool has_query) const {
        auto const* const of_queries =
            reinterpret_cast<uint4 const*>(d_.weights + static_cast<std::int64_t>(group_) * group_words());
        uint4 const* const of_values = of_queries + (has_query ? 0 : kTiles * d_.steps * 32);
        float scale = 0;
        float4 next[4];
        load_x(0, next);
#pragma unroll 1
        for (int s = 0; s < d_.steps; ++s) {
            float4 x[4];
#pragma unroll
            for (int i = 0; i < 4; ++i) x[i] = next[i];
            if (s + 1 < d_.steps) load_x(s + 1, next);
            fit_scale(x, scale, queries, values);
            std::uint32_t high[2][4], low[2][4];
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                SplitPair const a(x[i].x * scale, x[i].y * scale), b(x[i].z * scale, x[i].w * scale);
                high[i / 2][i % 2] = a.high, high[i / 2][2 + i % 2] = b.high;
                low[i / 2][i % 2] = a.low, low[i / 2][2 + i % 2] = b.low;
            }
            if (!has_query) multiply_queries(of_queries + s * 32 + lane_, high, low, queries);
            multiply_values(of_values + s * 32 + lane_, high, low, values);
        }
        return reinterpret_cast<float const*>(d_.weights)[d_.scale_word] / scale;
    }
    __device__ void load_x(int s, float4 (&x)[4]) const {
        QuadAt at[4];
        int const channel = 16 * s + 4 * t_;
#pragma unroll
        for (int i = 0; i < 4; ++i) at[i] = {d_.x.at(pixels_[i]) + channel, d_.x.c - channel};
        load_quads(x, at, d_.x);
    }
    /// Lowers the scale, and the sums so far, where x would leave the range.
    __device__ void fit_scale(float4 const (&x)[4], float& scale, float (&queries)[2][kTiles][4],
                              float (&values)[kSteps][4][4]) const {
        float largest = 0;
#pragma unroll
        for (float4 const& v : x) {
            largest = fmaxf(largest, largest_of(v));
        }
        largest = warp_max(largest);
        if (scale > 0 && largest * scale < kHalfRange) return;
        float const lower = power_of_two_below(largest, 11);
        float const factor = scale > 0 ? lower / scale : 1.0F;
#pragma unroll
        for (int i = 0; i < 8 * kTiles; ++i) {
            queries[i / (4 * kTiles)][i / 4 % kTiles][i % 4] *= factor;
            values[i / 16][i / 4 % 4][i % 4] *= factor;
        }
        scale = lower;
    }
    __device__ void multiply_queries(uint4 const* weights, std::uint32_t const (&high)[2][4],
                                     std::uint32_t const (&low)[2][4], float (&queries)[2][kTiles][4]) const {
#pragma unroll
        for (int j = 0; j < kTiles; ++j) {
            if (!has_tile(j)) continue;
            uint4 const w = weights[j * d_.steps * 32];
            std::uint32_t const of_high[2] = {w.x, w.y}, of_low[2] = {w.z, w.w};
#pragma unroll
            for (int m = 0; m < 2; ++m) {
                multiply_add<Fp16>(queries[m][j], low[m], of_high);
                multiply_add<Fp16>(queries[m][j], high[m], of_low);
                multiply_add<Fp16>(queries[m][j], high[m], of_high);
            }
        }
    }
    /// Values come out transposed, channels in rows: so they are the right operand of the product with probabilities.
    __device__ void multiply_values(uint4 const* weights, std::uint32_t const (&high)[2][4],
                                    std::uint32_t const (&low)[2][4], float (&values)[kSteps][4][4]) const {
#pragma unroll
        for (int c = 0; c < kSteps; ++c) {
            if (!has_tile(2 * c)) continue;
            uint4 const w = weights[c * d_.steps * 32];
            std::uint32_t const of_high[4] = {w.x, w.y, w.z, w.w};
            uint4 const rest = kIsExact ? weights[(kSteps + c) * d_.steps * 32] : uint4{};
            std::uint32_t const of_low[4] = {rest.x, rest.y, rest.z, rest.w};
#pragma unroll
            for (int n = 0; n < 4; ++n) {
                std::uint32_t const x[2] = {high[n / 2][n % 2], high[n / 2][2 + n % 2]};
                if (kIsExact) {
                    std::uint32_t const x_low[2] = {low[n / 2][n % 2], low[n / 2][2 + n % 2]};
                    multiply_add<Fp16>(values[c][n], of_low, x);
                    multiply_add<Fp16>(values[c][n], of_high, x_low);
                }
                multiply_add<Fp16>(values[c][n], of_high, x);
            }
        }
    }

    /// Register i of tile j of 16 tokens: token row i / 2, channel 8 j + 2 t + i % 2.
    [[nodiscard]] __device__ int channel(int j, int i) const {
        return 8 * j + 2 * t_ + i % 2;
    }

    __device__ void load_queries(float (&queries)[2][kTiles][4]) const {
#pragma unroll
        for (int n = 0; n < 8 * kTiles; ++n) {
            int const m = n / (4 * kTiles), j = n / 4 % kTiles, i = n % 4;
            float const* const from = d_.query.at(pixels_[2 * m + i / 2]) + group_ * d_.dim;
            queries[m][j][i] = channel(j, i) < d_.dim ? from[channel(j, i)] : 0.0F;
        }
    }
    __device__ void finish_queries(float (&queries)[2][kTiles][4], float factor) const {
        float const* const bias = d_.bias + 2 * group_ * d_.dim;
#pragma unroll
        for (int n = 0; n < 4 * kTiles; ++n) {
            int const j = n / 4, i = n % 4;
            float const added = channel(j, i) < d_.dim ? bias[channel(j, i)] : 0.0F;
#pragma unroll
            for (int m = 0; m < 2; ++m) queries[m][j][i] = fmaf(queries[m][j][i], factor, added);
        }
    }
    /// The queries as left operands, two float16 each, after a power of two of this warp's own.
    __device__ void split_queries(float const (&queries)[2][kTiles][4]) {
        float largest = 0;
#pragma unroll
        for (int n = 0; n < 8 * kTiles; ++n) {
            largest = fmaxf(largest, fabsf(queries[n / (4 * kTiles)][n / 4 % kTiles][n % 4]));
        }
        float const scale = power_of_two_below(warp_max(largest), 8);
        if (lane_ == 0) shared_.key_scales[warp_] = 1.0F / scale;
#pragma unroll
        for (int n = 0; n < 8 * kSteps; ++n) {
            int const m = n / (4 * kSteps), u = n / 4 % kSteps, i = n % 4;
            float const(&q)[4] = queries[m][2 * u + i / 2];
            SplitPair const pair(q[i % 2 * 2] * scale, q[i % 2 * 2 + 1] * scale);
            high_[m][u][i] = pair.high, low_[m][u][i] = pair.low;
        }
    }
    /// As right operands they are the same words: rows g and g + 8 are two tiles of eight keys.
    __device__ void publish_keys(int slot) {
#pragma unroll
        for (int n = 0; n < 4 * kSteps; ++n) {
            int const i = n / kSteps, u = n % kSteps, m = i / 2, r = i % 2;
            shared_.keys[4 * slot + i][u][lane_] = {high_[m][u][r], high_[m][u][2 + r], low_[m][u][r],
                                                    low_[m][u][2 + r]};
        }
    }
    /// Values with their bias, scaled by what the region's largest one demands.
    __device__ void finish_values(float (&values)[kSteps][4][4], float factor) {
        float const* const bias = d_.bias + (d_.query.data == nullptr ? 2 * group_ + 1 : group_) * d_.dim;
        float largest = 0;
#pragma unroll
        for (int n = 0; n < 16 * kSteps; ++n) {
            int const c = n / 16, i = n % 4, channel = 16 * c + i / 2 * 8 + g_;
            float& v = values[c][n / 4 % 4][i];
            v = fmaf(v, factor, channel < d_.dim ? bias[channel] : 0.0F);
            largest = fmaxf(largest, fabsf(v));
        }
        largest = warp_max(largest);
        if (lane_ == 0) shared_.largest_values[warp_] = largest;
        __syncthreads();
        float const scale = value_scale();
#pragma unroll
        for (int n = 0; n < 4 * kSteps; ++n) {  // 16 tokens × 8 channels
            int const m = n % 2, j = n / 2, r = j % 2 * 2;
            float const(&a)[4] = values[j / 2][2 * m];
            float const(&b)[4] = values[j / 2][2 * m + 1];
            SplitPair const first(a[r] * scale, a[r + 1] * scale), second(b[r] * scale, b[r + 1] * scale);
            shared_.values[0][2 * warp_ + m][j][lane_] = {first.high, second.high};
            if (kIsExact) shared_.values[kParts - 1][2 * warp_ + m][j][lane_] = {first.low, second.low};
        }
    }
    [[nodiscard]] __device__ float value_scale() const {
        float largest = 0;
#pragma unroll
        for (float const v : shared_.largest_values) largest = fmaxf(largest, v);
        return power_of_two_below(largest, 12);
    }

    /// The tokens of one warp as keys and values; their keys lie in `slot`.
    __device__ void attend_to(int key_warp, int slot, float (&largest)[2][2], float (&totals)[2][2],
                              float (&sums)[2][kTiles][4]) const {
        float scores[2][4][4];
        score(scores, slot);
        float const scale = 1.44269504F * shared_.key_scales[warp_] * shared_.key_scales[key_warp];  // log2(e)
#pragma unroll
        for (int m = 0; m < 2; ++m) {
            weigh(scores[m], m, scale, largest[m], totals[m], sums[m]);
            add_values(scores[m], key_warp, sums[m]);
        }
    }
    /// 2 × 16 queries by 32 keys.
    __device__ void score(float (&scores)[2][4][4], int slot) const {
#pragma unroll
        for (int n = 0; n < 4; ++n) {
#pragma unroll
            for (int i = 0; i < 8; ++i) scores[i / 4][n][i % 4] = 0;
#pragma unroll
            for (int u = 0; u < kSteps; ++u) {
                uint4 const v = shared_.keys[4 * slot + n][u][lane_];
                std::uint32_t const of_high[2] = {v.x, v.y}, of_low[2] = {v.z, v.w};
#pragma unroll
                for (int m = 0; m < 2; ++m) {
                    multiply_add<Fp16>(scores[m][n], low_[m][u], of_high);
                    multiply_add<Fp16>(scores[m][n], high_[m][u], of_low);
                    multiply_add<Fp16>(scores[m][n], high_[m][u], of_high);
                }
            }
        }
    }
    /// Scores of 16 queries to probabilities · 2^10, relative to the largest score so far; what came before follows.
    __device__ void weigh(float (&scores)[4][4], int m, float scale, float (&largest)[2], float (&totals)[2],
                          float (&sums)[kTiles][4]) const {
        float most[2] = {largest[0], largest[1]};
#pragma unroll
        for (int n = 0; n < 16; ++n) {
            float& s = scores[n / 4][n % 4];
            s = bits_ == 2 && n / 8 != m ? -INFINITY : s * scale;  // windows of 16 tokens: not the other one's
            most[n % 4 / 2] = fmaxf(most[n % 4 / 2], s);
        }
#pragma unroll
        for (int r = 0; r < 2; ++r) {
            most[r] = fmaxf(most[r], __shfl_xor_sync(0xFFFFFFFFU, most[r], 1));
            most[r] = fmaxf(most[r], __shfl_xor_sync(0xFFFFFFFFU, most[r], 2));
            float const factor = exp2_approximate(largest[r] - most[r]);
            largest[r] = most[r];
            totals[r] *= factor;
#pragma unroll
            for (int j = 0; j < kTiles; ++j) {
                sums[j][2 * r] *= factor;
                sums[j][2 * r + 1] *= factor;
            }
        }
#pragma unroll
        for (int n = 0; n < 16; ++n) {
            float& s = scores[n / 4][n % 4];
            s = exp2_approximate(s - most[n % 4 / 2] + 10.0F);
            totals[n % 4 / 2] += s;
        }
    }
    __device__ void add_values(float const (&weights)[4][4], int key_warp, float (&sums)[kTiles][4]) const {
#pragma unroll
        for (int k = 0; k < 2; ++k) {  // 16 keys
            std::uint32_t high[4], low[4];
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                float const(&w)[4] = weights[2 * k + i / 2];
                SplitPair const pair(w[i % 2 * 2], w[i % 2 * 2 + 1]);
                high[i] = pair.high, low[i] = pair.low;
            }
#pragma unroll
            for (int j = 0; j < kTiles; ++j) {
                if (!has_tile(j)) continue;
                uint2 const v = shared_.values[0][2 * key_warp + k][j][lane_];
                std::uint32_t const of_high[2] = {v.x, v.y};
                if (kIsExact) {
                    uint2 const rest = shared_.values[kParts - 1][2 * key_warp + k][j][lane_];
                    std::uint32_t const of_low[2] = {rest.x, rest.y};
                    multiply_add<Fp16>(sums[j], low, of_high);
                    multiply_add<Fp16>(sums[j], high, of_low);
                }
                multiply_add<Fp16>(sums[j], high, of_high);
            }
        }
    }
    __device__ void store(float const (&sums)[2][kTiles][4], float const (&totals)[2][2]) const {
        float const scale = 1.0F / value_scale();
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            float total = totals[i / 2][i % 2];
            total += __shfl_xor_sync(0xFFFFFFFFU, total, 1);
            total += __shfl_xor_sync(0xFFFFFFFFU, total, 2);
            float const factor = scale / total;
            float* const to = d_.attended.at(pixels_[i]) + group_ * d_.dim;
#pragma unroll
            for (int j = 0; j < kTiles; ++j) {
                float const a = sums[i / 2][j][i % 2 * 2] * factor, b = sums[i / 2][j][i % 2 * 2 + 1] * factor;
                int const c = channel(j, 0);
                if (c < d_.dim) to[c] = a;
                if (c + 1 < d_.dim) to[c + 1] = b;
            }
        }
    }

    RegionData const& d_;
    Shared& shared_;
    int group_, bits_;
    int warp_, lane_, g_, t_;
    std::uint32_t high_[2][kSteps][4], low_[2][kSteps][4];  ///< queries
    std::int64_t pixels_[4];                                ///< of tokens g, g + 8, g + 16, g + 24 of the warp
};

}  // namespace vitrum::cuda
