// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ptx/halves.cuh>

#include "../../elan_layout.h"
#include "../scaled_halves.cuh"
#include "fetch_quads.cuh"

// The projection behind attention: y = W · attended + bias + residual, where the rows of y hold what was attended as
// float16 with a scale of each group (see GroupOutputWeights). A warp reads its pixels whole before it writes any.

namespace vitrum::cuda {

struct GroupOutput {
    Pixels y;
    Matrix residual;
    uint4 const* weights;
    float const *inverse_scale, *bias;
};

constexpr int kOutputWarps = 4, kOutputThreads = kOutputWarps * 32, kOutputPixels = 32;  ///< of a warp

class GroupOutputThread {
public:
    static constexpr int kSteps = GroupOutputWeights::kSteps, kRows = 4;  ///< of a lane

    explicit __device__ GroupOutputThread(GroupOutput const& output)
        : p_(output), lane_(static_cast<int>(threadIdx.x) % 32), t_(lane_ % 4) {
        std::int64_t const warp = static_cast<std::int64_t>(blockIdx.x) * kOutputWarps + threadIdx.x / 32;
        first_ = warp * kOutputPixels + lane_ / 4;
    }

    __device__ void run() {
        if (first_ >= p_.y.count()) return;  // pixels come in whole regions
        load();
        float const inverse = *p_.inverse_scale;
#pragma unroll
        for (float& factor : factors_) factor *= inverse;
#pragma unroll 1
        for (int pair = 0; 16 * pair < p_.y.c; ++pair) multiply(pair);
    }

private:
    /// Row i of a lane is g + 8 · i of 32 pixels.
    [[nodiscard]] __device__ std::int64_t pixel(int i) const {
        return first_ + 8 * i;
    }

    /// Groups of a pixel on one scale: that of the largest numbers. All loads come before what waits for them.
    __device__ void load() {
        float scales[kRows][3];
#pragma unroll
        for (int i = 0; i < kRows; ++i) {
            float const* const row = p_.y.at(pixel(i));
#pragma unroll
            for (int s = 0; s < kSteps; s += 2) {
                uint4 const v = *reinterpret_cast<uint4 const*>(row + 8 * s + 4 * t_);
                left_[i / 2][s][i % 2] = v.x, left_[i / 2][s][2 + i % 2] = v.y;
                left_[i / 2][s + 1][i % 2] = v.z, left_[i / 2][s + 1][2 + i % 2] = v.w;
            }
#pragma unroll
            for (int group = 0; group < 3; ++group) scales[i][group] = row[GroupOutputWeights::kScaleWord + group];
        }
#pragma unroll
        for (int i = 0; i < kRows; ++i) {
            float const least = fminf(scales[i][0], fminf(scales[i][1], scales[i][2]));
            factors_[i] = 1.0F / least;
#pragma unroll
            for (int s = 0; s < kSteps; ++s) {
                float const ratio = least / scales[i][s / 4];
                std::uint32_t const both = Fp16::pack(ratio, ratio);
#pragma unroll
                for (int k = 0; k < 2; ++k) {
                    std::uint32_t& words = left_[i / 2][s][2 * k + i % 2];
                    words = multiply_halves(words, both);
                }
            }
        }
    }
    /// Sixteen channels of y.
    __device__ void multiply(int pair) const {
        int const channel = 16 * pair + 4 * t_, count = p_.y.c - channel;
        float4 added[kRows];
#pragma unroll
        for (float4& v : added) v = make_float4(0, 0, 0, 0);
        if (p_.residual.data != nullptr) {
            QuadAt at[kRows];
#pragma unroll
            for (int i = 0; i < kRows; ++i) at[i] = {p_.residual.at(pixel(i)) + channel, count};
            fetch_quads(added, at, p_.residual);
        }
        SumQuads sums[2] = {};
        uint4 const* const weights = p_.weights + pair * kSteps * kWarpLanes + lane_;
#pragma unroll
        for (int s = 0; s < kSteps; ++s) {
            uint4 const w = weights[s * kWarpLanes];
#pragma unroll
            for (int m = 0; m < 2; ++m) {
                multiply_add<Fp16>(sums[m].tiles[0], left_[m][s], {w.x, w.y});
                multiply_add<Fp16>(sums[m].tiles[1], left_[m][s], {w.z, w.w});
            }
        }
        if (count <= 0) return;
        float4 const bias = load_some(p_.bias + channel, count);
#pragma unroll
        for (int i = 0; i < kRows; ++i) {
            float const f = factors_[i];
            float4 const v = multiply_add(sums[i / 2].quad(i % 2), make_float4(f, f, f, f), bias) + added[i];
            store4(p_.y.at(pixel(i)) + channel, v, count, p_.y.vector);
        }
    }

    GroupOutput const& p_;
    int lane_, t_;
    std::int64_t first_;
    float factors_[kRows];
    std::uint32_t left_[2][kSteps][4];
};

__global__ static void __launch_bounds__(kOutputThreads, 3)
    group_output_kernel(__grid_constant__ GroupOutput const output) {
    GroupOutputThread(output).run();
}

}  // namespace vitrum::cuda
