// SPDX-License-Identifier: Apache-2.0
#include <ptx/halves.cuh>

#include "../elan_layout.h"
#include "../kernels/elan/fetch_quads.cuh"
#include "device.h"
#include "group_output.h"
#include "tiles.cuh"

// The projection behind attention: y = W · attended + bias + residual, where the rows of y hold what was attended as
// float16 with a scale of each group (see GroupOutputWeights). The weight stays in shared memory; a warpgroup has 64
// pixels at a time, which its warps read whole before they write any.

namespace vitrum::cuda::hopper {
namespace {

struct OutputLayout {
    using Operand = GroupOutputOperand;
    static constexpr int kGroups = 3, kThreads = kGroups * kGroup;
    static constexpr int kColumns = Operand::kColumns, kSteps = Operand::kDepth / 16;
    static constexpr int kBlock = kColumns / 2;  ///< columns at a time, so that their residuals fit into registers
    struct Shared {
        alignas(128) std::byte weights[Operand::kHalves * 2];
        float4 bias[kColumns / 4];
    };
};

class OutputGroup {
public:
    using L = OutputLayout;

    __device__ OutputGroup(GroupOutput const& output, L::Shared& shared)
        : p_(output),
          shared_(shared),
          inverse_scale_(*reinterpret_cast<float const*>(output.weights + L::Operand::kHalves * 2)) {}

    /// 64 pixels from `first` on.
    __device__ void run(std::int64_t first) {
        first_ = first + 16 * lane_.warp + lane_.row;
        std::uint32_t left[4 * L::kSteps];
        float factors[2];
        load(left, factors);
#pragma unroll
        for (int block = 0; block < L::kColumns; block += L::kBlock) {
            float4 added[kQuads];
            load_residual(block, added);
            float sums[L::kBlock / 2];
            fence_products();
            std::uint32_t const weights = shared_address(shared_.weights) + block * 16;
            begin_products<L::kBlock, L::kSteps, L::kColumns>(sums, left, weights, false);
            commit_products();
            wait_for_products<0>();
            settle(sums);
            settle(left);
            store(block, sums, factors, added);
        }
    }

private:
    [[nodiscard]] __device__ std::int64_t pixel(int r) const { return first_ + 8 * r; }

    /// Groups of a pixel on one scale: that of the largest numbers. All loads come before what waits for them.
    __device__ void load(std::uint32_t (&left)[4 * L::kSteps], float (&factors)[2]) const {
        float scales[2][3];
#pragma unroll
        for (int r = 0; r < 2; ++r) {
            float const* const row = p_.y.at(pixel(r));
#pragma unroll
            for (int s = 0; s < L::kSteps; s += 2) {
                uint4 const v = *reinterpret_cast<uint4 const*>(row + 8 * s + 4 * lane_.quad);
                left[4 * s + r] = v.x, left[4 * s + 2 + r] = v.y, left[4 * s + 4 + r] = v.z, left[4 * s + 6 + r] = v.w;
            }
#pragma unroll
            for (int group = 0; group < 3; ++group) scales[r][group] = row[GroupOutputWeights::kScaleWord + group];
        }
#pragma unroll
        for (int r = 0; r < 2; ++r) {
            float const least = fminf(scales[r][0], fminf(scales[r][1], scales[r][2]));
            factors[r] = inverse_scale_ / least;
#pragma unroll
            for (int i = 0; i < 2 * L::kSteps; ++i) {
                float const ratio = least / scales[r][i / 8];
                std::uint32_t& words = left[2 * i + r];
                words = multiply_halves(words, Fp16::pack(ratio, ratio));
            }
        }
    }

    // ---- Blocks of columns. Quad 2 k + r of a lane: channels block + 16 k + 4 · quad … of row r.

    static constexpr int kQuads = L::kBlock / 8;
    [[nodiscard]] __device__ int channel(int block, int i) const { return block + 16 * (i / 2) + 4 * lane_.quad; }

    /// On their way beside the product.
    __device__ void load_residual(int block, float4 (&added)[kQuads]) const {
#pragma unroll
        for (float4& v : added) v = make_float4(0, 0, 0, 0);
        if (p_.residual.data == nullptr) return;
        QuadAt at[kQuads];
#pragma unroll
        for (int i = 0; i < kQuads; ++i) {
            at[i] = {p_.residual.at(pixel(i % 2)) + min(channel(block, i), L::Operand::kChannels - 4), 4};
        }
        fetch_quads(added, at, p_.residual);
    }
    __device__ void store(int block, float const (&sums)[L::kBlock / 2], float const (&factors)[2],
                          float4 const (&added)[kQuads]) const {
#pragma unroll
        for (int i = 0; i < kQuads; ++i) {
            int const c = channel(block, i);
            if (c >= L::Operand::kChannels) continue;
            float const* const s = sums + 8 * (i / 2) + 2 * (i % 2);
            float const f = factors[i % 2];
            float4 const v =
                multiply_add(make_float4(s[0], s[1], s[4], s[5]), make_float4(f, f, f, f), shared_.bias[c / 4]);
            store4(p_.y.at(pixel(i % 2)) + c, v + added[i], 4, p_.y.vector);
        }
    }

    GroupOutput const& p_;
    L::Shared& shared_;
    Lane lane_;
    float inverse_scale_;
    std::int64_t first_ = 0;
};

__global__ void __launch_bounds__(OutputLayout::kThreads, 1)
    group_output_kernel(__grid_constant__ GroupOutput const output) {
    using L = OutputLayout;
    auto& shared = dynamic_shared<L::Shared>();
    let_next_start();
    int const thread = static_cast<int>(threadIdx.x);
    copy_block_async<L::kThreads>(shared.weights, output.weights, L::Operand::kHalves * 2);
    if (thread < L::kColumns / 4) {
        shared.bias[thread] = load_some(output.bias + 4 * thread, L::Operand::kChannels - 4 * thread);
    }
    wait_for_copies<0>();
    fence_shared();
    __syncthreads();
    await_previous();
    OutputGroup group(output, shared);
    std::int64_t const tiles = output.y.count() / 64, step = static_cast<std::int64_t>(gridDim.x) * L::kGroups;
    std::int64_t const first = static_cast<std::int64_t>(thread / kGroup) * gridDim.x + blockIdx.x;
    for (std::int64_t tile = first; tile < tiles; tile += step) group.run(tile * 64);
}

}  // namespace

void launch_group_output(void* stream, GroupOutput const& output) {
    using L = OutputLayout;
    std::int64_t const blocks = std::min<std::int64_t>(multiprocessors(), output.y.count() / 64);
    start_shared<Start::early>(stream, group_output_kernel, blocks, L::kThreads, sizeof(L::Shared), output);
}

}  // namespace vitrum::cuda::hopper
