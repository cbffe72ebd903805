// SPDX-License-Identifier: Apache-2.0
// Several whole Swin layers in one launch (see swin_layer.cu), without the starts and ends of kernels, which take 9 µs
// and leave half of the GPU idle in a layer's last round of tiles.
#include "../fused_kernels.h"
#include "device.h"
#include "swin_chain.cuh"
#include "swin_layer_ring.cuh"

namespace vitrum::cuda::hopper {
namespace {

/// Both halves are added to what they read.
template <class W>
struct Layer {
    WindowTiles tiles;
    AttentionWeights<W> attention;
    FeedforwardWeights<W> feedforward;
};

template <class W>
struct Arguments {
    Chain chain;
    float const* x;  ///< of the first layer; the others read what is to become y
    float* y;
    Layer<W> layers[ChainWords::kMostLayers];
};

/// By one thread.
template <class W, int kGroups>
__device__ void fill(LayerRing<W, kGroups> const& ring, Arguments<W> const& a, Tickets const& tickets,
                     std::uint32_t second_unused) {
    using Ring = LayerRing<W, kGroups>;
    for (int round = 0, item = 0, before = -1;; ++round) {
        Turn const turn(tickets.read_by_thread(round), 0);
        if (turn.is_over()) return;
        for (int i = 0; i < Ring::kItems; ++i, ++item) {
            std::uint32_t const barrier = ring.begin_fill(item, i);
            // By now all have emptied this round's first slot, and so have done with the round before.
            if (i == 2 && turn.layer != before) arrive(second_unused);
            ring.fill_slot(a.layers[turn.layer], item, i, barrier);
        }
        before = turn.layer;
    }
}

/// Shared memory: weights, keys and values of each warpgroup, its tile, vectors over channels, tickets, barriers.
template <class W, int kGroups>
struct Layout {
    using Weights = LayerRing<W, kGroups>;
    using First = Attention<W, kGroups, typename Weights::Qkv, typename Weights::Projection>;
    using Second = Feedforward<W, kGroups, typename Weights::Fc1, typename Weights::Fc2>;
    using Mover = ChainMover<W, Arguments<W>>;
    using Vectors = ChainVectors<W>;
    static constexpr int kKeys = Weights::Slots::kBytes;
    static constexpr int kTiles = kKeys + kGroups * 2 * First::kKeysBytes;
    static constexpr int kVectors = kTiles + kGroups * Mover::kTileBytes;
    static constexpr int kWords = kVectors + static_cast<int>(round_up(sizeof(typename Vectors::Memory), 16));
    static constexpr int kBarriers = kWords + (Tickets::kSlots + kGroups) / 2 * 8;
    static constexpr int kOfTickets = kBarriers + Weights::Slots::kBarrierBytes;
    static constexpr int kOfVectors = kOfTickets + Tickets::kBarrierBytes;
    static constexpr int kOfTiles = kOfVectors + Vectors::kBarrierBytes;
    static constexpr int kBytes = kOfTiles + ChainBarriers::kBytes * kGroups;
    static constexpr int kThreads = (kGroups + 1) * kGroup;
    /// The warp that fills the ring, that of the vectors, the second mover and the warps that compute.
    static constexpr int kTicketReaders = 3 + 4 * kGroups;
    static_assert(kBytes <= 227 << 10 && kGroups == 2 && (Tickets::kSlots + kGroups) % 2 == 0);
};

/// What the threads of a block share.
template <class W, int kGroups>
struct Shared {
    using L = Layout<W, kGroups>;
    std::byte* bytes;
    std::uint32_t address = shared_address(bytes);
    typename L::Weights weights{address, address + L::kBarriers};
    Tickets tickets{reinterpret_cast<int*>(bytes + L::kWords), address + L::kOfTickets};
    ChainBarriers tiles{address + L::kOfTiles, tickets.slots + Tickets::kSlots};
    typename L::Vectors vectors{*reinterpret_cast<typename L::Vectors::Memory*>(bytes + L::kVectors),
                                address + L::kOfVectors};

    __device__ void init() const {
        weights.init();
        tickets.init(L::kTicketReaders);
        tiles.init(kGroups);
        vectors.init();
        publish_barriers();
    }
};

/// The warpgroup that brings what the others need.
template <class W, int kGroups>
__device__ void bring(Arguments<W> const& a, Shared<W, kGroups> const& shared) {
    using L = Layout<W, kGroups>;
    int const warp = static_cast<int>(threadIdx.x) % kGroup / 32, group = warp - 2;
    if (warp == 0 && threadIdx.x % 32 == 0) fill(shared.weights, a, shared.tickets, shared.vectors.second_unused());
    __syncwarp();
    if (warp == 1) shared.vectors.run(a, shared.tickets);
    if (group < 0) return;
    std::uint32_t const stage = shared.address + L::kTiles + group * L::Mover::kTileBytes;
    typename L::Mover{a, stage, shared.tiles, shared.tickets, group}.run();
}

/// A computing warpgroup.
template <class W, int kGroups>
__device__ void compute(Arguments<W> const& a, Shared<W, kGroups> const& shared, int group) {
    using L = Layout<W, kGroups>;
    auto& vectors = shared.vectors.memory;
    Order<kGroups> const order(group);
    auto const& weights = shared.weights;
    typename L::First attention{{weights.slots},
                                {weights.slots},
                                shared.address + L::kKeys + group * 2 * L::First::kKeysBytes,
                                nullptr,
                                {},
                                0,
                                true,
                                group,
                                0,
                                order,
                                {}};
    typename L::Second feedforward{{weights.slots}, {weights.slots}, vectors.second, {}, 0, true, 0, order, {}};
    auto* const stage = reinterpret_cast<float*>(shared.bytes + L::kTiles + group * L::Mover::kTileBytes);
    std::uint32_t full = 0;  // parity
    bool has_tile = false;
    Stream<W> stream;
#pragma unroll 1
    for (int round = 0, layer = -1, change = -1;; ++round) {
        Turn const turn(shared.tickets.read_by_warp(round), group);
        if (turn.is_over()) return;
        bool const is_new = turn.layer != layer;
        if (is_new) {
            layer = turn.layer, ++change;
            shared.vectors.await_first(change);
            attention.vectors = vectors.first[change % 2];
            attention.scales = vectors.first_scales[change % 2];
            attention.epsilon = a.layers[layer].attention.epsilon;
            feedforward.epsilon = a.layers[layer].feedforward.epsilon;
        }
        if (!turn.has_tile()) {
            weights.pass(attention.item, attention.lane, order);
            if (is_new) shared.vectors.await_second(change);
            continue;
        }
        if (!has_tile) {
            wait(shared.tiles.full(group), full);
            full ^= 1;
            stream.template exchange<false>(stage, attention.lane);
            fence_shared();
            arrive_by_warp(shared.tiles.done(group));
        }
        // The first slot holds no projection, the last one no first product.
        attention.qkv_ring.wait_full(attention.item);
        attention.projection_ring.release(attention.item - 1, attention.lane);
        attention.window(stream, WindowTile(a.layers[layer].tiles, turn.tile));
        if (is_new) {
            shared.vectors.await_second(change);
            feedforward.scales = vectors.second_scales;
        }
        feedforward.item = attention.item;
        feedforward.tile(stream);
        feedforward.fc1_ring.release(feedforward.item, feedforward.lane);
        attention.item = feedforward.item + 1;
        arrive_by_warp(shared.tiles.computed(group));
        wait(shared.tiles.full(group), full);
        full ^= 1;
        has_tile = shared.tiles.has_tile[group] != 0;
        stream.template exchange<true>(stage, attention.lane);
        fence_shared();
        arrive_by_warp(shared.tiles.done(group));
    }
}

template <class W, int kGroups>
__global__ void __launch_bounds__(Layout<W, kGroups>::kThreads, 1)
    swin_layers_kernel(__grid_constant__ Arguments<W> const a) {
    using L = Layout<W, kGroups>;
    auto& bytes = dynamic_shared<std::byte[L::kBytes]>();
    Shared<W, kGroups> const shared{bytes};
    let_next_start();
    if (threadIdx.x == 0) shared.init();
    __syncthreads();
    int const group = __shfl_sync(0xFFFFFFFFU, static_cast<int>(threadIdx.x) / kGroup, 0);
    if (group == kGroups) {
        give_registers<kCopyRegisters>();
        bring(a, shared);
    } else {
        take_registers<compute_registers(kGroups)>();
        compute(a, shared, group);
    }
}

struct Clear {
    int* words;
    __device__ void operator()(std::int64_t i) const { words[i] = 0; }
};

template <class W, int kGroups>
void run(std::span<OpLaunch const> steps) {
    using L = Layout<W, kGroups>;
    Launch const& first = *steps.front().launch;
    Pixels const x(first.inputs[WindowAttention::kX]), y(steps.back().launch->outputs[0]);
    VITRUM_ASSERT(x.stride == W::kColumns && y.stride == W::kColumns);  // tokens are copied as they lie
    int const layers = static_cast<int>(steps.size() / 2);
    Chain const chain(WindowTiles(x, 0), layers, multiprocessors(), first.workspace);
    Arguments<W> arguments{.chain = chain, .x = x.data, .y = y.data, .layers = {}};
    for (int i = 0, shift = 0, row = 0; i < layers; ++i) {
        auto const& [of_attention, attention_launch] = steps[2 * i];
        auto const& [of_mlp, mlp_launch] = steps[2 * i + 1];
        auto const& attention = *std::get_if<WindowAttention>(of_attention);
        // Rows of windows wait for one that was begun a whole layer before: where shifts become smaller, the first
        // ones need the last ones of the layer before.
        if (i > 0 && attention.shift < shift) row = (row + 1) % (static_cast<int>(x.h) / kWindow);
        shift = attention.shift;
        arguments.layers[i] = {{x, shift, row},
                               {attention, attention_launch->packed.data()},
                               {*std::get_if<Mlp>(of_mlp), mlp_launch->packed.data()}};
    }
    for_each(first.stream, ChainWords::count(layers, chain.rows), Clear{chain.words});
    start_shared<Start::early>(first.stream, swin_layers_kernel<W, kGroups>, chain.blocks(multiprocessors()),
                               L::kThreads, L::kBytes, arguments);
}

}  // namespace
}  // namespace vitrum::cuda::hopper

namespace vitrum::cuda {

void HopperSwinLayersKernel::launch(std::span<OpLaunch const> steps) {
    if (steps.size() == 2) launch_one(steps[0], steps[1]);
    else hopper::run<SwinMedium, 2>(steps);
}

}  // namespace vitrum::cuda
