// SPDX-License-Identifier: Apache-2.0
#include "../elan_layout.h"
#include "../fused_kernels.h"
#include "../kernels/elan/brain_pairs.cuh"
#include "device.h"
#include "pixel_product.h"
#include "region_attention.cuh"

// ELAN-light's attention inside regions of 16 × 16 pixels. A block has a region and a group of twenty channels; its two
// warpgroups take 64 queries at a time. Logits come from queries of two float16, values from x and weights of two
// bfloat16; a probability is one float16, a value two. What queries are the sum of lies in chunks of eight channels: of
// the units of four, u0 … u4 of high parts and v0 … v4 of low ones,
//     u0 u1 · u2 u3 · v0 v1 · v2 v3 · u4 v4 · v4 u4 · u4 0
// and q · kᵀ is the sum of chunks 0 1 2 3 · 0 1 0 1, 0 1 · 2 3, and 4 4 · 5 6.

namespace vitrum::cuda::hopper {
namespace {

struct RegionLayout {
    using Weights = GroupValueWeights;
    static constexpr int kWarps = 8, kThreads = kWarps * 32, kBlocks = 2;
    static constexpr int kDim = Weights::kDim, kUnits = kDim / 4, kChunks = 7;
    static constexpr int kColumns = 2 * Weights::kColumns;  ///< of values: high parts, then low ones
    static_assert(kThreads == kRegionTokens);
    struct Shared {
        alignas(128) std::byte keys[kChunks][kChunkPlane];
        alignas(128) std::byte values[kRegionTokens * kColumns * 2];
        alignas(128) std::byte weights[Weights::kGroupBytes];
        float bias[Weights::kColumns];
        RegionLargest<kWarps> largest;
        RegionPixels pixels;
    };

    struct Query {
        std::uint32_t high[4], low[4], last[4];  ///< chunks 0 1, 2 3 and 4 4

        __device__ void settle() { hopper::settle(high), hopper::settle(low), hopper::settle(last); }
    };
    static __device__ void load_query(std::byte const* keys, int first, Query& query) {
        int const lane = static_cast<int>(threadIdx.x) % 32;
        std::byte const* const at = keys + (first + lane % 16) * 16;
        load_matrices(query.high, at + lane / 16 * kChunkPlane);
        load_matrices(query.low, at + (2 + lane / 16) * kChunkPlane);
        load_matrices(query.last, at + 4 * kChunkPlane);
    }
    /// The smallest products first.
    static __device__ void begin_scores(RegionScores& scores, Query const& query, std::uint32_t keys, int key) {
        begin_product<kSet>(scores, query.high, key_chunks(keys, 2, key), false);
        begin_product<kSet>(scores, query.low, key_chunks(keys, 0, key), true);
        begin_product<kSet>(scores, query.last, key_chunks(keys, 5, key), true);
        begin_product<kSet>(scores, query.high, key_chunks(keys, 0, key), true);
    }
};

class RegionThread {
public:
    using L = RegionLayout;
    using Weights = L::Weights;

    __device__ RegionThread(RegionData const& data, L::Shared& shared)
        : d_(data), shared_(shared), first_(static_cast<int>(threadIdx.x) / kGroup * kGroup) {
        RegionPlace const place(data);
        group_ = place.group, bits_ = place.bits;
        shared.pixels.put(place, static_cast<int>(threadIdx.x));
    }

    __device__ void run() {
        let_next_start();
        fetch_weights();
        await_previous();
        __syncthreads();
        float4 query[L::kUnits], x[2][Weights::kDepth / 8];
        fetch_query(query);
#pragma unroll
        for (int set = 0; set < 2; ++set) fetch_x(set, x[set]);
        wait_for_copies<0>();
        fence_shared();
        __syncthreads();
        float values[2][Weights::kColumns / 2];
#pragma unroll
        for (int set = 0; set < 2; ++set) project(x[set], values[set]);
        publish_largest(query, values);
        __syncthreads();
        float const query_scale = shared_.largest.query_scale();
        value_scale_ = shared_.largest.value_scale();
        put_query(query, query_scale);
#pragma unroll
        for (int set = 0; set < 2; ++set) put_values(set, values[set]);
        fence_shared();
        __syncthreads();
        RegionAttention<L> const attention(shared_.keys[0], shared_address(shared_.values), query_scale, bits_);
#pragma unroll 1
        for (int set = 0; set < 2; ++set) {
            Sums sums;
            attention.attend(first_ + kSet * set, sums);
            store(set, sums);
        }
    }

private:
    using Sums = RegionAttention<L>::Sums;

    // ---- Queries: a thread has a token.

    __device__ void fetch_weights() const {
        auto const* const from = reinterpret_cast<std::byte const*>(d_.weights) + group_ * Weights::kGroupBytes;
        copy_block_async<L::kThreads>(shared_.weights, from, Weights::kGroupBytes);
        int const thread = static_cast<int>(threadIdx.x);
        if (thread >= Weights::kColumns) return;
        shared_.bias[thread] = thread < L::kDim ? d_.bias[group_ * L::kDim + thread] : 0.0F;
    }
    __device__ void fetch_query(float4 (&query)[L::kUnits]) const {
        float const* const row = shared_.pixels.row(d_.query, static_cast<int>(threadIdx.x)) + group_ * L::kDim;
#pragma unroll
        for (int i = 0; i < L::kUnits; ++i) query[i] = *reinterpret_cast<float4 const*>(row + 4 * i);
    }
    __device__ void put_query(float4 const (&query)[L::kUnits], float scale) const {
        uint2 high[L::kUnits], low[L::kUnits];
#pragma unroll
        for (int i = 0; i < L::kUnits; ++i) {
            SplitPair const a(query[i].x * scale, query[i].y * scale), b(query[i].z * scale, query[i].w * scale);
            high[i] = make_uint2(a.high, b.high), low[i] = make_uint2(a.low, b.low);
        }
        put_chunk(0, high[0], high[1]);
        put_chunk(1, high[2], high[3]);
        put_chunk(2, low[0], low[1]);
        put_chunk(3, low[2], low[3]);
        put_chunk(4, high[4], low[4]);
        put_chunk(5, low[4], high[4]);
        put_chunk(6, high[4], make_uint2(0, 0));
    }
    __device__ void put_chunk(int chunk, uint2 a, uint2 b) const {
        *reinterpret_cast<uint4*>(shared_.keys[chunk] + threadIdx.x * 16) = make_uint4(a.x, a.y, b.x, b.y);
    }

    // ---- Values of 64 tokens as rows of a product: a lane has rows g and g + 8 of its warp's sixteen.

    /// The first of the warp's.
    [[nodiscard]] __device__ int token(int set) const {
        return first_ + kSet * set + 16 * lane_.warp;
    }

    __device__ void project(float4 (&x)[Weights::kDepth / 8], float (&values)[Weights::kColumns / 2]) const {
        keep_channels(x);
        std::uint32_t high[Weights::kDepth / 4], low[Weights::kDepth / 4];
#pragma unroll
        for (int i = 0; i < Weights::kDepth / 8; ++i) {
            BrainPair const a(x[i].x, x[i].y), b(x[i].z, x[i].w);
            int const at = i / 2 * 4 + i % 2;
            high[at] = a.high, high[at + 2] = b.high, low[at] = a.low, low[at + 2] = b.low;
        }
        std::uint32_t const weights = shared_address(shared_.weights);
        fence_products();
        multiply(values, low, weights, false);
        multiply(values, high, weights + Weights::kPartHalves * 2, true);
        multiply(values, high, weights, true);
        commit_products();
        wait_for_products<0>();
        settle(values);
        settle(high);
        settle(low);
#pragma unroll
        for (int i = 0; i < Weights::kColumns / 2; ++i) values[i] += shared_.bias[column(i)];
    }
    static constexpr int kLast = Weights::kDepth / 8 - 2;
    [[nodiscard]] __device__ bool has_last() const { return lane_.quad < 3; }

    /// Quad 2 k + r: channels 16 k + 4 · quad … of row r. The pixel's last four channels are its fifteenth quad.
    __device__ void fetch_x(int set, float4 (&x)[Weights::kDepth / 8]) const {
        static_assert(Weights::kChannels == Weights::kDepth - 4);
#pragma unroll
        for (int r = 0; r < 2; ++r) {
            float const* const row = shared_.pixels.row(d_.x, token(set) + lane_.row + 8 * r) + 4 * lane_.quad;
#pragma unroll
            for (int k = 0; k < kLast / 2; ++k) x[2 * k + r] = *reinterpret_cast<float4 const*>(row + 16 * k);
            x[kLast + r] = *reinterpret_cast<float4 const*>(row + (has_last() ? 8 * kLast : 0));
        }
    }
    __device__ void keep_channels(float4 (&x)[Weights::kDepth / 8]) const {
#pragma unroll
        for (int r = 0; r < 2; ++r) x[kLast + r] = first_of(x[kLast + r], has_last() ? 4 : 0);
    }
    __device__ static void multiply(float (&sums)[Weights::kColumns / 2], std::uint32_t const* left,
                                    std::uint32_t weights, bool add) {
#pragma unroll
        for (int k = 0; k < Weights::kDepth / 16; ++k) {
            begin_product<Weights::kColumns, Bf16>(
                sums, left + 4 * k, matrix_descriptor(weights + 2 * k * Weights::kColumns * 16, Weights::kColumns * 16),
                add || k > 0);
        }
    }
    /// Of a sum.
    [[nodiscard]] __device__ int column(int i) const {
        return i / 4 * 8 + 2 * lane_.quad + i % 2;
    }

    /// High parts and behind them low ones, each with the column that sums probabilities.
    __device__ void put_values(int set, float const (&values)[Weights::kColumns / 2]) const {
        // What a lane gives the address of: a column of high or low parts of eight tokens.
        int const matrix = static_cast<int>(threadIdx.x) % 32 / 8, row = static_cast<int>(threadIdx.x) % 8;
        std::uint32_t const to = shared_address(shared_.values) + (token(set) / 8 + matrix % 2) * L::kColumns * 16 +
                                 (matrix / 2 * Weights::kColumns + row) * 16;
#pragma unroll
        for (int j = 0; j < Weights::kColumns / 8; ++j) {
            std::uint32_t high[2], low[2];
#pragma unroll
            for (int r = 0; r < 2; ++r) {
                float v[2];
#pragma unroll
                for (int i = 0; i < 2; ++i) {
                    int const at = 4 * j + 2 * r + i;
                    v[i] = column(at) == L::kDim ? 1.0F : values[at] * value_scale_;
                }
                SplitPair const pair(v[0], v[1]);
                high[r] = pair.high, low[r] = pair.low;
            }
            store_matrices_transposed(to + 8 * j * 16, high[0], high[1], low[0], low[1]);
        }
    }

    __device__ void publish_largest(float4 const (&query)[L::kUnits],
                                    float const (&values)[2][Weights::kColumns / 2]) const {
        float of_query = 0, of_values = 0;
#pragma unroll
        for (float4 const& v : query) of_query = fmaxf(of_query, largest_of(v));
#pragma unroll
        for (int i = 0; i < Weights::kColumns; ++i) of_values = fmaxf(of_values, fabsf(values[i % 2][i / 2]));
        shared_.largest.publish(of_query, of_values);
    }

    __device__ void store(int set, Sums const& sums) const {
        constexpr int kLow = Weights::kColumns / 2;
#pragma unroll
        for (int r = 0; r < 2; ++r) {
            float const factor = inverse_total(sums, L::kDim, r) * (1.0F / value_scale_);
            float* const to = shared_.pixels.row(d_.attended, token(set) + lane_.row + 8 * r) + group_ * L::kDim;
#pragma unroll
            for (int j = 0; j < Weights::kColumns / 8; ++j) {
                int const c = column(4 * j), at = 4 * j + 2 * r;
                float2 const v =
                    make_float2((sums[at] + sums[kLow + at]) * factor, (sums[at + 1] + sums[kLow + at + 1]) * factor);
                if (c < L::kDim) *reinterpret_cast<float2*>(to + c) = v;
            }
        }
    }

    RegionData const& d_;
    L::Shared& shared_;
    Lane lane_;
    int first_;  ///< of the warpgroup's tokens
    int group_, bits_;
    float value_scale_ = 0;
};

__global__ void __launch_bounds__(RegionLayout::kThreads, RegionLayout::kBlocks)
    region_kernel(__grid_constant__ RegionData const data) {
    RegionThread(data, dynamic_shared<RegionLayout::Shared>()).run();
}

}  // namespace
}  // namespace vitrum::cuda::hopper

namespace vitrum::cuda {

void HopperRegionKernel::launch(Op const& op, Launch const& launch) {
    using L = hopper::RegionLayout;
    auto const in = launch.inputs;
    RegionData const data = regions_of(op, launch);
    Pixels const y(launch.outputs[0]);
    VITRUM_ASSERT(data.x.vector && data.query.vector && data.attended.vector);
    start_shared<Start::early>(launch.stream, hopper::region_kernel, data.regions * 3, L::kThreads, sizeof(L::Shared),
                               data);
    hopper::launch_pixel_product(launch.stream,
                                 {y, y, Pixels(in[Op::kResidual]), launch.packed[1], floats(in[Op::kOutBias])});
}

}  // namespace vitrum::cuda
