// SPDX-License-Identifier: Apache-2.0
#include "../fused_kernels.h"
#include "device.h"
#include "swin_feedforward.cuh"
#include "swin_tiles.cuh"

namespace vitrum::cuda::hopper {
namespace {

struct RowTiles {
    std::int64_t rows;
    int count;
};

/// 64 tokens; tiles go from the end of memory to its begin: what the operator before wrote last is still in the cache.
/// The tile at the end may be short.
struct RowTile {
    std::int64_t first;
    int count;

    __device__ RowTile(RowTiles const& tiles, int tile)
        : first(static_cast<std::int64_t>(tiles.count - 1 - tile) * kTokens),
          count(static_cast<int>(min(static_cast<std::int64_t>(kTokens), tiles.rows - first))) {}
    [[nodiscard]] __device__ int tokens() const { return count; }
    [[nodiscard]] __device__ std::int64_t pixel(int token) const { return first + token; }
};

template <class W>
struct Arguments {
    RowTiles tiles;
    float const *x, *residual;  ///< null or another tensor; `residual_is_x` else
    float* y;
    bool residual_is_x;
    FeedforwardWeights<W> weights;
};

/// Shared memory: weights, a tile of each warpgroup, vectors over channels, barriers.
template <class W, int kGroups, int kSlots>
struct Layout {
    using Fc1 = Ring<kSlots, W::kChunks, W::kFc1Bytes>;
    using Fc2 = Ring<kSlots, W::kChunks, W::kFc2Bytes>;
    using Compute = Feedforward<W, kGroups, Fc1, Fc2>;
    using Mover = TileMover<W, RowTile>;
    using V = FeedforwardVectors<W>;
    static constexpr int kFc2 = Fc1::kBytes;
    static constexpr int kTiles = kFc2 + Fc2::kBytes;
    static constexpr int kVectors = kTiles + kGroups * Mover::kTileBytes;
    static constexpr int kBarriers = kVectors + V::kFloats * 4;
    static constexpr int kBytes =
        kBarriers + Fc1::kBarrierBytes + Fc2::kBarrierBytes + TileBarriers::kBytes * kGroups + 8;
    static constexpr int kThreads = (kGroups + 1) * kGroup;
    static_assert(kBytes <= 227 << 10 && (kGroups <= 2 || Fc1::kStay) && kGroups <= 4);
};

template <class W, int kGroups, int kSlots>
__global__ void __launch_bounds__(Layout<W, kGroups, kSlots>::kThreads, 1)
    mlp_kernel(__grid_constant__ Arguments<W> const a) {
    using L = Layout<W, kGroups, kSlots>;
    auto& bytes = dynamic_shared<std::byte[L::kBytes]>();
    std::uint32_t const shared = shared_address(bytes);
    typename L::Fc1 const fc1_ring(shared, shared + L::kBarriers);
    typename L::Fc2 const fc2_ring(shared + L::kFc2, fc1_ring.empty + 8 * kSlots);
    TileBarriers const tiles{fc2_ring.empty + 8 * kSlots};
    std::uint32_t const vectors_there = tiles.full(kGroups);
    let_next_start();
    if (threadIdx.x == 0) {
        fc1_ring.init(kGroups);
        fc2_ring.init(kGroups);
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
            fc1_ring.fill(a.weights.fc1, rounds.count);
        }
        if (warp == 1 && threadIdx.x % 32 == 0) fc2_ring.fill(a.weights.fc2, rounds.count);
        __syncwarp();
        int const g = kGroups <= 2 ? warp - 2 : (warp + 2) % 4;
        if (g >= 0 && g < kGroups) {
            typename L::Mover{shared + L::kTiles, tiles, a.x, a.y}.run(a.tiles, g, rounds);
        }
        return;
    }
    take_registers<compute_registers(kGroups)>();
    HalfBlockScales const scales = a.weights.scales();
    auto* const vectors = reinterpret_cast<float*>(&bytes[L::kVectors]);
    wait(vectors_there, 0);
    AllComputing const computing(kGroups);
    a.weights.scale_vectors(vectors, scales, computing);
    computing.sync();
    typename L::Compute feedforward{
        fc1_ring, fc2_ring, vectors, scales, a.weights.epsilon, a.residual_is_x, 0, Order<kGroups>(group), {}};
    auto* const stage = reinterpret_cast<float*>(&bytes[L::kTiles + group * L::Mover::kTileBytes]);
    int const done = each_tile<W, RowTile>(a, stage, tiles, group, rounds, feedforward.lane,
                                           [&](Stream<W>& stream, RowTile const&) { feedforward.tile(stream); });
    for (int round = done; round < rounds.count; ++round) {
        pass(fc1_ring, fc2_ring, W::kChunks, feedforward.item, feedforward.lane, feedforward.order);
    }
}

template <class W, int kGroups, int kSlots>
void run(Mlp const& op, Launch const& launch) {
    using L = Layout<W, kGroups, kSlots>;
    auto const in = launch.inputs;
    Pixels const x(in[Mlp::kX]), y(launch.outputs[0]), residual(in[Mlp::kResidual]);
    VITRUM_ASSERT(x.stride == W::kColumns && y.stride == W::kColumns);  // tokens are copied as they lie
    Arguments<W> const arguments{.tiles = {x.count(), static_cast<int>(divide_up(x.count(), kTokens))},
                                 .x = x.data,
                                 .residual = residual.data,
                                 .y = y.data,
                                 .residual_is_x = residual.data == x.data,
                                 .weights = {op, launch.packed.data()}};
    int const blocks = std::min(multiprocessors(), arguments.tiles.count);
    start_shared<Start::early>(launch.stream, mlp_kernel<W, kGroups, kSlots>, blocks, L::kThreads, L::kBytes,
                               arguments);
}

}  // namespace
}  // namespace vitrum::cuda::hopper

namespace vitrum::cuda {

void HopperMlpKernel::launch(Mlp const& op, Launch const& launch) {
    switch (launch.inputs[Mlp::kX].shape[3]) {
        case SwinMedium::kChannels: return hopper::run<SwinMedium, 2, 2>(op, launch);
        case SwinFirst::kChannels: return hopper::run<SwinFirst, 3, SwinFirst::kChunks>(op, launch);
        case SwinSecond::kChannels: return hopper::run<SwinSecond, 2, 2>(op, launch);
        default: return hopper::run<SwinSmall, 4, SwinSmall::kChunks>(op, launch);
    }
}

}  // namespace vitrum::cuda
