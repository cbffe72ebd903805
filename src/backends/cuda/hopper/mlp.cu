// SPDX-License-Identifier: Apache-2.0
#include "../fused_kernels.h"
#include "../kernels/gelu_for_operands.cuh"
#include "device.h"
#include "tiles.cuh"

namespace vitrum::cuda::hopper {
namespace {

/// Tokens from the end of memory to its begin, tile by tile: what the operator before wrote last is still in the cache.
/// The tile at the end may be short.
struct RowTiles {
    std::int64_t rows;
    int count;

    [[nodiscard]] __device__ int tokens(int tile) const {
        return static_cast<int>(min(static_cast<std::int64_t>(kTokens), rows - pixel(tile, 0)));
    }
    [[nodiscard]] __device__ std::int64_t pixel(int tile, int token) const {
        return static_cast<std::int64_t>(count - 1 - tile) * kTokens + token;
    }
};

struct Arguments {
    RowTiles tiles;
    float const *x, *residual;  ///< null or another tensor; `residual_is_x` else
    float* y;
    bool residual_is_x;
    std::byte const *fc1, *fc2;  ///< packed
    float const *fc1_bias, *fc2_bias, *norm_weight, *norm_bias;
    float epsilon;
};

/// Shared memory: weights, a tile of each warpgroup, vectors over channels, barriers.
template <class W, int kGroups, int kSlots>
struct Layout {
    using Fc1 = Ring<kSlots, W::kChunks, W::kDepth * W::kChunk * 2>;
    using Fc2 = Ring<kSlots, W::kChunks, W::kChunk * W::kColumns * 2>;
    static constexpr int kFc2 = Fc1::kBytes;
    static constexpr int kTiles = kFc2 + Fc2::kBytes;
    static constexpr int kVectors = kTiles + kGroups * TileMover<W>::kTileBytes;
    static constexpr int kHiddenFloats = W::kChunks * W::kChunk;
    static constexpr int kFirstNormFloat = kHiddenFloats + W::kColumns;
    static constexpr int kVectorFloats = kHiddenFloats + 3 * W::kColumns;
    static constexpr int kBarriers = kVectors + kVectorFloats * 4;
    static constexpr int kBytes = kBarriers + Fc1::kBarrierBytes + Fc2::kBarrierBytes + TileBarriers::kBytes * kGroups;
    static constexpr int kThreads = (kGroups + 1) * kGroup;
    static_assert(kBytes <= 227 << 10 && (kGroups <= 2 || Fc1::kStay) && kGroups <= 4);

    /// The vectors one behind the other: biases of fc1 and fc2, the norm's weight and bias,
    /// which are multiplied later.
    [[nodiscard]] __device__ static float vector_value(Arguments const& a, int i) {
        if (i < kHiddenFloats) return value_or_zero(a.fc1_bias, i, W::kHidden);
        int const which = (i - kHiddenFloats) / W::kColumns, channel = (i - kHiddenFloats) % W::kColumns;
        if (which == 0) return value_or_zero(a.fc2_bias, channel, W::kChannels);
        return value_or_zero(which == 1 ? a.norm_weight : a.norm_bias, channel, W::kChannels);
    }
};

/// One computing warpgroup.
template <class W, int kGroups, int kSlots>
struct Feedforward {
    using L = Layout<W, kGroups, kSlots>;
    Arguments const& a;
    typename L::Fc1 fc1_ring;
    typename L::Fc2 fc2_ring;
    float const *fc1_bias, *fc2_bias, *norm_weight, *norm_bias;  ///< in shared memory
    int item;
    Lane lane;

    /// stream = x + fc2(gelu(fc1(norm(x)))), or without x.
    __device__ void tile(Stream<W>& stream) {
        std::uint32_t x[W::kDepth / 4];
        stream.normalised(norm_weight, norm_bias, a.epsilon, lane.quad, x);
        if (!a.residual_is_x) stream.clear();
        stream.add(fc2_bias, lane.quad);
        if (L::Fc1::kStay) item = 0;
        // Unrolled where there are two: as a loop, ptxas 13.0 keeps x and `hidden` in the same registers (seen in
        // SASS), and the second chunk is garbage.
        constexpr int kUnrolled = W::kChunks == 2 ? 2 : 1;
#pragma unroll kUnrolled
        for (int chunk = 0; chunk < W::kChunks; ++chunk, ++item) {
            float sums[W::kChunk / 2];
            fc1_ring.wait_full(item);
            fence_products();
            begin_products<W::kChunk, W::kDepth / 16>(sums, x, fc1_ring.slot(item), false);
            commit_products();
            wait_for_products<0>();
            settle(sums);
            fc1_ring.release(item, lane);
            std::uint32_t hidden[W::kChunk / 4];
            float const* const bias = fc1_bias + chunk * W::kChunk + 2 * lane.quad;
#pragma unroll
            for (int i = 0; i < W::kChunk / 4; ++i) {
                float2 const b = *reinterpret_cast<float2 const*>(bias + i / 2 * 8);
                hidden[i] = Fp16::pack(gelu_by_tanh(fmaf(sums[2 * i], kOverNormFactor, b.x)),
                                       gelu_by_tanh(fmaf(sums[2 * i + 1], kOverNormFactor, b.y)));
            }
            fc2_ring.wait_full(item);
            fence_products();
            begin_products<W::kColumns, W::kChunk / 16>(stream.v, hidden, fc2_ring.slot(item), true);
            commit_products();
            wait_for_products<0>();
            settle(hidden);
            fc2_ring.release(item, lane);
        }
        settle(stream.v);
        settle(x);
    }
};

template <class W, int kGroups, int kSlots>
__global__ void __launch_bounds__(Layout<W, kGroups, kSlots>::kThreads, 1)
    mlp_kernel(__grid_constant__ Arguments const a) {
    using L = Layout<W, kGroups, kSlots>;
    auto& bytes = dynamic_shared<std::byte[L::kBytes]>();
    std::uint32_t const shared = shared_address(bytes);
    typename L::Fc1 const fc1_ring(shared, shared + L::kBarriers);
    typename L::Fc2 const fc2_ring(shared + L::kFc2, fc1_ring.empty + 8 * kSlots);
    TileBarriers const tiles{fc2_ring.empty + 8 * kSlots};
    auto* const fc1_bias = reinterpret_cast<float*>(&bytes[L::kVectors]);
    float *const fc2_bias = fc1_bias + L::kHiddenFloats, *const norm_weight = fc2_bias + W::kColumns;
    float* const norm_bias = norm_weight + W::kColumns;
    if (threadIdx.x == 0) {
        fc1_ring.init(kGroups);
        fc2_ring.init(kGroups);
        tiles.init(kGroups);
        publish_barriers();
    }
    VectorsInFlight<L::kVectorFloats, kGroups * kGroup> vectors;
    vectors.fetch([&](int i) { return L::vector_value(a, i); });
    __syncthreads();

    int const group = __shfl_sync(0xFFFFFFFFU, static_cast<int>(threadIdx.x) / kGroup, 0);
    Rounds const rounds(a.tiles.count, kGroups);
    if (group == kGroups) {
        give_registers<kCopyRegisters>();
        int const warp = static_cast<int>(threadIdx.x) % kGroup / 32;
        if (warp == 0 && threadIdx.x % 32 == 0) fc1_ring.fill(a.fc1, nullptr, rounds.count);
        if (warp == 1 && threadIdx.x % 32 == 0) fc2_ring.fill(a.fc2, nullptr, rounds.count);
        __syncwarp();
        int const g = kGroups <= 2 ? warp - 2 : (warp + 2) % 4;
        if (g >= 0 && g < kGroups) {
            TileMover<W>{shared + L::kTiles, tiles, a.x, a.y}.run(a.tiles, g, rounds);
        }
        return;
    }
    take_registers<compute_registers(kGroups)>();
    vectors.write(fc1_bias, L::kFirstNormFloat, kNormFactor);
    Feedforward<W, kGroups, kSlots> feedforward{a,           fc1_ring,  fc2_ring, fc1_bias, fc2_bias,
                                                norm_weight, norm_bias, 0,        {}};
    auto* const stage = reinterpret_cast<float*>(&bytes[L::kTiles + group * TileMover<W>::kTileBytes]);
    int const done = each_tile<W>(a, stage, tiles, group, rounds, feedforward.lane,
                                  [&](Stream<W>& stream, int) { feedforward.tile(stream); });
    for (int round = done; round < rounds.count; ++round) {
        pass(fc1_ring, fc2_ring, W::kChunks, feedforward.item, feedforward.lane);
    }
}

template <class W, int kGroups, int kSlots>
void run(Arguments const& arguments, Launch const& launch) {
    using L = Layout<W, kGroups, kSlots>;
    std::int64_t const blocks = std::min<std::int64_t>(multiprocessors(), divide_up(arguments.tiles.count, kGroups));
    start_shared(launch.stream, mlp_kernel<W, kGroups, kSlots>, blocks, L::kThreads, L::kBytes, arguments);
}

}  // namespace
}  // namespace vitrum::cuda::hopper

namespace vitrum::cuda {

void HopperMlpKernel::launch(Mlp const& op, Launch const& launch) {
    auto const in = launch.inputs;
    Pixels const x(in[Mlp::kX]), y(launch.outputs[0]), residual(in[Mlp::kResidual]);
    hopper::Arguments const arguments{.tiles = {x.count(), static_cast<int>(divide_up(x.count(), hopper::kTokens))},
                                      .x = x.data,
                                      .residual = residual.data,
                                      .y = y.data,
                                      .residual_is_x = residual.data == x.data,
                                      .fc1 = launch.packed[0],
                                      .fc2 = launch.packed[1],
                                      .fc1_bias = floats(in[Mlp::kFc1Bias]),
                                      .fc2_bias = floats(in[Mlp::kFc2Bias]),
                                      .norm_weight = floats(in[Mlp::kNormWeight]),
                                      .norm_bias = floats(in[Mlp::kNormBias]),
                                      .epsilon = op.norm_epsilon};
    if (x.c == SwinMedium::kChannels) hopper::run<SwinMedium, 2, 2>(arguments, launch);
    else hopper::run<SwinSmall, 4, SwinSmall::kChunks>(arguments, launch);
}

}  // namespace vitrum::cuda
