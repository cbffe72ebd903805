// SPDX-License-Identifier: Apache-2.0
#include "../fused_kernels.h"
#include "device.h"
#include "swin_range.cuh"
#include "swin_windows.cuh"

namespace vitrum::cuda::hopper {
namespace {

using Op = WindowAttention;

struct Arguments {
    WindowTiles tiles;
    float const *x, *residual;  ///< null or another tensor; `residual_is_x` else
    float* y;
    bool residual_is_x;
    std::byte const *qkv, *projection;  ///< packed
    Vector qkv_bias{}, projection_bias{}, table{}, norm_weight{}, norm_bias{};
    float epsilon, scale;
};

/// Shared memory: weights, keys and values of each warpgroup, its tile, vectors over channels, barriers.
template <class W, int kGroups, int kSlots>
struct Layout {
    static constexpr int kQkvColumns = W::kQkvColumns;
    static constexpr bool kAhead = kGroups <= 2;  ///< four warpgroups lack the registers
    using Qkv = Ring<kSlots, W::kHeads, W::kQkvBytes>;
    using Projection = Ring<kSlots, W::kHeads, W::kProjectionBytes>;
    using Mover = TileMover<W, WindowTile>;
    static constexpr int kKeysBytes = kTokens * W::kHead * 2;
    static constexpr int kProjection = Qkv::kBytes;
    static constexpr int kKeys = kProjection + Projection::kBytes;
    static constexpr int kTiles = kKeys + kGroups * 2 * kKeysBytes;
    static constexpr int kVectors = kTiles + kGroups * Mover::kTileBytes;
    static constexpr int kProjectionBias = W::kHeads * kQkvColumns;
    static constexpr int kTable = kProjectionBias + W::kColumns;
    static constexpr int kNormWeight = kTable + table_floats(W::kHeads);
    static constexpr int kVectorFloats = kNormWeight + 2 * W::kColumns;
    static constexpr int kBarriers = kVectors + kVectorFloats * 4;
    static constexpr int kBytes =
        kBarriers + Qkv::kBarrierBytes + Projection::kBarrierBytes + TileBarriers::kBytes * kGroups + 8;
    static constexpr int kThreads = (kGroups + 1) * kGroup;
    static_assert(kBytes <= 227 << 10 && (kGroups <= 2 || Qkv::kStay) && kGroups <= 4);
};

/// One computing warpgroup.
template <class W, int kGroups, int kSlots>
struct Attention {
    using L = Layout<W, kGroups, kSlots>;
    Arguments const& a;
    typename L::Qkv qkv_ring;
    typename L::Projection projection_ring;
    std::uint32_t keys, values;
    float const* vectors;    ///< in shared memory
    HalfBlockScales scales;  ///< `sums` gives scaled values
    float score_scale;
    int group, item;
    Order<kGroups> order;
    Lane lane;

    /// stream = x + projection(attention(norm(x))), or without x.
    __device__ void window(Stream<W>& stream, WindowTile const& tile) {
        std::uint32_t x[W::kDepth / 4];
        stream.normalised(vectors + L::kNormWeight, vectors + L::kNormWeight + W::kColumns, a.epsilon, lane.quad, x);
        if (!a.residual_is_x) stream.clear();
        stream.scale(scales.output);
        stream.add(vectors + L::kProjectionBias, lane.quad);
        int const row_seam = tile.row_seam(), column_seam = tile.column_seam();
        if (L::Qkv::kStay) item = 0;
        Sums sums;
        multiply_first(sums, x);
        std::uint32_t result[W::kHead / 4];
#pragma unroll 1
        for (int head = 0; head < W::kHeads - 1; ++head, ++item) {
            // In a function of its own this costs registers (CUDA 13.0), and so do changed sums where new ones begin.
            std::uint32_t query[W::kHead / 4];
            Sums taken = sums;
            distribute(taken, head, query);
            float scores[kTokens / 2];
            score(query, head, scores, row_seam, column_seam);
            if constexpr (L::kAhead) {  // the next head's q and k beside this one's softmax
                qkv_ring.wait_full(item + 1);
                order.await();
                fence_products();
                begin_queries_and_keys(sums, x, item + 1);
                commit_products();
                order.pass_on();
            }
            mix(scores, result);
            if constexpr (L::kAhead) settle(sums.queries_and_keys);
            projection_ring.wait_full(item);
            if (!L::kAhead) qkv_ring.wait_full(item + 1);
            fence_products();
            begin_projection(stream.v, result, item);  // and what is left of the next head's product
            if (!L::kAhead) begin_queries_and_keys(sums, x, item + 1);
            begin_values(sums, x, item + 1);
            commit_products();
            wait_for_products<0>();
            if (!L::kAhead) settle(sums.queries_and_keys);
            settle(sums.values);
            settle(stream.v);
            settle(result);
            projection_ring.release(item, lane);
            qkv_ring.release(item + 1, lane);
        }
        std::uint32_t query[W::kHead / 4];
        distribute(sums, W::kHeads - 1, query);
        float scores[kTokens / 2];
        score(query, W::kHeads - 1, scores, row_seam, column_seam);
        mix(scores, result);
        multiply_last(stream, result);
        settle(x);
        stream.scale(1 / scales.output);
    }

private:
    using Normalised = std::uint32_t[W::kDepth / 4];
    /// A head's q and k, and its v. Sums of one product have to lie side by side.
    struct Sums {
        float queries_and_keys[W::kHead], values[W::kHead / 2];
    };

    /// The first head's q, k and v.
    __device__ void multiply_first(Sums& sums, Normalised const& x) const {
        qkv_ring.wait_full(item);
        order.await();
        fence_products();
        begin_queries_and_keys(sums, x, item);
        begin_values(sums, x, item);
        commit_products();
        order.pass_on();
        wait_for_products<0>();
        settle(sums.queries_and_keys);
        settle(sums.values);
        qkv_ring.release(item, lane);
    }
    /// The last head's part of the projection.
    __device__ void multiply_last(Stream<W>& stream, std::uint32_t (&result)[W::kHead / 4]) {
        projection_ring.wait_full(item);
        fence_products();
        begin_projection(stream.v, result, item);
        commit_products();
        wait_for_products<0>();
        settle(result);
        projection_ring.release(item, lane);
        ++item;
        settle(stream.v);
    }
    __device__ void begin_queries_and_keys(Sums& sums, Normalised const& x, int at) const {
        begin_columns<0, 2 * W::kHead>(sums.queries_and_keys, x, at);
    }
    __device__ void begin_values(Sums& sums, Normalised const& x, int at) const {
        begin_columns<2 * W::kHead, W::kHead>(sums.values, x, at);
    }
    template <int kFirst, int kColumns>
    __device__ void begin_columns(float (&sums)[kColumns / 2], Normalised const& x, int at) const {
        begin_products<kColumns, W::kDepth / 16, L::kQkvColumns>(sums, x, qkv_ring.slot(at) + kFirst * 16, false);
    }
    __device__ void begin_projection(float (&sums)[W::kColumns / 2], std::uint32_t const (&result)[W::kHead / 4],
                                     int at) const {
        begin_products<W::kColumns, W::kHead / 16>(sums, result, projection_ring.slot(at), true);
    }
    /// q stays in registers, k and v go to shared memory.
    __device__ void distribute(Sums& sums, int head, std::uint32_t (&query)[W::kHead / 4]) {
        float const* const bias = vectors + head * L::kQkvColumns + 2 * lane.quad;
#pragma unroll
        for (int j = 0; j < L::kQkvColumns / 8; ++j) {
            // Keys go without biases: these add as much to all scores of a query, which softmax takes away again.
            bool const is_key = j / (W::kHead / 8) == 1;
            float2 const b = is_key ? make_float2(0, 0) : *reinterpret_cast<float2 const*>(bias + 8 * j);
            int const of_value = j - W::kHead / 4;
            float* const s = of_value < 0 ? sums.queries_and_keys + 4 * j : sums.values + 4 * of_value;
            s[0] = fmaf(s[0], scales.sums, b.x), s[1] = fmaf(s[1], scales.sums, b.y);
            s[2] = fmaf(s[2], scales.sums, b.x), s[3] = fmaf(s[3], scales.sums, b.y);
        }
        float const* const q = sums.queries_and_keys;
#pragma unroll
        for (int i = 0; i < W::kHead / 4; ++i) query[i] = Fp16::pack(q[2 * i], q[2 * i + 1]);
        named_barrier(1 + group, kGroup);  // every warp is done with the keys and values before
        int const matrix = static_cast<int>(threadIdx.x) % 32 / 8, row = static_cast<int>(threadIdx.x) % 8;
        int const tokens = 2 * lane.warp + matrix % 2;  // eights of them
#pragma unroll
        for (int j = 0; j < W::kHead / 8; j += 2) {
            float const *const k = q + W::kHead / 2 + 4 * j, *const v = sums.values + 4 * j;
            store_matrices(keys + (j + matrix / 2) * (kTokens * 16) + tokens * 128 + row * 16, Fp16::pack(k[0], k[1]),
                           Fp16::pack(k[2], k[3]), Fp16::pack(k[4], k[5]), Fp16::pack(k[6], k[7]));
            store_matrices_transposed(values + tokens * (W::kHead * 16) + (j + matrix / 2) * 128 + row * 16,
                                      Fp16::pack(v[0], v[1]), Fp16::pack(v[2], v[3]), Fp16::pack(v[4], v[5]),
                                      Fp16::pack(v[6], v[7]));
        }
        fence_shared();
        named_barrier(1 + group, kGroup);
    }

    /// q · k, scaled, with the biases of positions and the seams.
    __device__ void score(std::uint32_t const (&query)[W::kHead / 4], int head, float (&scores)[kTokens / 2],
                          int row_seam, int column_seam) {
        fence_products();
        begin_products<kTokens, W::kHead / 16>(scores, query, keys, false);
        commit_products();
        // An eight of rows or columns is a row of the window, so that of its two eights of queries and eight eights of
        // keys there are nine differences, and of each two neighbouring columns of a lane.
        constexpr int kDifferences = kTokens / 8 + 1;
        float bias[kDifferences][2];
        Lane const here = Lane::anew();
        int const key = token_of_row(2 * here.quad), next = token_of_row(2 * here.quad + 1) - key;
        float const* const table = vectors + L::kTable + head * kOffsets + (2 * here.warp + kWindow) * kOffsetSide +
                                   token_of_row(here.row) - key + kWindow - 1;
#pragma unroll
        for (int i = 0; i < kDifferences; ++i) {
            bias[i][0] = table[-i * kOffsetSide], bias[i][1] = table[-i * kOffsetSide - next];
        }
        wait_for_products<0>();
        settle(scores);
#pragma unroll
        for (int j = 0; j < kTokens / 8; ++j) {
            float* const s = scores + 4 * j;
            s[0] = fmaf(s[0], score_scale, bias[j + 1][0]), s[1] = fmaf(s[1], score_scale, bias[j + 1][1]);
            s[2] = fmaf(s[2], score_scale, bias[j][0]), s[3] = fmaf(s[3], score_scale, bias[j][1]);
        }
        if (row_seam < kWindow || column_seam < kWindow) separate(scores, row_seam, column_seam);
    }

    /// Tokens on different sides of a seam see each other only faintly (Liu et al. 2021, figure 4).
    __device__ void separate(float (&scores)[kTokens / 2], int row_seam, int column_seam) {
        auto const side = [&](int token) {
            return (token / kWindow < row_seam ? 0 : 2) + (token % kWindow < column_seam ? 0 : 1);
        };
        Lane const here = Lane::anew();
        int const upper = side(token_of(here)), lower = side(token_of(here) + 8);
#pragma unroll
        for (int j = 0; j < kTokens / 8; ++j) {
#pragma unroll
            for (int e = 0; e < 2; ++e) {
                int const key = side(token_of_row(8 * j + 2 * here.quad + e));
                if (key != upper) scores[4 * j + e] -= 100;
                if (key != lower) scores[4 * j + 2 + e] -= 100;
            }
        }
    }

    /// softmax · v. The first column of v behind the head's channels is one: its sum is the softmax's denominator.
    __device__ void mix(float (&scores)[kTokens / 2], std::uint32_t (&result)[W::kHead / 4]) {
        float upper = scores[0], lower = scores[2];
#pragma unroll
        for (int j = 0; j < kTokens / 8; ++j) {
            upper = fmaxf(upper, fmaxf(scores[4 * j], scores[4 * j + 1]));
            lower = fmaxf(lower, fmaxf(scores[4 * j + 2], scores[4 * j + 3]));
        }
        upper = over_quads(upper) * -kLog2E;
        lower = over_quads(lower) * -kLog2E;
        std::uint32_t weights[kTokens / 4];
#pragma unroll
        for (int j = 0; j < kTokens / 8; ++j) {
            float const* const s = scores + 4 * j;
            weights[2 * j] =
                Fp16::pack(exp2_approximate(fmaf(s[0], kLog2E, upper)), exp2_approximate(fmaf(s[1], kLog2E, upper)));
            weights[2 * j + 1] =
                Fp16::pack(exp2_approximate(fmaf(s[2], kLog2E, lower)), exp2_approximate(fmaf(s[3], kLog2E, lower)));
        }
        float sums[W::kHead / 2];
        fence_products();
        begin_products<W::kHead, kTokens / 16>(sums, weights, values, false);
        commit_products();
        wait_for_products<0>();
        settle(sums);
        settle(weights);
        constexpr int kTile = W::kHeadChannels / 8, kQuad = W::kHeadChannels % 8 / 2;
        static_assert(W::kHeadChannels % 2 == 0);
        int const owner = static_cast<int>(threadIdx.x) % 32 / 4 * 4 + kQuad;
        float const of_upper = __fdividef(1.0F, __shfl_sync(0xFFFFFFFFU, sums[4 * kTile], owner));
        float const of_lower = __fdividef(1.0F, __shfl_sync(0xFFFFFFFFU, sums[4 * kTile + 2], owner));
#pragma unroll
        for (int j = 0; j < W::kHead / 8; ++j) {
            result[2 * j] = Fp16::pack(sums[4 * j] * of_upper, sums[4 * j + 1] * of_upper);
            result[2 * j + 1] = Fp16::pack(sums[4 * j + 2] * of_lower, sums[4 * j + 3] * of_lower);
        }
    }
    [[nodiscard]] __device__ static float over_quads(float most) {
        most = fmaxf(most, __shfl_xor_sync(0xFFFFFFFFU, most, 1));
        return fmaxf(most, __shfl_xor_sync(0xFFFFFFFFU, most, 2));
    }
};

template <class W, int kGroups, int kSlots>
__global__ void __launch_bounds__(Layout<W, kGroups, kSlots>::kThreads, 1)
    window_attention_kernel(__grid_constant__ Arguments const a) {
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
            arrive_expecting(vectors_there, L::kVectorFloats * 4);
            a.norm_weight.load(shared + L::kVectors, vectors_there);
            a.norm_bias.load(shared + L::kVectors, vectors_there);
            a.qkv_bias.load(shared + L::kVectors, vectors_there);
            a.projection_bias.load(shared + L::kVectors, vectors_there);
            a.table.load(shared + L::kVectors, vectors_there);
            qkv_ring.fill(a.qkv, rounds.count);
        }
        if (warp == 1 && threadIdx.x % 32 == 0) projection_ring.fill(a.projection, rounds.count);
        __syncwarp();
        int const g = kGroups <= 2 ? warp - 2 : (warp + 2) % 4;
        if (g >= 0 && g < kGroups) {
            typename L::Mover{shared + L::kTiles, tiles, a.x, a.y}.run(a.tiles, g, rounds);
        }
        return;
    }
    take_registers<compute_registers(kGroups)>();
    HalfBlockScales scales(a.norm_weight, a.norm_bias, a.qkv_bias, weight_info(a.qkv + W::kHeads * W::kQkvBytes),
                           weight_info(a.projection + W::kHeads * W::kProjectionBytes), W::kChannels);
    auto* const vectors = reinterpret_cast<float*>(&bytes[L::kVectors]);
    wait(vectors_there, 0);
    a.norm_weight.scale(vectors, scales.norm, kGroups * kGroup);
    a.norm_bias.scale(vectors, scales.norm, kGroups * kGroup);
    a.projection_bias.scale(vectors, scales.output, kGroups * kGroup);
    a.qkv_bias.scale(vectors, scales.values, kGroups * kGroup);
    named_barrier(15, kGroups * kGroup);
    if (scales.values != 1 && threadIdx.x < W::kHeads) {
        vectors[static_cast<int>(threadIdx.x) * L::kQkvColumns + 2 * W::kHead + W::kHeadChannels] = 1;
    }
    named_barrier(15, kGroups * kGroup);
    scales.sums *= scales.values;
    std::uint32_t const keys = shared + L::kKeys + group * 2 * L::kKeysBytes;
    float const score_scale = a.scale / (scales.values * scales.values);
    Attention<W, kGroups, kSlots> attention{a,      qkv_ring,    projection_ring, keys, keys + L::kKeysBytes,  vectors,
                                            scales, score_scale, group,           0,    Order<kGroups>(group), {}};
    auto* const stage = reinterpret_cast<float*>(&bytes[L::kTiles + group * L::Mover::kTileBytes]);
    int const done =
        each_tile<W, WindowTile>(a, stage, tiles, group, rounds, attention.lane,
                                 [&](Stream<W>& stream, WindowTile const& tile) { attention.window(stream, tile); });
    for (int round = done; round < rounds.count; ++round) {
        pass(qkv_ring, projection_ring, W::kHeads, attention.item, attention.lane, attention.order);
    }
}

template <class W, int kGroups, int kSlots>
void run(Arguments arguments, Launch const& launch) {
    using L = Layout<W, kGroups, kSlots>;
    arguments.qkv_bias = {floats(launch.packed[2]), 0, L::kProjectionBias};
    arguments.projection_bias = {floats(launch.packed[3]), L::kProjectionBias, W::kColumns};
    arguments.table = {floats(launch.packed[4]), L::kTable, table_floats(W::kHeads)};
    arguments.norm_weight = {floats(launch.packed[5]), L::kNormWeight, W::kColumns};
    arguments.norm_bias = {floats(launch.packed[6]), L::kNormWeight + W::kColumns, W::kColumns};
    int const blocks = std::min(multiprocessors(), arguments.tiles.count);
    start_shared<Start::early>(launch.stream, window_attention_kernel<W, kGroups, kSlots>, blocks, L::kThreads,
                               L::kBytes, arguments);
}

}  // namespace
}  // namespace vitrum::cuda::hopper

namespace vitrum::cuda {

void HopperWindowAttentionKernel::launch(Op const& op, Launch const& launch) {
    auto const in = launch.inputs;
    Pixels const x(in[Op::kX]), y(launch.outputs[0]), residual(in[Op::kResidual]);
    hopper::Arguments const arguments{.tiles = {x, op.shift},
                                      .x = x.data,
                                      .residual = residual.data,
                                      .y = y.data,
                                      .residual_is_x = residual.data == x.data,
                                      .qkv = launch.packed[0],
                                      .projection = launch.packed[1],
                                      .epsilon = op.norm_epsilon,
                                      .scale = op.scale};
    if (x.c == SwinMedium::kChannels) hopper::run<SwinMedium, 2, 2>(arguments, launch);
    else hopper::run<SwinSmall, 4, SwinSmall::kHeads>(arguments, launch);
}

}  // namespace vitrum::cuda
