// SPDX-License-Identifier: Apache-2.0
// A whole Swin layer in one launch: behind its attention a window's tokens are a tile of the Mlp, and stay in the
// registers that hold them. That saves half of the loads, stores, launches and ends of two kernels.
#include "../fused_kernels.h"
#include "device.h"
#include "swin_attention.cuh"
#include "swin_feedforward.cuh"

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

/// Weights of both halves in one ring, in slots of what is needed together: a head's q, k and v with the projection of
/// the head before it, a chunk's first product with the second one of the chunk before it, and between the halves the
/// last projection with the first chunk. Each part of a slot is released by itself.
template <class W, int kGroups>
struct LayerRing {
    static constexpr int kItems = W::kHeads + W::kChunks + 1;  ///< of a tile
    static constexpr int kSlotBytes = std::max(W::kQkvBytes + W::kProjectionBytes, W::kFc1Bytes + W::kFc2Bytes);
    static_assert(W::kFc1Bytes <= W::kQkvBytes);
    using Slots = Ring<2, kItems, kSlotBytes>;
    Slots slots;

    __device__ explicit LayerRing(std::uint32_t at, std::uint32_t barriers) : slots(at, barriers) {}
    __device__ void init() const { slots.init(2 * kGroups); }

    struct Moving {
        static constexpr bool kStay = false;
    };
    /// What is named by an item lies in the slot `kBehind` further on.
    template <int kBehind, int kOffset>
    struct Part : Moving {
        Slots slots;

        __device__ Part(Slots const& of) : slots(of) {}

        [[nodiscard]] __device__ std::uint32_t slot(int item) const { return slots.slot(item + kBehind) + kOffset; }
        __device__ void wait_full(int item) const { slots.wait_full(item + kBehind); }
        __device__ void release(int item, Lane const& lane) const { slots.release(item + kBehind, lane); }
    };
    using Qkv = Part<0, 0>;
    using Projection = Part<1, W::kQkvBytes>;
    using Fc1 = Part<0, 0>;
    using Fc2 = Part<1, W::kFc1Bytes>;

    /// By one thread.
    __device__ void fill(Arguments<W> const& a, int rounds) const {
        int item = 0;
        for (int round = 0; round < rounds; ++round) {
            for (int i = 0; i < kItems; ++i, ++item) {
                int const chunk = i - W::kHeads;
                std::uint32_t const barrier = slots.begin_fill(item, first_bytes(i) + second_bytes(i));
                std::uint32_t const at = slots.slot(item);
                if (chunk < 0) load_bulk(at, a.attention.qkv + i * W::kQkvBytes, W::kQkvBytes, barrier);
                else if (chunk < W::kChunks)
                    load_bulk(at, a.feedforward.fc1 + chunk * W::kFc1Bytes, W::kFc1Bytes, barrier);
                if (chunk > 0) {
                    load_bulk(at + W::kFc1Bytes, a.feedforward.fc2 + (chunk - 1) * W::kFc2Bytes, W::kFc2Bytes, barrier);
                } else if (i > 0) {
                    load_bulk(at + W::kQkvBytes, a.attention.projection + (i - 1) * W::kProjectionBytes,
                              W::kProjectionBytes, barrier);
                }
            }
        }
    }
    /// A round without a tile.
    template <class Order>
    __device__ void pass(int& item, Lane const& lane, Order const& order) const {
        for (int i = 0; i < kItems; ++i, ++item) {
            slots.wait_full(item);
            if (i < kItems - 1) order.await(), order.pass_on();
            __syncwarp();
            slots.release(item, lane);
            slots.release(item, lane);
        }
    }

private:
    [[nodiscard]] __device__ static int first_bytes(int i) {
        return i < W::kHeads ? W::kQkvBytes : i < W::kHeads + W::kChunks ? W::kFc1Bytes : 0;
    }
    [[nodiscard]] __device__ static int second_bytes(int i) {
        return i == 0 ? 0 : i <= W::kHeads ? W::kProjectionBytes : W::kFc2Bytes;
    }
};

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
            weights.fill(a, rounds.count);
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
    a.attention.scale_vectors(first_vectors, first_scales, kGroups * kGroup);
    a.feedforward.scale_vectors(second_vectors, second_scales, kGroups * kGroup);
    named_barrier(kAllComputing, kGroups * kGroup);
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
    // Every other layer goes from the end to the begin: what the one before wrote last is still in the cache.
    Arguments<W> const arguments{.tiles = {x, attention.shift, attention.shift > 0},
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

void HopperSwinLayerKernel::launch(Op const& attention, Launch const& of_attention, Op const& mlp,
                                   Launch const& of_mlp) {
    hopper::run<SwinMedium, 2>(*std::get_if<WindowAttention>(&attention), of_attention, *std::get_if<Mlp>(&mlp),
                               of_mlp);
}

}  // namespace vitrum::cuda
