// SPDX-License-Identifier: Apache-2.0
#include "../fused_kernels.h"
#include "../kernels/windows.cuh"
#include "device.h"
#include "tiles.cuh"

namespace vitrum::cuda::hopper {
namespace {

using Op = WindowAttention;

constexpr int kWindow = 8;

/// Windows of whole pictures: a tile is a window, and half a row of it lies in one piece, also when shifted by half.
struct WindowTiles {
    Windows windows;
    int count;

    [[nodiscard]] __device__ int tokens(int) const { return kTokens; }
    [[nodiscard]] __device__ std::int64_t pixel(int tile, int token) const { return windows.pixel(tile, token); }
};

struct Arguments {
    WindowTiles tiles;
    float const *x, *residual;  ///< null or another tensor; `residual_is_x` else
    float* y;
    bool residual_is_x;
    std::byte const *qkv, *projection, *scores;  ///< packed
    float const *qkv_bias, *projection_bias, *norm_weight, *norm_bias;
    float epsilon, scale;
};

/// Shared memory: weights, keys and values of each warpgroup, its tile, vectors over channels, barriers.
template <class W, int kGroups, int kSlots>
struct Layout {
    static constexpr int kQkvColumns = 3 * W::kHead;
    using Qkv = Ring<kSlots, W::kHeads, kQkvColumns * W::kDepth * 2>;
    using Rest = Ring<kSlots, W::kHeads, W::kColumns * W::kHead * 2, kTokens * kTokens * 2>;
    static constexpr int kProjectionBytes = W::kColumns * W::kHead * 2;
    static constexpr int kKeysBytes = kTokens * W::kHead * 2;
    static constexpr int kRest = Qkv::kBytes;
    static constexpr int kKeys = kRest + Rest::kBytes;
    static constexpr int kTiles = kKeys + kGroups * 2 * kKeysBytes;
    static constexpr int kVectors = kTiles + kGroups * TileMover<W>::kTileBytes;
    static constexpr int kFirstNormFloat = W::kHeads * kQkvColumns + W::kColumns;
    static constexpr int kVectorFloats = W::kHeads * kQkvColumns + 3 * W::kColumns;
    static constexpr int kBarriers = kVectors + kVectorFloats * 4;
    static constexpr int kBytes = kBarriers + Qkv::kBarrierBytes + Rest::kBarrierBytes + TileBarriers::kBytes * kGroups;
    static constexpr int kThreads = (kGroups + 1) * kGroup;
    static_assert(kBytes <= 227 << 10 && (kGroups <= 2 || Qkv::kStay) && kGroups <= 4);

    /// The vectors one behind the other: biases of q, k and v as [head][q, k or v][channel of the padded head], with a
    /// one behind the channels of v (see attend); the projection's bias; the norm's weight and bias,
    /// which are multiplied later.
    [[nodiscard]] __device__ static float vector_value(Arguments const& a, int i) {
        int const rest = i - W::kHeads * kQkvColumns;
        if (rest < 0) {
            int const head = i / kQkvColumns, part = i % kQkvColumns / W::kHead, d = i % W::kHead;
            if (d >= W::kHeadChannels) return part == 2 && d == W::kHeadChannels ? 1.0F : 0.0F;
            int const channel = head * W::kHeadChannels + d;
            return value_or_zero(a.qkv_bias, part * W::kChannels + channel, 3 * W::kChannels);
        }
        int const which = rest / W::kColumns, channel = rest % W::kColumns;
        if (which == 0) return value_or_zero(a.projection_bias, channel, W::kChannels);
        return value_or_zero(which == 1 ? a.norm_weight : a.norm_bias, channel, W::kChannels);
    }
};

/// One computing warpgroup.
template <class W, int kGroups, int kSlots>
struct Attention {
    using L = Layout<W, kGroups, kSlots>;
    Arguments const& a;
    typename L::Qkv qkv_ring;
    typename L::Rest rest_ring;
    std::uint32_t keys, values;
    float const *qkv_bias, *projection_bias, *norm_weight, *norm_bias;  ///< in shared memory
    int group, item;
    Lane lane;

    /// stream = x + projection(attention(norm(x))), or without x.
    __device__ void window(Stream<W>& stream, int tile) {
        std::uint32_t x[W::kDepth / 4];
        stream.normalised(norm_weight, norm_bias, a.epsilon, lane.quad, x);
        if (!a.residual_is_x) stream.clear();
        stream.add(projection_bias, lane.quad);
        Place const place(tile, a.tiles.windows.down, a.tiles.windows.across);
        int const seam = kWindow - a.tiles.windows.shift;
        int const row_seam = place.row == a.tiles.windows.down - 1 ? seam : kWindow;
        int const column_seam = place.column == a.tiles.windows.across - 1 ? seam : kWindow;
        if (L::Qkv::kStay) item = 0;
#pragma unroll 1
        for (int head = 0; head < W::kHeads; ++head, ++item) {
            std::uint32_t query[W::kHead / 4];
            project(x, head, query);
            float scores[kTokens / 2];
            score(query, scores, row_seam, column_seam);
            std::uint32_t result[W::kHead / 4];
            attend(scores, result);
            fence_products();
            begin_products<W::kColumns, W::kHead / 16>(stream.v, result, rest_ring.slot(item), true);
            commit_products();
            wait_for_products<0>();
            settle(result);
            rest_ring.release(item, lane);
        }
        settle(stream.v);
        settle(x);
    }

private:
    /// q stays in registers, k and v go to shared memory.
    __device__ void project(std::uint32_t const (&x)[W::kDepth / 4], int head, std::uint32_t (&query)[W::kHead / 4]) {
        float sums[L::kQkvColumns / 2];
        qkv_ring.wait_full(item);
        fence_products();
        begin_products<L::kQkvColumns, W::kDepth / 16>(sums, x, qkv_ring.slot(item), false);
        commit_products();
        wait_for_products<0>();
        settle(sums);
        qkv_ring.release(item, lane);
        float const* const bias = qkv_bias + head * L::kQkvColumns + 2 * lane.quad;
#pragma unroll
        for (int j = 0; j < L::kQkvColumns / 8; ++j) {
            float2 const b = *reinterpret_cast<float2 const*>(bias + 8 * j);
            float* const s = sums + 4 * j;
            s[0] = fmaf(s[0], kOverNormFactor, b.x), s[1] = fmaf(s[1], kOverNormFactor, b.y);
            s[2] = fmaf(s[2], kOverNormFactor, b.x), s[3] = fmaf(s[3], kOverNormFactor, b.y);
        }
#pragma unroll
        for (int i = 0; i < W::kHead / 4; ++i) query[i] = Fp16::pack(sums[2 * i], sums[2 * i + 1]);
        named_barrier(1 + group, kGroup);  // every warp is done with the keys and values before
        int const matrix = static_cast<int>(threadIdx.x) % 32 / 8, row = static_cast<int>(threadIdx.x) % 8;
        int const tokens = 2 * lane.warp + matrix % 2;  // eights of them
#pragma unroll
        for (int j = 0; j < W::kHead / 8; j += 2) {
            float const *const k = sums + W::kHead / 2 + 4 * j, *const v = k + W::kHead / 2;
            store_matrices(keys + (j + matrix / 2) * (kTokens * 16) + tokens * 128 + row * 16, Fp16::pack(k[0], k[1]),
                           Fp16::pack(k[2], k[3]), Fp16::pack(k[4], k[5]), Fp16::pack(k[6], k[7]));
            store_matrices_transposed(values + tokens * (W::kHead * 16) + (j + matrix / 2) * 128 + row * 16,
                                      Fp16::pack(v[0], v[1]), Fp16::pack(v[2], v[3]), Fp16::pack(v[4], v[5]),
                                      Fp16::pack(v[6], v[7]));
        }
        fence_shared();
        named_barrier(1 + group, kGroup);
    }

    /// q · k, scaled, with the bias of positions and the seams, in base 2.
    __device__ void score(std::uint32_t const (&query)[W::kHead / 4], float (&scores)[kTokens / 2], int row_seam,
                          int column_seam) {
        fence_products();
        begin_products<kTokens, W::kHead / 16>(scores, query, keys, false);
        commit_products();
        rest_ring.wait_full(item);
        wait_for_products<0>();
        settle(scores);
        float const scale = a.scale * kLog2E;
        std::uint32_t const bias =
            rest_ring.slot(item) + L::kProjectionBytes + static_cast<std::uint32_t>(threadIdx.x) % kGroup * 16;
#pragma unroll
        for (int eight = 0; eight < kTokens / 16; ++eight) {
            std::uint32_t b[4];
            load_shared(b, bias + eight * (kGroup * 16));
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                float2 const two = Fp16::unpack(b[i]);
                float* const s = scores + 8 * eight + 2 * i;
                s[0] = fmaf(s[0], scale, two.x);
                s[1] = fmaf(s[1], scale, two.y);
            }
        }
        if (row_seam < kWindow || column_seam < kWindow) separate(scores, row_seam, column_seam);
    }

    /// Tokens on different sides of a seam see each other only faintly (Liu et al. 2021, figure 4).
    __device__ void separate(float (&scores)[kTokens / 2], int row_seam, int column_seam) {
        auto const side = [&](int token) {
            return (token / kWindow < row_seam ? 0 : 2) + (token % kWindow < column_seam ? 0 : 1);
        };
        int const upper = side(lane.token()), lower = side(lane.token() + 8);
#pragma unroll
        for (int j = 0; j < kTokens / 8; ++j) {
#pragma unroll
            for (int e = 0; e < 2; ++e) {
                int const key = side(8 * j + 2 * lane.quad + e);
                if (key != upper) scores[4 * j + e] -= 100 * kLog2E;
                if (key != lower) scores[4 * j + 2 + e] -= 100 * kLog2E;
            }
        }
    }

    /// softmax · v. The first column of v behind the head's channels is one: its sum is the softmax's denominator.
    __device__ void attend(float (&scores)[kTokens / 2], std::uint32_t (&result)[W::kHead / 4]) {
        float upper = scores[0], lower = scores[2];
#pragma unroll
        for (int j = 0; j < kTokens / 8; ++j) {
            upper = fmaxf(upper, fmaxf(scores[4 * j], scores[4 * j + 1]));
            lower = fmaxf(lower, fmaxf(scores[4 * j + 2], scores[4 * j + 3]));
        }
        upper = over_quads(upper);
        lower = over_quads(lower);
        std::uint32_t weights[kTokens / 4];
#pragma unroll
        for (int j = 0; j < kTokens / 8; ++j) {
            float const* const s = scores + 4 * j;
            weights[2 * j] = Fp16::pack(exp2_approximate(s[0] - upper), exp2_approximate(s[1] - upper));
            weights[2 * j + 1] = Fp16::pack(exp2_approximate(s[2] - lower), exp2_approximate(s[3] - lower));
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
    typename L::Rest const rest_ring(shared + L::kRest, qkv_ring.empty + 8 * kSlots);
    TileBarriers const tiles{rest_ring.empty + 8 * kSlots};
    auto* const qkv_bias = reinterpret_cast<float*>(&bytes[L::kVectors]);
    float* const projection_bias = qkv_bias + W::kHeads * L::kQkvColumns;
    float *const norm_weight = projection_bias + W::kColumns, *const norm_bias = norm_weight + W::kColumns;
    if (threadIdx.x == 0) {
        qkv_ring.init(kGroups);
        rest_ring.init(kGroups);
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
        if (warp == 0 && threadIdx.x % 32 == 0) qkv_ring.fill(a.qkv, nullptr, rounds.count);
        if (warp == 1 && threadIdx.x % 32 == 0) rest_ring.fill(a.projection, a.scores, rounds.count);
        __syncwarp();
        int const g = kGroups <= 2 ? warp - 2 : (warp + 2) % 4;
        if (g >= 0 && g < kGroups) {
            TileMover<W>{shared + L::kTiles, tiles, a.x, a.y}.run(a.tiles, g, rounds);
        }
        return;
    }
    take_registers<compute_registers(kGroups)>();
    vectors.write(qkv_bias, L::kFirstNormFloat, kNormFactor);
    std::uint32_t const keys = shared + L::kKeys + group * 2 * L::kKeysBytes;
    Attention<W, kGroups, kSlots> attention{
        a,         qkv_ring, rest_ring, keys, keys + L::kKeysBytes, qkv_bias, projection_bias, norm_weight,
        norm_bias, group,    0,         {}};
    auto* const stage = reinterpret_cast<float*>(&bytes[L::kTiles + group * TileMover<W>::kTileBytes]);
    int const done = each_tile<W>(a, stage, tiles, group, rounds, attention.lane,
                                  [&](Stream<W>& stream, int tile) { attention.window(stream, tile); });
    for (int round = done; round < rounds.count; ++round) {
        pass(qkv_ring, rest_ring, W::kHeads, attention.item, attention.lane);
    }
}

template <class W, int kGroups, int kSlots>
void run(Arguments const& arguments, Launch const& launch) {
    using L = Layout<W, kGroups, kSlots>;
    std::int64_t const blocks = std::min<std::int64_t>(multiprocessors(), divide_up(arguments.tiles.count, kGroups));
    start_shared(launch.stream, window_attention_kernel<W, kGroups, kSlots>, blocks, L::kThreads, L::kBytes, arguments);
}

}  // namespace
}  // namespace vitrum::cuda::hopper

namespace vitrum::cuda {

void HopperWindowAttentionKernel::launch(Op const& op, Launch const& launch) {
    auto const in = launch.inputs;
    Pixels const x(in[Op::kX]), y(launch.outputs[0]), residual(in[Op::kResidual]);
    Windows const windows(x.h, x.w, op.window, op.shift);
    hopper::Arguments const arguments{.tiles = {windows, static_cast<int>(x.n * windows.per_picture())},
                                      .x = x.data,
                                      .residual = residual.data,
                                      .y = y.data,
                                      .residual_is_x = residual.data == x.data,
                                      .qkv = launch.packed[0],
                                      .projection = launch.packed[1],
                                      .scores = launch.packed[2],
                                      .qkv_bias = floats(in[Op::kQkvBias]),
                                      .projection_bias = floats(in[Op::kProjBias]),
                                      .norm_weight = floats(in[Op::kNormWeight]),
                                      .norm_bias = floats(in[Op::kNormBias]),
                                      .epsilon = op.norm_epsilon,
                                      .scale = op.scale};
    if (x.c == SwinMedium::kChannels) hopper::run<SwinMedium, 2, 2>(arguments, launch);
    else hopper::run<SwinSmall, 4, SwinSmall::kHeads>(arguments, launch);
}

}  // namespace vitrum::cuda
