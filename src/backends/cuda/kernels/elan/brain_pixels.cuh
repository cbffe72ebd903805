// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "../../elan_layout.h"
#include "brain_pairs.cuh"
#include "fetch_quads.cuh"

namespace vitrum::cuda {

/// y = W·x + bias + residual at each pixel, for at most 64 channels. x may be y: a warp reads its pixels before it
/// writes them.
struct BrainPixels {
    Pixels x, y;
    Matrix residual;
    uint4 const* weights;  ///< see BrainPixelWeights
    float const* bias;     ///< null: none
};

constexpr int kBrainPixelWarps = 4, kBrainPixelThreads = kBrainPixelWarps * 32;

/// A warp has sixteen pixels, and all of their channels as operands before the first product.
class BrainPixelThread {
public:
    static constexpr int kSteps = BrainPixelWeights::kSteps;

    explicit __device__ BrainPixelThread(BrainPixels const& pixels)
        : p_(pixels), lane_(static_cast<int>(threadIdx.x) % 32), t_(lane_ % 4) {
        std::int64_t const warp = static_cast<std::int64_t>(blockIdx.x) * kBrainPixelWarps + threadIdx.x / 32;
#pragma unroll
        for (int r = 0; r < 2; ++r) {
            std::int64_t const pixel = warp * 16 + lane_ / 4 + 8 * r;
            exists_[r] = pixel < p_.x.count();
            pixels_[r] = exists_[r] ? pixel : 0;
        }
    }

    __device__ void run() {
        float4 x[2 * kSteps];
        QuadAt at[2 * kSteps];
#pragma unroll
        for (int i = 0; i < 2 * kSteps; ++i) at[i] = quad_at(p_.x, i % 2, 16 * (i / 2) + 4 * t_, p_.x.c);
        load_quads(x, at, p_.x);
#pragma unroll
        for (int i = 0; i < 2 * kSteps; ++i) left_[i / 2].set_quad(i % 2, x[i]);
#pragma unroll 1
        for (int pair = 0; 16 * pair < p_.y.c; ++pair) multiply(pair);
    }

private:
    [[nodiscard]] __device__ QuadAt quad_at(Matrix const& of, int r, int channel, int channels) const {
        return {of.at(pixels_[r]) + channel, exists_[r] ? channels - channel : 0};
    }
    /// Sixteen channels of y.
    __device__ void multiply(int pair) const {
        int const channel = 16 * pair + 4 * t_;
        float4 added[2] = {make_float4(0, 0, 0, 0), make_float4(0, 0, 0, 0)};
        if (p_.residual.data != nullptr) {
            QuadAt const at[2] = {quad_at(p_.residual, 0, channel, p_.y.c), quad_at(p_.residual, 1, channel, p_.y.c)};
            fetch_quads(added, at, p_.residual);
        }
        SumQuads sums = {};
        uint4 const* const weights = p_.weights + pair * kSteps * 2 * kWarpLanes + lane_;
#pragma unroll
        for (int s = 0; s < kSteps; ++s) {
            multiply_add(sums.tiles[0], left_[s], weights[2 * s * kWarpLanes]);
            multiply_add(sums.tiles[1], left_[s], weights[(2 * s + 1) * kWarpLanes]);
        }
        int const count = p_.y.c - channel;
        if (count <= 0) return;
        float4 const bias = load_some(p_.bias + channel, p_.bias == nullptr ? 0 : count);
#pragma unroll
        for (int r = 0; r < 2; ++r) {
            if (!exists_[r]) continue;
            store4(p_.y.at(pixels_[r]) + channel, sums.quad(r) + bias + added[r], count, p_.y.vector);
        }
    }

    BrainPixels const& p_;
    int lane_, t_;
    std::int64_t pixels_[2];
    bool exists_[2];
    BrainLeft left_[kSteps];
};

__global__ static void __launch_bounds__(kBrainPixelThreads, 5)
    brain_pixels_kernel(__grid_constant__ BrainPixels const pixels) {
    BrainPixelThread(pixels).run();
}

inline void launch_brain_pixels(void* stream, BrainPixels const& pixels) {
    start(stream, brain_pixels_kernel, divide_up(pixels.x.count(), kBrainPixelWarps * 16), kBrainPixelThreads, pixels);
}

}  // namespace vitrum::cuda
