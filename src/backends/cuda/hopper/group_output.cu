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
        float sums[L::kColumns / 2];
        fence_products();
        begin_products<L::kColumns, L::kSteps>(sums, left, shared_address(shared_.weights), false);
        commit_products();
        wait_for_products<0>();
        settle(sums);
        settle(left);
        store(sums, factors);
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
    /// Eight loads under way at a time.
    __device__ void store(float const (&sums)[L::kColumns / 2], float const (&factors)[2]) const {
#pragma unroll
        for (int pair = 0; pair < L::kColumns / 16; pair += 4) {
            QuadAt at[8];
            float4 added[8];
#pragma unroll
            for (int i = 0; i < 8; ++i) {
                int const channel = 16 * (pair + i / 2) + 4 * lane_.quad;
                at[i] = {p_.residual.at(pixel(i % 2)) + min(channel, L::Operand::kChannels - 4), 4};
                added[i] = make_float4(0, 0, 0, 0);
            }
            if (p_.residual.data != nullptr) fetch_quads(added, at, p_.residual);
#pragma unroll
            for (int i = 0; i < 8; ++i) {
                int const channel = 16 * (pair + i / 2) + 4 * lane_.quad;
                if (channel >= L::Operand::kChannels) continue;
                float const* const s = sums + 8 * (pair + i / 2) + 2 * (i % 2);
                float const f = factors[i % 2];
                float4 const v = multiply_add(make_float4(s[0], s[1], s[4], s[5]), make_float4(f, f, f, f),
                                              shared_.bias[channel / 4]);
                store4(p_.y.at(pixel(i % 2)) + channel, v + added[i], 4, p_.y.vector);
            }
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
