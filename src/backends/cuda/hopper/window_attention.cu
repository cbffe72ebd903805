// SPDX-License-Identifier: Apache-2.0
#include "../fused_kernels.h"
#include "device.h"
#include "swin_attention.cuh"

namespace vitrum::cuda::hopper {
namespace {

using Op = WindowAttention;

template <class W>
struct Arguments {
    WindowTiles tiles;
    float const *x, *residual;  ///< null or another tensor; `residual_is_x` else
    float* y;
    bool residual_is_x;
    AttentionWeights<W> weights;
};

/// Shared memory: weights, keys and values of each warpgroup, its tile, vectors over channels, barriers.
template <class W, int kGroups, int kSlots>
struct Layout {
    using Qkv = Ring<kSlots, W::kHeads, W::kQkvBytes>;
    using Projection = Ring<kSlots, W::kHeads, W::kProjectionBytes>;
    using Compute = Attention<W, kGroups, Qkv, Projection>;
    using Mover = TileMover<W, WindowTile>;
    using V = AttentionVectors<W>;
    static constexpr int kProjection = Qkv::kBytes;
    static constexpr int kKeys = kProjection + Projection::kBytes;
    static constexpr int kTiles = kKeys + kGroups * 2 * Compute::kKeysBytes;
    static constexpr int kVectors = kTiles + kGroups * Mover::kTileBytes;
    static constexpr int kBarriers = kVectors + V::kFloats * 4;
    static constexpr int kBytes =
        kBarriers + Qkv::kBarrierBytes + Projection::kBarrierBytes + TileBarriers::kBytes * kGroups + 8;
    static constexpr int kThreads = (kGroups + 1) * kGroup;
    static_assert(kBytes <= 227 << 10 && (kGroups <= 2 || Qkv::kStay) && kGroups <= 4);
};

template <class W, int kGroups, int kSlots>
__global__ void __launch_bounds__(Layout<W, kGroups, kSlots>::kThreads, 1)
    window_attention_kernel(__grid_constant__ Arguments<W> const a) {
    using L = Layout<W, kGroups, kSlots>;
    auto& bytes = dynamic_shared<std::byte[L::kBytes]>();
    std::uint32_t const shared = shared_address(bytes);
    typename L::Qkv const qkv_ring(shared, shared + L::kBarriers);
    typename L::Projection const projection_ring(shared + L::kProjection, qkv_ring.empty + 8 * kSlots);
    TileBarriers const tiles{projection_ring.empty + 8 * kSlots};
    std::uint32_t const vectors_there = tiles.full(kGroups);
    let_next_start();
    if (threadIdx.x == 0) {
        qkv_ring.init(kGroups);
        projection_ring.init(kGroups);
        tiles.init(kGroups);
        init_barrier(vectors_there, 1);
        publish_barriers();
    }
    __syncthreads();

    int const group = __shfl_sync(0xFFFFFFFFU, static_cast<int>(threadIdx.x) / kGroup, 0);
    Rounds const rounds(a.tiles.count, kGroups);
    if (group == kGroups) {
        give_registers<kCopyRegisters>();
        int const warp = static_cast<int>(threadIdx.x) % kGroup / 32;
        if (warp == 0 && threadIdx.x % 32 == 0) {
            arrive_expecting(vectors_there, L::V::kFloats * 4);
            a.weights.load_vectors(shared + L::kVectors, vectors_there);
            qkv_ring.fill(a.weights.qkv, rounds.count);
        }
        if (warp == 1 && threadIdx.x % 32 == 0) projection_ring.fill(a.weights.projection, rounds.count);
        __syncwarp();
        int const g = kGroups <= 2 ? warp - 2 : (warp + 2) % 4;
        if (g >= 0 && g < kGroups) {
            typename L::Mover{shared + L::kTiles, tiles, a.x, a.y}.run(a.tiles, g, rounds);
        }
        return;
    }
    take_registers<compute_registers(kGroups)>();
    AttentionScales const scales = a.weights.scales();
    auto* const vectors = reinterpret_cast<float*>(&bytes[L::kVectors]);
    wait(vectors_there, 0);
    AllComputing const computing(kGroups);
    a.weights.scale_vectors(vectors, scales, computing);
    computing.sync();
    std::uint32_t const keys = shared + L::kKeys + group * 2 * L::Compute::kKeysBytes;
    typename L::Compute attention{
        qkv_ring, projection_ring,       keys, vectors, scales, a.weights.epsilon, a.residual_is_x, group,
        0,        Order<kGroups>(group), {}};
    auto* const stage = reinterpret_cast<float*>(&bytes[L::kTiles + group * L::Mover::kTileBytes]);
    int const done =
        each_tile<W, WindowTile>(a, stage, tiles, group, rounds, attention.lane,
                                 [&](Stream<W>& stream, WindowTile const& tile) { attention.window(stream, tile); });
    for (int round = done; round < rounds.count; ++round) {
        pass(qkv_ring, projection_ring, W::kHeads, attention.item, attention.lane, attention.order);
    }
}

template <class W, int kGroups, int kSlots>
void run(Op const& op, Launch const& launch) {
    using L = Layout<W, kGroups, kSlots>;
    auto const in = launch.inputs;
    Pixels const x(in[Op::kX]), y(launch.outputs[0]), residual(in[Op::kResidual]);
    VITRUM_ASSERT(x.stride == W::kColumns && y.stride == W::kColumns);  // tokens are copied as they lie
    Arguments<W> const arguments{.tiles = {x, op.shift},
                                 .x = x.data,
                                 .residual = residual.data,
                                 .y = y.data,
                                 .residual_is_x = residual.data == x.data,
                                 .weights = {op, launch.packed.data()}};
    int const blocks = std::min(multiprocessors(), arguments.tiles.count);
    start_shared<Start::early>(launch.stream, window_attention_kernel<W, kGroups, kSlots>, blocks, L::kThreads,
                               L::kBytes, arguments);
}

}  // namespace
}  // namespace vitrum::cuda::hopper

namespace vitrum::cuda {

void HopperWindowAttentionKernel::launch(Op const& op, Launch const& launch) {
    if (launch.inputs[Op::kX].shape[3] == SwinMedium::kChannels) hopper::run<SwinMedium, 2, 2>(op, launch);
    else hopper::run<SwinSmall, 4, SwinSmall::kHeads>(op, launch);
}

}  // namespace vitrum::cuda
