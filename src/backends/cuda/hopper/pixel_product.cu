// SPDX-License-Identifier: Apache-2.0
#include "pixel_product.h"

#include "../elan_layout.h"
#include "../fused_kernels.h"
#include "../kernels/elan/brain_pairs.cuh"
#include "../kernels/elan/fetch_quads.cuh"
#include "tiles.cuh"

// Products at each pixel in operands of two bfloat16. A warpgroup has 64 pixels, whose channels and residuals are all
// on their way before the first product.

namespace vitrum::cuda::hopper {
namespace {

struct PixelThread {
    static constexpr int kBlocks = 4;  ///< of a multiprocessor
    static constexpr int kDepth = PixelOperand::kDepth, kQuads = kDepth / 8, kPartBytes = PixelOperand::kPartHalves * 2;
    struct Shared {
        alignas(128) std::byte weights[PixelOperand::kParts * kPartBytes];
        float4 bias[kDepth / 4];
    };

    PixelProduct const& p;
    Shared& shared;
    Lane lane;

    __device__ void run() {
        let_next_start();
        fetch_weights();
        await_previous();
        std::int64_t pixels[2];
        bool exists[2];
#pragma unroll
        for (int r = 0; r < 2; ++r) {
            std::int64_t const pixel =
                static_cast<std::int64_t>(blockIdx.x) * kGroup / 2 + 16 * lane.warp + lane.row + 8 * r;
            exists[r] = pixel < p.x.count();
            pixels[r] = exists[r] ? pixel : 0;
        }
        float4 x[kQuads], added[kQuads];
        fetch(p.x, p.x.c, pixels, x);
        if (p.residual.data != nullptr) {
            fetch(p.residual, p.y.c, pixels, added);
        } else {
#pragma unroll
            for (float4& v : added) v = make_float4(0, 0, 0, 0);
        }
        std::uint32_t high[kDepth / 4], low[kDepth / 4];
        split(x, high, low);
        wait_for_copies<0>();
        fence_shared();
        __syncthreads();
        float sums[kDepth / 2];
        multiply(high, low, sums);
        store(sums, added, pixels, exists);
    }

private:
    __device__ void fetch_weights() const {
        int const thread = static_cast<int>(threadIdx.x);
        copy_block_async<kGroup>(shared.weights, p.weights, PixelOperand::kParts * kPartBytes);
        int const left = thread < kDepth / 4 && p.bias != nullptr ? p.y.c - 4 * thread : 0;
        if (thread < kDepth / 4) shared.bias[thread] = load_some(p.bias + 4 * thread, left);
    }
    /// Quad 2 k + r: channels 16 k + 4 · quad … of row r; the pixel's first ones where it has not so many.
    __device__ void fetch(Matrix const& from, int channels, std::int64_t const (&pixels)[2],
                          float4 (&to)[kQuads]) const {
        QuadAt at[kQuads];
#pragma unroll
        for (int i = 0; i < kQuads; ++i) {
            int const channel = 16 * (i / 2) + 4 * lane.quad;
            at[i] = {from.at(pixels[i % 2]) + (channel < channels ? channel : 0), 4};
        }
        fetch_quads(to, at, from);
    }
    __device__ void split(float4 const (&x)[kQuads], std::uint32_t (&high)[kDepth / 4],
                          std::uint32_t (&low)[kDepth / 4]) const {
#pragma unroll
        for (int i = 0; i < kQuads; ++i) {
            bool const is_channel = 16 * (i / 2) + 4 * lane.quad < p.x.c;
            float4 const v = each(x[i], [&](float value, int) { return is_channel ? value : 0.0F; });
            BrainPair const a(v.x, v.y), b(v.z, v.w);
            int const at = i / 2 * 4 + i % 2;
            high[at] = a.high, high[at + 2] = b.high, low[at] = a.low, low[at + 2] = b.low;
        }
    }
    __device__ void multiply(std::uint32_t (&high)[kDepth / 4], std::uint32_t (&low)[kDepth / 4],
                             float (&sums)[kDepth / 2]) const {
        std::uint32_t const weights = shared_address(shared.weights);
        auto const begin = [&](std::uint32_t const* left, std::uint32_t right, bool add) {
            begin_products<kDepth, kDepth / 16, kDepth, Bf16>(sums, left, right, add);
        };
        fence_products();
        begin(low, weights, false);
        begin(high, weights + kPartBytes, true);
        begin(high, weights, true);
        commit_products();
        wait_for_products<0>();
        settle(sums);
        settle(high);
        settle(low);
    }
    __device__ void store(float const (&sums)[kDepth / 2], float4 const (&added)[kQuads],
                          std::int64_t const (&pixels)[2], bool const (&exists)[2]) const {
#pragma unroll
        for (int i = 0; i < kQuads; ++i) {
            int const r = i % 2, channel = 16 * (i / 2) + 4 * lane.quad;
            if (!exists[r] || channel >= p.y.c) continue;
            float const* const s = sums + 8 * (i / 2) + 2 * r;
            float4 const v = make_float4(s[0], s[1], s[4], s[5]) + shared.bias[channel / 4] + added[i];
            store4(p.y.at(pixels[r]) + channel, v, 4, p.y.vector);
        }
    }
};

__global__ void __launch_bounds__(kGroup, PixelThread::kBlocks)
    pixel_product_kernel(__grid_constant__ PixelProduct const product) {
    PixelThread{product, dynamic_shared<PixelThread::Shared>(), {}}.run();
}

}  // namespace

void launch_pixel_product(void* stream, PixelProduct const& product) {
    start_shared<Start::early>(stream, pixel_product_kernel, divide_up(product.x.count(), kGroup / 2), kGroup,
                               sizeof(PixelThread::Shared), product);
}

}  // namespace vitrum::cuda::hopper

namespace vitrum::cuda {

void HopperPixelConvKernel::launch(Conv2d const&, Launch const& launch) {
    auto const in = launch.inputs;
    hopper::launch_pixel_product(launch.stream,
                                 {Pixels(in[Conv2d::kX]), Pixels(launch.outputs[0]), Pixels(in[Conv2d::kResidual]),
                                  launch.packed[0], floats(in[Conv2d::kBias])});
}

}  // namespace vitrum::cuda
