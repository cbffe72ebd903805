// SPDX-License-Identifier: Apache-2.0
#include "../fused_kernels.h"
#include "../kernels/gelu_for_operands.cuh"
#include "device.h"
#include "swin_range.cuh"

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

struct Arguments {
    RowTiles tiles;
    float const *x, *residual;  ///< null or another tensor; `residual_is_x` else
    float* y;
    bool residual_is_x;
    std::byte const *fc1, *fc2;  ///< packed
    Vector fc1_bias{}, fc2_bias{}, norm_weight{}, norm_bias{};
    float epsilon = 0;
};

/// Shared memory: weights, a tile of each warpgroup, vectors over channels, barriers.
template <class W, int kGroups, int kSlots>
struct Layout {
    using Fc1 = Ring<kSlots, W::kChunks, W::kFc1Bytes>;
    using Fc2 = Ring<kSlots, W::kChunks, W::kFc2Bytes>;
    using Mover = TileMover<W, RowTile>;
    static constexpr bool kAhead = kGroups <= 3;  ///< four warpgroups lack the registers
    static constexpr int kFc2 = Fc1::kBytes;
    static constexpr int kTiles = kFc2 + Fc2::kBytes;
    static constexpr int kVectors = kTiles + kGroups * Mover::kTileBytes;
    static constexpr int kHiddenFloats = W::kChunks * W::kChunk;
    static constexpr int kNormWeight = kHiddenFloats + W::kColumns;
    static constexpr int kVectorFloats = kHiddenFloats + 3 * W::kColumns;
    static constexpr int kBarriers = kVectors + kVectorFloats * 4;
    static constexpr int kBytes =
        kBarriers + Fc1::kBarrierBytes + Fc2::kBarrierBytes + TileBarriers::kBytes * kGroups + 8;
    static constexpr int kThreads = (kGroups + 1) * kGroup;
    static_assert(kBytes <= 227 << 10 && (kGroups <= 2 || Fc1::kStay) && kGroups <= 4);
};

/// One computing warpgroup.
template <class W, int kGroups, int kSlots>
struct Feedforward {
    using L = Layout<W, kGroups, kSlots>;
    Arguments const& a;
    typename L::Fc1 fc1_ring;
    typename L::Fc2 fc2_ring;
    float const* vectors;  ///< in shared memory
    HalfBlockScales scales;
    int item;
    Order<kGroups> order;
    Lane lane;

    /// stream = x + fc2(gelu(fc1(norm(x)))), or without x.
    __device__ void tile(Stream<W>& stream) {
        std::uint32_t x[W::kDepth / 4];
        stream.normalised(vectors + L::kNormWeight, vectors + L::kNormWeight + W::kColumns, a.epsilon, lane.quad, x);
        if (!a.residual_is_x) stream.clear();
        stream.scale(scales.output);
        stream.add(vectors + L::kHiddenFloats, lane.quad);
        if (L::Fc1::kStay) item = 0;
        float sums[W::kChunk / 2];
        multiply_first(sums, x, item);
        std::uint32_t hidden[W::kChunk / 4];
#pragma unroll 1
        for (int chunk = 0; chunk < W::kChunks - 1; ++chunk, ++item) {
            activate(sums, chunk, hidden);
            if constexpr (L::kAhead) {
                multiply_both(stream.v, hidden, sums, x);
            } else {
                multiply_second(stream.v, hidden);
                multiply_first(sums, x, item + 1);
            }
        }
        activate(sums, W::kChunks - 1, hidden);
        multiply_second(stream.v, hidden);
        ++item;
        settle(stream.v);
        settle(x);
        stream.scale(1 / scales.output);
    }

private:
    using Sums = float[W::kChunk / 2];
    using Hidden = std::uint32_t[W::kChunk / 4];
    using Normalised = std::uint32_t[W::kDepth / 4];

    __device__ void begin_first(Sums& sums, Normalised const& x, int at) const {
        begin_products<W::kChunk, W::kDepth / 16>(sums, x, fc1_ring.slot(at), false);
    }
    __device__ void begin_second(float (&sums)[W::kColumns / 2], Hidden const& hidden) const {
        begin_products<W::kColumns, W::kChunk / 16>(sums, hidden, fc2_ring.slot(item), true);
    }
    __device__ void multiply_first(Sums& sums, Normalised const& x, int at) const {
        fc1_ring.wait_full(at);
        order.await();
        fence_products();
        begin_first(sums, x, at);
        commit_products();
        order.pass_on();
        wait_for_products<0>();
        settle(sums);
        fc1_ring.release(at, lane);
    }
    __device__ void multiply_second(float (&sums)[W::kColumns / 2], Hidden& hidden) const {
        fc2_ring.wait_full(item);
        fence_products();
        begin_second(sums, hidden);
        commit_products();
        wait_for_products<0>();
        settle(hidden);
        fc2_ring.release(item, lane);
    }
    /// A chunk's second product and the next one's first: one wait for both.
    __device__ void multiply_both(float (&to)[W::kColumns / 2], Hidden& hidden, Sums& sums, Normalised const& x) const {
        fc2_ring.wait_full(item);
        fc1_ring.wait_full(item + 1);
        order.await();
        fence_products();
        begin_second(to, hidden);
        begin_first(sums, x, item + 1);
        commit_products();
        order.pass_on();
        wait_for_products<0>();
        settle(sums);
        settle(hidden);
        fc2_ring.release(item, lane);
        fc1_ring.release(item + 1, lane);
    }
    __device__ void activate(Sums const& sums, int chunk, Hidden& hidden) const {
        float const* const bias = vectors + chunk * W::kChunk + 2 * lane.quad;
#pragma unroll
        for (int i = 0; i < W::kChunk / 4; ++i) {
            float2 const b = *reinterpret_cast<float2 const*>(bias + i / 2 * 8);
            hidden[i] = Fp16::pack(gelu_by_tanh(fmaf(sums[2 * i], scales.sums, b.x), scales.values),
                                   gelu_by_tanh(fmaf(sums[2 * i + 1], scales.sums, b.y), scales.values));
        }
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
            arrive_expecting(vectors_there, L::kVectorFloats * 4);
            a.norm_weight.load(shared + L::kVectors, vectors_there);
            a.norm_bias.load(shared + L::kVectors, vectors_there);
            a.fc1_bias.load(shared + L::kVectors, vectors_there);
            a.fc2_bias.load(shared + L::kVectors, vectors_there);
            fc1_ring.fill(a.fc1, rounds.count);
        }
        if (warp == 1 && threadIdx.x % 32 == 0) fc2_ring.fill(a.fc2, rounds.count);
        __syncwarp();
        int const g = kGroups <= 2 ? warp - 2 : (warp + 2) % 4;
        if (g >= 0 && g < kGroups) {
            typename L::Mover{shared + L::kTiles, tiles, a.x, a.y}.run(a.tiles, g, rounds);
        }
        return;
    }
    take_registers<compute_registers(kGroups)>();
    HalfBlockScales const scales(a.norm_weight, a.norm_bias, a.fc1_bias, weight_info(a.fc1 + W::kChunks * W::kFc1Bytes),
                                 weight_info(a.fc2 + W::kChunks * W::kFc2Bytes), W::kChannels);
    auto* const vectors = reinterpret_cast<float*>(&bytes[L::kVectors]);
    wait(vectors_there, 0);
    a.norm_weight.scale(vectors, scales.norm, kGroups * kGroup);
    a.norm_bias.scale(vectors, scales.norm, kGroups * kGroup);
    a.fc2_bias.scale(vectors, scales.output, kGroups * kGroup);
    named_barrier(15, kGroups * kGroup);
    Feedforward<W, kGroups, kSlots> feedforward{a, fc1_ring, fc2_ring, vectors, scales, 0, Order<kGroups>(group), {}};
    auto* const stage = reinterpret_cast<float*>(&bytes[L::kTiles + group * L::Mover::kTileBytes]);
    int const done = each_tile<W, RowTile>(a, stage, tiles, group, rounds, feedforward.lane,
                                           [&](Stream<W>& stream, RowTile const&) { feedforward.tile(stream); });
    for (int round = done; round < rounds.count; ++round) {
        pass(fc1_ring, fc2_ring, W::kChunks, feedforward.item, feedforward.lane, feedforward.order);
    }
}

template <class W, int kGroups, int kSlots>
void run(Arguments arguments, Launch const& launch) {
    using L = Layout<W, kGroups, kSlots>;
    arguments.fc1_bias = {floats(launch.packed[2]), 0, L::kHiddenFloats};
    arguments.fc2_bias = {floats(launch.packed[3]), L::kHiddenFloats, W::kColumns};
    arguments.norm_weight = {floats(launch.packed[4]), L::kNormWeight, W::kColumns};
    arguments.norm_bias = {floats(launch.packed[5]), L::kNormWeight + W::kColumns, W::kColumns};
    int const blocks = std::min(multiprocessors(), arguments.tiles.count);
    start_shared<Start::early>(launch.stream, mlp_kernel<W, kGroups, kSlots>, blocks, L::kThreads, L::kBytes,
                               arguments);
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
                                      .epsilon = op.norm_epsilon};
    switch (x.c) {
        case SwinMedium::kChannels: return hopper::run<SwinMedium, 2, 2>(arguments, launch);
        case SwinFirst::kChannels: return hopper::run<SwinFirst, 3, SwinFirst::kChunks>(arguments, launch);
        case SwinSecond::kChannels: return hopper::run<SwinSecond, 2, 2>(arguments, launch);
        default: return hopper::run<SwinSmall, 4, SwinSmall::kChunks>(arguments, launch);
    }
}

}  // namespace vitrum::cuda
