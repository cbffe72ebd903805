// SPDX-License-Identifier: Apache-2.0
#include "../elan_layout.h"
#include "../fused_kernels.h"
#include "group_output.h"
#include "region_attention.cuh"

// ELAN's attention inside regions of 16 × 16 pixels. A block has a region and a group of sixty channels; each of its
// four warpgroups projects 64 tokens to queries and values, and attends with them. What was attended goes to the
// product behind it as GroupOutputWeights says.

namespace vitrum::cuda::hopper {
namespace {

struct WideLayout {
    using Weights = GroupBothWeights;
    static constexpr int kWarps = 16, kThreads = kWarps * 32;
    static constexpr int kDim = Weights::kDim, kHead = 64, kChunks = kHead / 8;
    static constexpr int kColumns = kHead;  ///< of values
    /// Of a value's channel (see GroupBothWeights), and of the one that sums probabilities.
    static constexpr int kOnes = kDim % 16 / 2 * 8 + kDim / 16 * 2 + kDim % 2;
    static_assert(kThreads == 4 * kGroup && kRegionTokens == 4 * kSet);
    struct Shared {
        alignas(128) std::byte keys[kChunks][kChunkPlane];
        alignas(128) std::byte values[kRegionTokens * kColumns * 2];
        alignas(128) std::byte weights[Weights::kGroupBytes];
        alignas(8) float bias[Weights::kColumns];  ///< read by twos
        RegionLargest<kWarps> largest;
        RegionPixels pixels;
    };

    struct Query {
        std::uint32_t words[kHead / 4];

        __device__ void settle() { hopper::settle(words); }
    };
    static __device__ void load_query(std::byte const* keys, int first, Query& query) {
        int const lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
        for (int k = 0; k < kHead / 16; ++k) {
            std::uint32_t words[4];
            load_matrices(words, keys + (first + lane % 16) * 16 + (2 * k + lane / 16) * kChunkPlane);
#pragma unroll
            for (int i = 0; i < 4; ++i) query.words[4 * k + i] = words[i];
        }
    }
    static __device__ void begin_scores(RegionScores& scores, Query const& query, std::uint32_t keys, int key) {
        std::uint64_t const right = key_chunks(keys, 0, key);
#pragma unroll
        for (int k = 0; k < kHead / 16; ++k) {
            begin_product<kSet>(scores, query.words + 4 * k, further(right, 2 * k * kChunkPlane), k > 0);
        }
    }
};

/// The groups of a region one after the other, since they share x in the second-level cache; and the last region
/// first, since its x has been written last, and the product behind begins with what was attended last.
[[nodiscard]] __device__ RegionTurn last_region_first() {
    std::uint32_t const turn = gridDim.x - 1 - blockIdx.x;
    return {2 - turn % 3, turn / 3};
}

class WideThread {
public:
    using L = WideLayout;
    using Weights = L::Weights;

    __device__ WideThread(RegionData const& data, L::Shared& shared)
        : d_(data), shared_(shared), first_(static_cast<int>(threadIdx.x) / kGroup * kSet) {
        RegionPlace const place(data, last_region_first());
        group_ = place.group, bits_ = place.bits;
        if (threadIdx.x < kRegionTokens) shared.pixels.put(place, static_cast<int>(threadIdx.x));
    }

    __device__ void run() {
        let_next_start();
        fetch_weights();
        await_previous();
        __syncthreads();
        float sums[Weights::kColumns / 2];
        project(sums);
        publish_largest(sums);
        __syncthreads();
        float const query_scale = shared_.largest.query_scale(), value_scale = shared_.largest.value_scale();
        put_queries(sums, query_scale);
        put_values(sums, value_scale);
        fence_shared();
        __syncthreads();
        RegionAttention<L>::Sums attended;
        RegionAttention<L>(shared_.keys[0], shared_address(shared_.values), query_scale, bits_)
            .attend(first_, attended);
        store(attended, value_scale);
    }

private:
    using Sums = float[Weights::kColumns / 2];  ///< of queries, then of values

    __device__ void fetch_weights() const {
        auto const* const from = reinterpret_cast<std::byte const*>(d_.weights) + group_ * Weights::kGroupBytes;
        copy_block_async<L::kThreads>(shared_.weights, from, Weights::kGroupBytes);
        int const column = static_cast<int>(threadIdx.x);
        if (column >= Weights::kColumns) return;
        bool const is_value = column >= L::kHead;
        int const c = is_value ? value_channel(column - L::kHead) : column;
        shared_.bias[column] = c < L::kDim ? d_.bias[(2 * group_ + (is_value ? 1 : 0)) * L::kDim + c] : 0.0F;
    }

    /// The token of a lane's upper row; the lower one's is 8 more.
    [[nodiscard]] __device__ int token() const { return first_ + 16 * lane_.warp + lane_.row; }

    // ---- Queries and values

    static constexpr int kStepsAtOnce = 4, kQuads = 2 * kStepsAtOnce;

    __device__ void project(Sums& sums) const {
        float const* rows[2];
#pragma unroll
        for (int r = 0; r < 2; ++r) rows[r] = shared_.pixels.row(d_.x, token() + 8 * r) + 4 * lane_.quad;
        float scale = 0;
        float4 x[kQuads];
        load_x(rows, 0, x);
        wait_for_copies<0>();
        fence_shared();
        __syncthreads();
#pragma unroll
        for (int step = 0; step < Weights::kDepth / 16; step += kStepsAtOnce) {
            float largest = 0;
#pragma unroll
            for (float4 const& v : x) largest = fmaxf(largest, largest_of(v));
            fit_scale(scale, largest, [&](float factor) {
                if (step == 0) return;
#pragma unroll
                for (float& sum : sums) sum *= factor;
            });
            std::uint32_t left[4 * kStepsAtOnce];
#pragma unroll
            for (int i = 0; i < kQuads; ++i) {
                std::uint32_t* const to = left + i / 2 * 4 + i % 2;
                to[0] = Fp16::pack(x[i].x * scale, x[i].y * scale), to[2] = Fp16::pack(x[i].z * scale, x[i].w * scale);
            }
            if (step + kStepsAtOnce < Weights::kDepth / 16) load_x(rows, step + kStepsAtOnce, x);
            std::uint32_t const weights = shared_address(shared_.weights) + step * 2 * Weights::kColumns * 16;
            fence_products();
            begin_products<Weights::kColumns, kStepsAtOnce>(sums, left, weights, step > 0);
            commit_products();
            wait_for_products<0>();
            settle(sums);
            settle(left);
        }
        float const unit = reinterpret_cast<float const*>(d_.weights)[3 * Weights::kGroupBytes / 4];
        add_bias(sums, unit / scale);
    }
    __device__ void load_x(float const* const (&rows)[2], int step, float4 (&x)[kQuads]) const {
#pragma unroll
        for (int i = 0; i < kQuads; ++i) {
            int const channel = 16 * (step + i / 2);
            bool const exists = channel + 16 <= Weights::kChannels || channel + 4 * lane_.quad < Weights::kChannels;
            x[i] = *reinterpret_cast<float4 const*>(rows[i % 2] + (exists ? channel : 0));
        }
#pragma unroll
        for (int i = 0; i < kQuads; ++i) {
            int const channel = 16 * (step + i / 2);
            if (channel + 16 <= Weights::kChannels) continue;
            x[i] = first_of(x[i], Weights::kChannels - channel - 4 * lane_.quad);
        }
    }
    /// Which a column of values is (see GroupBothWeights): a lane's sums are sixteen neighbours.
    [[nodiscard]] static __device__ int value_channel(int column) {
        return column % 8 / 2 * 16 + column / 8 * 2 + column % 2;
    }
    __device__ void add_bias(Sums& sums, float factor) const {
#pragma unroll
        for (int j = 0; j < Weights::kColumns / 8; ++j) {
            float2 const bias = *reinterpret_cast<float2 const*>(shared_.bias + 8 * j + 2 * lane_.quad);
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                sums[4 * j + i] = fmaf(sums[4 * j + i], factor, i % 2 == 0 ? bias.x : bias.y);
            }
        }
    }
    __device__ void publish_largest(Sums const& sums) const {
        float of_query = 0, of_values = 0;
#pragma unroll
        for (int i = 0; i < L::kHead / 2; ++i) {
            of_query = fmaxf(of_query, fabsf(sums[i])), of_values = fmaxf(of_values, fabsf(sums[L::kHead / 2 + i]));
        }
        shared_.largest.publish(of_query, of_values);
    }
    __device__ void put_queries(Sums const& sums, float scale) const {
#pragma unroll
        for (int i = 0; i < L::kHead / 4; ++i) {
            std::byte* const to = shared_.keys[i / 2] + (token() + i % 2 * 8) * 16 + 4 * lane_.quad;
            *reinterpret_cast<std::uint32_t*>(to) = Fp16::pack(sums[2 * i] * scale, sums[2 * i + 1] * scale);
        }
    }
    __device__ void put_values(Sums const& sums, float scale) const {
        // What a lane gives the address of: a column of one of two tiles, of eight tokens.
        int const matrix = static_cast<int>(threadIdx.x) % 32 / 8, row = static_cast<int>(threadIdx.x) % 8;
        std::uint32_t const to = shared_address(shared_.values) +
                                 ((first_ + 16 * lane_.warp) / 8 + matrix % 2) * L::kColumns * 16 +
                                 (matrix / 2 * 8 + row) * 16;
#pragma unroll
        for (int j = 0; j < L::kHead / 8; j += 2) {
            std::uint32_t words[4];
#pragma unroll
            for (int n = 0; n < 4; ++n) {
                int const tile = j + n / 2, r = n % 2;
                float v[2];
#pragma unroll
                for (int i = 0; i < 2; ++i) {
                    float const value = sums[L::kHead / 2 + 4 * tile + 2 * r + i] * scale;
                    v[i] = value_channel(8 * tile + 2 * lane_.quad + i) == L::kDim ? 1.0F : value;
                }
                words[n] = Fp16::pack(v[0], v[1]);
            }
            store_matrices_transposed(to + 8 * j * 16, words[0], words[1], words[2], words[3]);
        }
    }

    /// A lane has the sixteen channels from 16 · quad on, to which it gives the column behind the last as well.
    __device__ void store(RegionAttention<L>::Sums const& sums, float value_scale) const {
#pragma unroll
        for (int r = 0; r < 2; ++r) {
            float const factor = inverse_total(sums, L::kOnes, r);
            std::uint32_t words[L::kHead / 8];
#pragma unroll
            for (int j = 0; j < L::kHead / 8; ++j) {
                words[j] = Fp16::pack(sums[4 * j + 2 * r] * factor, sums[4 * j + 2 * r + 1] * factor);
            }
            float* const row = shared_.pixels.row(d_.attended, token() + 8 * r);
            auto* const to = reinterpret_cast<uint4*>(row + GroupOutputWeights::word(group_, 16 * lane_.quad));
            to[0] = make_uint4(words[0], words[1], words[2], words[3]);
            to[1] = make_uint4(words[4], words[5], words[6], words[7]);
            if (lane_.quad == 0) row[GroupOutputWeights::kScaleWord + group_] = value_scale;
        }
    }

    RegionData const& d_;
    L::Shared& shared_;
    Lane lane_;
    int first_;  ///< of the warpgroup's tokens
    int group_, bits_;
};

__global__ void __launch_bounds__(WideLayout::kThreads, 1) wide_region_kernel(__grid_constant__ RegionData const data) {
    WideThread(data, dynamic_shared<WideLayout::Shared>()).run();
}

}  // namespace
}  // namespace vitrum::cuda::hopper

namespace vitrum::cuda {

void HopperWideRegionKernel::launch(Op const& op, Launch const& launch) {
    using L = hopper::WideLayout;
    RegionData const data = regions_of(op, launch);
    VITRUM_ASSERT(data.x.vector && data.attended.vector);
    start_shared<Start::early>(launch.stream, hopper::wide_region_kernel, data.regions * 3, L::kThreads,
                               sizeof(L::Shared), data);
    auto const in = launch.inputs;
    hopper::launch_group_output(launch.stream, {Pixels(launch.outputs[0]), Pixels(in[Op::kResidual]), launch.packed[1],
                                                floats(in[Op::kOutBias])});
}

}  // namespace vitrum::cuda
