// SPDX-License-Identifier: Apache-2.0
// A whole Swin layer in one launch: behind its attention a window's tokens are a tile of the Mlp, and stay in the
// registers that hold them. That saves half of the loads, stores, launches and ends of two kernels.
#include "../fused_kernels.h"
#include "device.h"
#include "swin_layer_ring.cuh"

namespace vitrum::cuda::hopper {
namespace {

template <class W>
struct Arguments {
    WindowTiles tiles;
    float const* x;
    float* y;
    AttentionWeights<W> attention;
    FeedforwardWeights<W> feedforward;
    // Both halves are added to what they read.
    static constexpr bool residual_is_x = true;
    static constexpr float const* residual = nullptr;
};

/// By one thread: the weights of every round.
template <class W, int kGroups>
__device__ void fill(LayerRing<W, kGroups> const& ring, Arguments<W> const& a, int rounds) {
    using Ring = LayerRing<W, kGroups>;
    int item = 0;
    for (int round = 0; round < rounds; ++round) {
        for (int i = 0; i < Ring::kItems; ++i, ++item) ring.fill_slot(a, item, i, ring.begin_fill(item, i));
    }
}

/// Shared memory: weights, keys and values of each warpgroup, its tile, vectors over channels, barriers.
template <class W, int kGroups>
struct Layout {
    using Weights = LayerRing<W, kGroups>;
    using First = Attention<W, kGroups, typename Weights::Qkv, typename Weights::Projection>;
    using Second = Feedforward<W, kGroups, typename Weights::Fc1, typename Weights::Fc2>;
    using Mover = TileMover<W, WindowTile>;
    static constexpr int kKeys = Weights::Slots::kBytes;
    static constexpr int kTiles = kKeys + kGroups * 2 * First::kKeysBytes;
    static constexpr int kFirstVectors = kTiles + kGroups * Mover::kTileBytes;
    static constexpr int kSecondVectors = kFirstVectors + First::V::kFloats * 4;
    static constexpr int kBarriers = kSecondVectors + Second::V::kFloats * 4;
    static constexpr int kBytes = kBarriers + Weights::Slots::kBarrierBytes + TileBarriers::kBytes * kGroups + 8;
    static constexpr int kThreads = (kGroups + 1) * kGroup;
    static_assert(kBytes <= 227 << 10 && kGroups == 2);
};

template <class W, int kGroups>
__global__ void __launch_bounds__(Layout<W, kGroups>::kThreads, 1)
    swin_layer_kernel(__grid_constant__ Arguments<W> const a) {
    using L = Layout<W, kGroups>;
    auto& bytes = dynamic_shared<std::byte[L::kBytes]>();
    std::uint32_t const shared = shared_address(bytes);
    typename L::Weights const weights(shared, shared + L::kBarriers);
    TileBarriers const tiles{shared + L::kBarriers + L::Weights::Slots::kBarrierBytes};
    std::uint32_t const vectors_there = tiles.full(kGroups);
    let_next_start();
    if (threadIdx.x == 0) {
        weights.init();
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
            arrive_expecting(vectors_there, (L::First::V::kFloats + L::Second::V::kFloats) * 4);
            a.attention.load_vectors(shared + L::kFirstVectors, vectors_there);
            a.feedforward.load_vectors(shared + L::kSecondVectors, vectors_there);
            fill(weights, a, rounds.count);
        }
        __syncwarp();
        if (warp >= 2) typename L::Mover{shared + L::kTiles, tiles, a.x, a.y}.run(a.tiles, warp - 2, rounds);
        return;
    }
    take_registers<compute_registers(kGroups)>();
    AttentionScales const first_scales = a.attention.scales();
    HalfBlockScales const second_scales = a.feedforward.scales();
    auto* const first_vectors = reinterpret_cast<float*>(&bytes[L::kFirstVectors]);
    auto* const second_vectors = reinterpret_cast<float*>(&bytes[L::kSecondVectors]);
    wait(vectors_there, 0);
    AllComputing const computing(kGroups);
    a.attention.scale_vectors(first_vectors, first_scales, computing);
    a.feedforward.scale_vectors(second_vectors, second_scales, computing);
    computing.sync();
    std::uint32_t const keys = shared + L::kKeys + group * 2 * L::First::kKeysBytes;
    Order<kGroups> const order(group);
    typename L::First attention{{weights.slots},
                                {weights.slots},
                                keys,
                                first_vectors,
                                first_scales,
                                a.attention.epsilon,
                                true,
                                group,
                                0,
                                order,
                                {}};
    typename L::Second feedforward{
        {weights.slots}, {weights.slots}, second_vectors, second_scales, a.feedforward.epsilon, true, 0, order, {}};
    auto* const stage = reinterpret_cast<float*>(&bytes[L::kTiles + group * L::Mover::kTileBytes]);
    int const done = each_tile<W, WindowTile>(a, stage, tiles, group, rounds, attention.lane,
                                              [&](Stream<W>& stream, WindowTile const& tile) {
                                                  // The first slot holds no projection, the last one no first product.
                                                  attention.qkv_ring.wait_full(attention.item);
                                                  attention.projection_ring.release(attention.item - 1, attention.lane);
                                                  attention.window(stream, tile);
                                                  feedforward.item = attention.item;
                                                  feedforward.tile(stream);
                                                  feedforward.fc1_ring.release(feedforward.item, feedforward.lane);
                                                  attention.item = feedforward.item + 1;
                                              });
    for (int round = done; round < rounds.count; ++round) weights.pass(attention.item, attention.lane, order);
}

template <class W, int kGroups>
void run(WindowAttention const& attention, Launch const& of_attention, Mlp const& mlp, Launch const& of_mlp) {
    using L = Layout<W, kGroups>;
    Pixels const x(of_attention.inputs[WindowAttention::kX]), y(of_mlp.outputs[0]);
    VITRUM_ASSERT(x.stride == W::kColumns && y.stride == W::kColumns);  // tokens are copied as they lie
    WindowTiles tiles(x, attention.shift);
    // Every other layer goes from the end to the begin: what the one before wrote last is still in the cache.
    tiles.backwards = attention.shift > 0;
    Arguments<W> const arguments{.tiles = tiles,
                                 .x = x.data,
                                 .y = y.data,
                                 .attention = {attention, of_attention.packed.data()},
                                 .feedforward = {mlp, of_mlp.packed.data()}};
    int const blocks = std::min(multiprocessors(), arguments.tiles.count);
    start_shared<Start::early>(of_attention.stream, swin_layer_kernel<W, kGroups>, blocks, L::kThreads, L::kBytes,
                               arguments);
}

}  // namespace
}  // namespace vitrum::cuda::hopper

namespace vitrum::cuda {

void HopperSwinLayersKernel::launch_one(OpLaunch const& attention, OpLaunch const& mlp) {
    hopper::run<SwinMedium, 2>(*std::get_if<WindowAttention>(attention.op), *attention.launch,
                               *std::get_if<Mlp>(mlp.op), *mlp.launch);
}

}  // namespace vitrum::cuda
