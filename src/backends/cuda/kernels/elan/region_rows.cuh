// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "fetch_quads.cuh"
#include "region_attention.cuh"

// ELAN's attention for few channels inside regions of 16 × 16 pixels, from queries and values in memory: a block has a
// region and a group of channels, and writes what was attended in place of its values. Tokens are rows in shared
// memory, from which ldmatrix takes operands. What queries are the sum of, two float16, lies so that the three products
// of a logit fill four instructions: of the units of four channels, u … of high parts and v … of low ones, a row has
// the chunks
//     u0 u1 · u2 u3 · v0 v1 · v2 v3 · u4 v4 · v4 u4 · u4 0
// and q · kᵀ is the sum of chunks 0 1 2 3 · 0 1 0 1, 0 1 · 2 3, and 4 4 · 5 6. (Twenty channels padded to 32 took six.)

namespace vitrum::cuda {

/// kWeightParts: float16 that a probability is the sum of.
template <int kWeightParts_>
struct RegionRows {
    static constexpr int kWeightParts = kWeightParts_, kValueParts = 2;
    static constexpr int kMaxDim = 20, kUnits = kMaxDim / 4;
    static constexpr int kTiles = 3;
    static constexpr int kWarps = 8, kThreads = kWarps * 32, kBlocks = 2;
    static constexpr int kKeyTiles = 4;                       ///< at a time
    static constexpr int kKeyBytes = 128;                     ///< of a row
    static constexpr int kValueBytes = 2 * kTiles * 16 + 16;  ///< rows in different banks
    static_assert(kThreads == kRegionTokens);
    struct Shared {
        alignas(128) std::byte keys[kRegionTokens * kKeyBytes];
        alignas(16) std::byte values[kRegionTokens * kValueBytes];  ///< [high or low][3 × 8 channels]
        float largest_queries[kWarps], largest_values[kWarps];
    };
    /// Chunks of a row change places, so that eight rows' lie in different banks.
    [[nodiscard]] static __device__ int key_chunk(int token, int chunk) {
        return token * kKeyBytes + (chunk ^ token % 8) * 16;
    }
    [[nodiscard]] static __device__ int value_place(int token, int chunk) { return token * kValueBytes + chunk * 16; }

    struct Queries {
        std::uint32_t high[4], low[4], last[4];  ///< chunks 0 1, 2 3 and 4 4
    };
    static __device__ void load_queries(Shared const& shared, int first, int lane, Queries& queries) {
        int const token = first + lane % 16;
        load_matrices(queries.high, shared.keys + key_chunk(token, lane / 16));
        load_matrices(queries.low, shared.keys + key_chunk(token, 2 + lane / 16));
        load_matrices(queries.last, shared.keys + key_chunk(token, 4));
    }
    /// Sixteen keys.
    template <int kSets, int kKeyTiles>
    static __device__ void add_scores(Shared const& shared, Queries const (&queries)[kSets], int key, int lane,
                                      int tile, float (&scores)[kSets][kKeyTiles][4]) {
        int const row = key + lane % 8, matrix = lane / 8;
        std::uint32_t keys[2][4], last[4];
        load_matrices(keys[0], shared.keys + key_chunk(row, matrix));
        load_matrices(keys[1], shared.keys + key_chunk(row + 8, matrix));
        load_matrices(last, shared.keys + key_chunk(row + matrix / 2 * 8, 5 + matrix % 2));
#pragma unroll
        for (int part = 0; part < 4; ++part) {  // the smallest first
#pragma unroll
            for (int n = 0; n < 2; ++n) {
#pragma unroll
                for (int m = 0; m < kSets; ++m) {
                    float(&to)[4] = scores[m][tile + n];
                    Queries const& q = queries[m];
                    if (part == 0) multiply_add<Fp16>(to, q.high, {keys[n][2], keys[n][3]});
                    if (part == 1) multiply_add<Fp16>(to, q.low, {keys[n][0], keys[n][1]});
                    if (part == 2) multiply_add<Fp16>(to, q.last, {last[2 * n], last[2 * n + 1]});
                    if (part == 3) multiply_add<Fp16>(to, q.high, {keys[n][0], keys[n][1]});
                }
            }
        }
    }
};

template <class Rows>
class RegionRowsThread {
public:
    static constexpr int kTiles = Rows::kTiles, kUnits = Rows::kUnits;

    __device__ RegionRowsThread(RegionData const& data, typename Rows::Shared& shared)
        : d_(data),
          shared_(shared),
          place_(data),
          warp_(static_cast<int>(threadIdx.x) / 32),
          lane_(place_.lane),
          g_(place_.g),
          t_(place_.t) {}

    __device__ void run() {
        float4 query[kUnits], values[kUnits];
        fetch(d_.query, query);
        fetch(d_.attended, values);
#pragma unroll
        for (int i = 0; i < kUnits; ++i) {
            query[i] = first_of(query[i], d_.dim - 4 * i);
            values[i] = first_of(values[i], d_.dim - 4 * i);
        }
        publish_largest(query, shared_.largest_queries);
        publish_largest(values, shared_.largest_values);
        __syncthreads();
        query_scale_ = power_of_two_below(largest(shared_.largest_queries), 8);
        value_scale_ = power_of_two_below(largest(shared_.largest_values), 12);
        put_query(query);
        put_values(values);
        __syncthreads();
        int const first = warp_ * 32;
        if (place_.bits == 2) {
            attend<1, 2>(first, first, first + 16);
            attend<1, 2>(first + 16, first + 16, first + 32);
        } else {
            int const tokens = 1 << 2 * place_.bits, window = first & ~(tokens - 1);
            attend<2, Rows::kKeyTiles>(first, window, window + tokens);
        }
    }

private:
    // ---- A thread has a token.

    __device__ void fetch(Matrix const& from, float4 (&units)[kUnits]) const {
        float const* const row = from.at(place_.pixel(static_cast<int>(threadIdx.x))) + place_.group * d_.dim;
        bool const vector = from.vector && d_.dim % 4 == 0;
        QuadAt at[kUnits];
#pragma unroll
        for (int i = 0; i < kUnits; ++i) at[i] = {row + 4 * i, d_.dim - 4 * i};
        if (vector) fetch_quads(units, at, from);
        else {
#pragma unroll
            for (int i = 0; i < kUnits; ++i) units[i] = load4(at[i].from, at[i].count, false);
        }
    }
    __device__ void put_query(float4 const (&query)[kUnits]) const {
        uint2 high[kUnits], low[kUnits];
#pragma unroll
        for (int i = 0; i < kUnits; ++i) {
            SplitPair const a(query[i].x * query_scale_, query[i].y * query_scale_),
                b(query[i].z * query_scale_, query[i].w * query_scale_);
            high[i] = make_uint2(a.high, b.high), low[i] = make_uint2(a.low, b.low);
        }
        uint2 const none = make_uint2(0, 0);
        put_chunk(0, high[0], high[1]);
        put_chunk(1, high[2], high[3]);
        put_chunk(2, low[0], low[1]);
        put_chunk(3, low[2], low[3]);
        put_chunk(4, high[4], low[4]);
        put_chunk(5, low[4], high[4]);
        put_chunk(6, high[4], none);
    }
    __device__ void put_chunk(int chunk, uint2 a, uint2 b) const {
        *reinterpret_cast<uint4*>(shared_.keys + Rows::key_chunk(static_cast<int>(threadIdx.x), chunk)) =
            make_uint4(a.x, a.y, b.x, b.y);
    }

    /// High parts and behind them low ones, each with the column that sums probabilities.
    __device__ void put_values(float4 const (&values)[kUnits]) const {
        std::byte* const to = shared_.values + Rows::value_place(static_cast<int>(threadIdx.x), 0);
#pragma unroll
        for (int i = 0; i < kUnits + 1; ++i) {
            float4 const v = each(i < kUnits ? values[min(i, kUnits - 1)] : make_float4(0, 0, 0, 0),
                                  [&](float x, int k) { return 4 * i + k == d_.dim ? 1.0F : x * value_scale_; });
            SplitPair const a(v.x, v.y), b(v.z, v.w);
            *reinterpret_cast<uint2*>(to + 8 * i) = make_uint2(a.high, b.high);
            *reinterpret_cast<uint2*>(to + kTiles * 16 + 8 * i) = make_uint2(a.low, b.low);
        }
    }

    // ---- Scales, which a region shares

    __device__ void publish_largest(float4 const (&units)[kUnits], float (&of_warps)[Rows::kWarps]) const {
        float largest = 0;
#pragma unroll
        for (float4 const& v : units) largest = fmaxf(largest, largest_of(v));
        largest = warp_max(largest);
        if (lane_ == 0) of_warps[warp_] = largest;
    }
    [[nodiscard]] static __device__ float largest(float const (&of_warps)[Rows::kWarps]) {
        float result = 0;
#pragma unroll
        for (float const v : of_warps) result = fmaxf(result, v);
        return result;
    }

    template <int kSets, int kKeyTiles>
    __device__ void attend(int first, int first_key, int end_key) const {
        RowsSoftmax<Rows> softmax[kSets];
        RowsAttention<Rows>(shared_, query_scale_, lane_)
            .template attend<kSets, kKeyTiles>(first, first_key, end_key, softmax);
#pragma unroll
        for (int m = 0; m < kSets; ++m) store(first + 16 * m, softmax[m]);
    }
    __device__ void store(int first, RowsSoftmax<Rows> const& softmax) const {
        int const dim = d_.dim;
        bool const is_paired = d_.attended.vector && dim % 2 == 0;
#pragma unroll
        for (int r = 0; r < 2; ++r) {
            float const factor = softmax.inverse_total(r, dim, lane_) / value_scale_;
            float* const to = d_.attended.at(place_.pixel(first + 8 * r + g_)) + place_.group * dim;
#pragma unroll
            for (int j = 0; j < kTiles; ++j) {
                int const c = 8 * j + 2 * t_;
                float const a = softmax.sums[j][2 * r] * factor, b = softmax.sums[j][2 * r + 1] * factor;
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
    typename Rows::Shared& shared_;
    RegionPlace place_;
    int warp_, lane_, g_, t_;
    float query_scale_ = 0, value_scale_ = 0;
};

template <class Rows>
__global__ void __launch_bounds__(Rows::kThreads, Rows::kBlocks)
    region_rows_kernel(__grid_constant__ RegionData const data) {
    RegionRowsThread<Rows>(data, dynamic_shared<typename Rows::Shared>()).run();
}

}  // namespace vitrum::cuda
