// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "halo_tile.cuh"

namespace vitrum::cuda {

/// y = W·x + bias + residual at each pixel. x may be y: a block reads its pixels before it writes them.
struct PixelProduct {
    Pixels x, y;
    Matrix residual;
    std::uint32_t const* weights;
    float const* bias;  ///< null: none
};

constexpr int kProductWarps = 8, kProductThreads = kProductWarps * 32;
constexpr int kProductPixels = 128;  // of a block: two rows of warps, four groups of sixteen each

/// kChannels: of x and of y, a multiple of 64.
template <class Operand, int kChannels>
__global__ void __launch_bounds__(kProductThreads, kChannels == 64 ? 2 : 1) pixel_product_kernel(PixelProduct const p) {
    constexpr int kSteps = kChannels / 16, kPairs = kChannels / 64;  // of tiles: four warps share the columns
    constexpr int kGroups = kProductPixels / 16;
    using Stored = StoredLeft<Operand>[kGroups][kSteps];
    auto& shared = dynamic_shared<Stored>();
    int const warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
    int const g = lane / 4, t = lane % 4;
    std::int64_t const first = static_cast<std::int64_t>(blockIdx.x) * kProductPixels, count = p.x.count();
    std::int64_t const own = first + warp * 16 + g;
#pragma unroll 1
    for (int s = 0; s < kSteps; s += 4) {
        QuadAt at[8];
        float4 v[8];
#pragma unroll
        for (int i = 0; i < 8; ++i) {
            bool const exists = own + i % 2 * 8 < count;
            int const channel = 16 * (s + i / 2) + 4 * t;
            at[i] = {p.x.at(exists ? own + i % 2 * 8 : 0) + channel, exists ? p.x.c - channel : 0};
        }
        load_quads(v, at, p.x);
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            Quads quads;
            quads.set(0, v[2 * i]);
            quads.set(1, v[2 * i + 1]);
            shared[warp][s + i].set(lane, quads);
        }
    }
    __syncthreads();

    int const down = warp / 4 * 4, across = warp % 4 * kPairs;
    SumQuads sums[4][kPairs] = {};
    std::uint32_t const* const weights =
        p.weights + static_cast<std::int64_t>(across) * 2 * kSteps * kFragmentWords<Operand>;
#pragma unroll 2
    for (int s = 0; s < kSteps; ++s) {
        Left<Operand> left[4];
#pragma unroll
        for (int i = 0; i < 4; ++i) left[i] = shared[down + i][s].get(lane);
#pragma unroll
        for (int j = 0; j < 2 * kPairs; ++j) {
            Right<Operand> right;
            right.load(weights + (j * kSteps + s) * kFragmentWords<Operand>, lane);
#pragma unroll
            for (int i = 0; i < 4; ++i) multiply_add(sums[i][j / 2].tiles[j % 2], left[i], right);
        }
    }
    std::int64_t pixels[8];
    bool exists[8];
#pragma unroll
    for (int i = 0; i < 8; ++i) {
        std::int64_t const pixel = first + (down + i / 2) * 16 + i % 2 * 8 + g;
        exists[i] = pixel < count;
        pixels[i] = exists[i] ? pixel : 0;
    }
#pragma unroll
    for (int j = 0; j < kPairs; ++j) {
        int const channel = (across + j) * 16 + 4 * t;
        float4 const bias = load_some(p.bias + channel, p.bias == nullptr ? 0 : p.y.c - channel);
        float4 v[8];
#pragma unroll
        for (int i = 0; i < 8; ++i) v[i] = sums[i / 2][j].quad(i % 2) + bias;
        store_patch<8>(p.y, p.residual, pixels, exists, channel, v);
    }
}

constexpr int kNarrowWarps = 4, kNarrowChannels = 32;

/// The same for at most 32 channels of x and of y, where arithmetic is nothing beside the pixels: a warp has sixteen of
/// them in registers, with their residuals, and shares nothing. kSteps: of the weight.
template <class Operand, int kSteps>
__global__ void __launch_bounds__(kNarrowWarps * 32) narrow_product_kernel(PixelProduct const p) {
    constexpr int kOwnSteps = kNarrowChannels / 16;
    int const lane = static_cast<int>(threadIdx.x) % 32, t = lane % 4;
    std::int64_t const first =
        (static_cast<std::int64_t>(blockIdx.x) * kNarrowWarps + threadIdx.x / 32) * 16 + lane / 4;
    std::int64_t pixels[2];
    bool exists[2];
    QuadAt at[2 * kOwnSteps], residual_at[2 * kOwnSteps];
#pragma unroll
    for (int i = 0; i < 2 * kOwnSteps; ++i) {
        int const r = i % 2, channel = i / 2 * 16 + 4 * t;
        exists[r] = first + 8 * r < p.x.count();
        pixels[r] = exists[r] ? first + 8 * r : 0;
        at[i] = {p.x.at(pixels[r]) + channel, exists[r] ? p.x.c - channel : 0};
        residual_at[i] = {p.residual.at(pixels[r]) + channel, exists[r] ? p.y.c - channel : 0};
    }
    float4 v[2 * kOwnSteps], residual[2 * kOwnSteps] = {};
    load_quads(v, at, p.x);
    if (p.residual.data != nullptr) load_quads(residual, residual_at, p.residual);
    SumQuads sums[kOwnSteps] = {};
#pragma unroll
    for (int s = 0; s < kOwnSteps; ++s) {
        Quads quads;
        quads.set(0, v[2 * s]);
        quads.set(1, v[2 * s + 1]);
        Left<Operand> const left(quads);
#pragma unroll
        for (int j = 0; j < 2 * kOwnSteps; ++j) {
            Right<Operand> right;
            right.load(p.weights + (j * kSteps + s) * kFragmentWords<Operand>, lane);
            multiply_add(sums[j / 2].tiles[j % 2], left, right);
        }
    }
#pragma unroll
    for (int i = 0; i < 2 * kOwnSteps; ++i) {
        int const channel = i / 2 * 16 + 4 * t, left = p.y.c - channel;
        if (!exists[i % 2] || left <= 0) continue;
        float4 const bias = load_some(p.bias + channel, p.bias == nullptr ? 0 : left);
        store4(p.y.at(pixels[i % 2]) + channel, sums[i / 2].quad(i % 2) + bias + residual[i], left, p.y.vector);
    }
}

template <class Operand, int kChannels>
void launch_pixel_product(void* stream, PixelProduct const& product) {
    if (kChannels == 64 && std::max(product.x.c, product.y.c) <= kNarrowChannels) {
        constexpr int kPixels = 16 * kNarrowWarps;
        return start(stream, narrow_product_kernel<Operand, kChannels / 16>, divide_up(product.x.count(), kPixels),
                     kNarrowWarps * 32, product);
    }
    start_shared(stream, pixel_product_kernel<Operand, kChannels>, divide_up(product.x.count(), kProductPixels),
                 kProductThreads, sizeof(StoredLeft<Operand>) * (kProductPixels / 16) * (kChannels / 16), product);
}

}  // namespace vitrum::cuda
