// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pixel_sums.cuh"

namespace vitrum::cuda {

/// y = W·x + bias + residual at each pixel. x may be y: a warp reads its pixels before it writes them.
struct PixelProduct {
    Pixels x, y;
    Matrix residual;
    uint4 const* weights;  ///< see PixelWeights
    float const* inverse_scale;
    float const* bias;  ///< null: none
};

/// kSteps: of 16 channels of x, and as many pairs of column tiles. A warp has sixteen pixels.
template <int kSteps_>
struct PixelTile {
    static constexpr int kSteps = kSteps_, kParts = 2;
    static constexpr int kWarps = 4, kThreads = kWarps * 32, kPixels = kWarps * 16;
    static constexpr int kAhead = kSteps == 4 ? 4 : 2;   ///< steps of x under way
    static constexpr int kBlocks = kSteps <= 4 ? 5 : 3;  ///< of a multiprocessor
};

template <class Tile>
__global__ void __launch_bounds__(Tile::kThreads, Tile::kBlocks)
    pixel_product_kernel(__grid_constant__ PixelProduct const p) {
    constexpr int kLoads = Tile::kAhead * 2;
    int const warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
    int const g = lane / 4, t = lane % 4;
    std::int64_t const first = static_cast<std::int64_t>(blockIdx.x) * Tile::kPixels + warp * 16;
    std::int64_t pixels[2];
    bool exists[2];
#pragma unroll
    for (int i = 0; i < 2; ++i) {
        exists[i] = first + 8 * i + g < p.x.count();
        pixels[i] = exists[i] ? first + 8 * i + g : 0;
    }
    auto const load = [&](int step, float4(&to)[kLoads]) {
        QuadAt at[kLoads];
#pragma unroll
        for (int i = 0; i < kLoads; ++i) {
            int const channel = 16 * (step + i / 2) + 4 * t;
            at[i] = {p.x.at(pixels[i % 2]) + channel, exists[i % 2] ? p.x.c - channel : 0};
        }
        load_quads(to, at, p.x);
    };
    SumQuads sums[1][Tile::kSteps] = {};
    float scale = 0;
    float4 next[kLoads];
    load(0, next);
#pragma unroll 1
    for (int step = 0; step < Tile::kSteps; step += Tile::kAhead) {
        float largest = 0;
#pragma unroll
        for (float4 const& v : next) largest = fmaxf(largest, largest_of(v));
        fit_scale(scale, largest, [&](float factor) { multiply_sums(sums, factor); });
        SplitLeft<Tile::kParts> left[Tile::kAhead];
#pragma unroll
        for (int i = 0; i < kLoads; ++i) left[i / 2].set_quad(i % 2, next[i], scale);
        if (step + Tile::kAhead < Tile::kSteps) load(step + Tile::kAhead, next);
#pragma unroll
        for (int s = 0; s < Tile::kAhead; ++s) {
            uint4 const* const weights = p.weights + (step + s) * Tile::kSteps * Tile::kParts * kWarpLanes + lane;
#pragma unroll
            for (int u = 0; u < Tile::kSteps; ++u) {
                SplitRight<Tile::kParts> const w(weights + u * Tile::kParts * kWarpLanes, kWarpLanes);
                multiply_add(sums[0][u].tiles[0], sums[0][u].tiles[1], left[s], w);
            }
        }
    }
    store_sums(sums, *p.inverse_scale / scale, p.bias, p.y, p.residual, pixels, exists, t);
}

template <class Tile>
void launch_pixel_product(void* stream, PixelProduct const& product) {
    start(stream, pixel_product_kernel<Tile>, divide_up(product.x.count(), Tile::kPixels), Tile::kThreads, product);
}

}  // namespace vitrum::cuda
