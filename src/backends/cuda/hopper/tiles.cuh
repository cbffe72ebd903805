// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ptx/hopper.cuh>
#include <ptx/tensor_core.cuh>
#include <ptx/wgmma.cuh>

#include "../kernels/device.cuh"
#include "../swin_layout.h"

// Half-blocks of Swin layers on Hopper. One warpgroup owns one tile of 64 tokens: their channels stay in float32
// registers, laid out as the sums of a product, from load to store. That layout is also the operand's, so that
// normalisation, softmax and GELU feed the next product from registers. A warpgroup of its own brings weights and
// tiles: its first two warps the weights of two rings (see Ring), the others the tiles (see TileMover).

namespace vitrum::cuda::hopper {

constexpr int kTokens = 64;  // of a tile: the rows of one product of a warpgroup
constexpr int kGroup = 128;  // threads of a warpgroup
constexpr int kCopyRegisters = 24;

/// Registers of a computing warpgroup, so that all of them fit.
[[nodiscard]] constexpr int compute_registers(int groups) {
    return groups <= 2 ? 240 : groups == 3 ? 160 : 112;
}

/// The lane's place among the sums of its warpgroup.
struct Lane {
    int warp, row, quad;  ///< rows 16 · warp + row and 8 below; columns 2 · quad, 2 · quad + 1 of every eight

    __device__ Lane()
        : warp(static_cast<int>(threadIdx.x) % kGroup / 32),
          row(static_cast<int>(threadIdx.x) % 32 / 4),
          quad(static_cast<int>(threadIdx.x) % 4) {}
    [[nodiscard]] __device__ int token() const { return 16 * warp + row; }
    [[nodiscard]] __device__ bool first() const { return threadIdx.x % 32 == 0; }
};

/// Whether a lane's columns of that tile of eight hold channels (see channel_of_column).
template <class W>
[[nodiscard]] __device__ constexpr bool exists(int tile, int quad) {
    if (tile < 2 * W::kPairs) return tile / 2 * 16 + 16 <= W::kChannels || tile / 2 * 16 + 4 * quad < W::kChannels;
    return 8 * tile + 2 * quad < W::kChannels;
}

/// The channels of a tile of tokens in registers.
template <class W>
struct Stream {
    float v[W::kColumns / 2];

    /// Adds a vector over channels, zero where there are none, from shared memory.
    __device__ void add(float const* channels, int quad) {
#pragma unroll
        for (int p = 0; p < W::kPairs; ++p) {
            float4 const c = *reinterpret_cast<float4 const*>(channels + 16 * p + 4 * quad);
            float* const s = v + 8 * p;
            s[0] += c.x, s[1] += c.y, s[4] += c.z, s[5] += c.w;
            s[2] += c.x, s[3] += c.y, s[6] += c.z, s[7] += c.w;
        }
#pragma unroll
        for (int j = 2 * W::kPairs; j < W::kColumns / 8; ++j) {
            float2 const c = *reinterpret_cast<float2 const*>(channels + 8 * j + 2 * quad);
            v[4 * j] += c.x, v[4 * j + 1] += c.y, v[4 * j + 2] += c.x, v[4 * j + 3] += c.y;
        }
    }
    __device__ void clear() {
#pragma unroll
        for (float& value : v) value = 0;
    }

    /// Takes a tile from shared memory, and with kLeave leaves the present one there. What lies in memory between
    /// channels and the pixel's end is not looked at.
    template <bool kLeave>
    __device__ void exchange(float* tile, Lane const& lane) {
        float* const from = tile + lane.token() * W::kColumns;
#pragma unroll
        for (int row = 0; row < 2; ++row) {
#pragma unroll
            for (int p = 0; p < W::kPairs; ++p) {
                auto* const at = reinterpret_cast<float4*>(from + row * 8 * W::kColumns + 16 * p + 4 * lane.quad);
                float* const s = v + 8 * p + 2 * row;
                bool const is = exists<W>(2 * p, lane.quad);
                float4 const taken = *at;
                if (kLeave && is) *at = make_float4(s[0], s[1], s[4], s[5]);
                s[0] = is ? taken.x : 0, s[1] = is ? taken.y : 0, s[4] = is ? taken.z : 0, s[5] = is ? taken.w : 0;
            }
#pragma unroll
            for (int j = 2 * W::kPairs; j < W::kColumns / 8; ++j) {
                auto* const at = reinterpret_cast<float2*>(from + row * 8 * W::kColumns + 8 * j + 2 * lane.quad);
                float* const s = v + 4 * j + 2 * row;
                bool const is = exists<W>(j, lane.quad);
                float2 const taken = *at;
                if (kLeave && is) *at = make_float2(s[0], s[1]);
                s[0] = is ? taken.x : 0, s[1] = is ? taken.y : 0;
            }
        }
    }

    /// Adds what another tensor holds for the lane's two tokens; `rows`: their addresses, or null.
    __device__ void add_rows(float const* const (&rows)[2], int quad) {
#pragma unroll
        for (int row = 0; row < 2; ++row) {
            if (rows[row] == nullptr) continue;
#pragma unroll
            for (int p = 0; p < W::kPairs; ++p) {
                if (!exists<W>(2 * p, quad)) continue;
                float4 const c = *reinterpret_cast<float4 const*>(rows[row] + 16 * p + 4 * quad);
                float* const s = v + 8 * p + 2 * row;
                s[0] += c.x, s[1] += c.y, s[4] += c.z, s[5] += c.w;
            }
#pragma unroll
            for (int j = 2 * W::kPairs; j < W::kColumns / 8; ++j) {
                if (!exists<W>(j, quad)) continue;
                float2 const c = *reinterpret_cast<float2 const*>(rows[row] + 8 * j + 2 * quad);
                v[4 * j + 2 * row] += c.x, v[4 * j + 2 * row + 1] += c.y;
            }
        }
    }

    /// LayerNorm of each token as an operand. `weight` and `bias` lie in shared memory, times kNormFactor, zeros beyond
    /// the channels.
    __device__ void normalised(float const* weight, float const* bias, float epsilon, int quad,
                               std::uint32_t (&to)[W::kDepth / 4]) const {
        float mean[2], factor[2];
        moments(epsilon, quad, mean, factor);
#pragma unroll
        for (int p = 0; p < W::kPairs; ++p) {
            float4 const w = *reinterpret_cast<float4 const*>(weight + 16 * p + 4 * quad);
            float4 const b = *reinterpret_cast<float4 const*>(bias + 16 * p + 4 * quad);
#pragma unroll
            for (int row = 0; row < 2; ++row) {
                float const* const s = v + 8 * p + 2 * row;
                float const f = factor[row], m = -mean[row] * f;
                to[4 * p + row] = Fp16::pack(fmaf(fmaf(s[0], f, m), w.x, b.x), fmaf(fmaf(s[1], f, m), w.y, b.y));
                to[4 * p + 2 + row] = Fp16::pack(fmaf(fmaf(s[4], f, m), w.z, b.z), fmaf(fmaf(s[5], f, m), w.w, b.w));
            }
        }
#pragma unroll
        for (int j = 2 * W::kPairs; j < W::kDepth / 8; ++j) {
            bool const is = j < W::kColumns / 8;
            float2 const w = is ? *reinterpret_cast<float2 const*>(weight + 8 * j + 2 * quad) : make_float2(0, 0);
            float2 const b = is ? *reinterpret_cast<float2 const*>(bias + 8 * j + 2 * quad) : make_float2(0, 0);
#pragma unroll
            for (int row = 0; row < 2; ++row) {
                float const f = factor[row], m = -mean[row] * f;
                float const x0 = is ? v[4 * j + 2 * row] : 0, x1 = is ? v[4 * j + 2 * row + 1] : 0;
                to[2 * j + row] = is ? Fp16::pack(fmaf(fmaf(x0, f, m), w.x, b.x), fmaf(fmaf(x1, f, m), w.y, b.y)) : 0;
            }
        }
    }

private:
    /// Mean and 1 / √(variance + epsilon) of the lane's two tokens, the variance around the mean.
    __device__ void moments(float epsilon, int quad, float (&mean)[2], float (&factor)[2]) const {
        constexpr float kShare = 1.0F / W::kChannels;
#pragma unroll
        for (int row = 0; row < 2; ++row) {
            float even = 0, odd = 0;
#pragma unroll
            for (int j = 0; j < W::kColumns / 8; ++j) even += v[4 * j + 2 * row], odd += v[4 * j + 2 * row + 1];
            mean[row] = over_quads(even + odd) * kShare;
            even = odd = 0;
#pragma unroll
            for (int j = 0; j < W::kColumns / 8; ++j) {
                bool const is = exists<W>(j, quad);
                float const a = is ? v[4 * j + 2 * row] - mean[row] : 0,
                            b = is ? v[4 * j + 2 * row + 1] - mean[row] : 0;
                even = fmaf(a, a, even), odd = fmaf(b, b, odd);
            }
            factor[row] = rsqrtf(over_quads(even + odd) * kShare + epsilon);
        }
    }
    [[nodiscard]] __device__ static float over_quads(float sum) {
        sum += __shfl_xor_sync(0xFFFFFFFFU, sum, 1);
        return sum + __shfl_xor_sync(0xFFFFFFFFU, sum, 2);
    }
};

/// sums (+)= a · b, begun: `kSteps` sixteens of the depth, b packed by operand_index.
template <int kColumns, int kSteps>
__device__ void begin_products(float (&sums)[kColumns / 2], std::uint32_t const* a, std::uint32_t b, bool add) {
#pragma unroll
    for (int k = 0; k < kSteps; ++k) {
        begin_product<kColumns>(sums, a + 4 * k, matrix_descriptor(b + k * 2 * kColumns * 16, kColumns * 16),
                                add || k > 0);
    }
}

/// Slots of weights in shared memory that one warp fills in turn and all computing warpgroups empty. With as many slots
/// as weights nothing is ever emptied: they stay. A slot may hold parts of two weights.
template <int kSlots, int kWeights, int kFirstBytes, int kSecondBytes = 0>
struct Ring {
    static constexpr int kSlotBytes = kFirstBytes + kSecondBytes;
    static constexpr int kBytes = kSlots * kSlotBytes;
    static constexpr int kBarrierBytes = 2 * 8 * kSlots;
    static constexpr bool kStay = kSlots == kWeights;
    std::uint32_t slots, full, empty;  ///< addresses; a barrier of 8 bytes for each slot

    __device__ Ring(std::uint32_t slots_, std::uint32_t barriers)
        : slots(slots_), full(barriers), empty(barriers + 8 * kSlots) {}

    __device__ void init(int groups) const {
        for (int i = 0; i < kSlots; ++i) {
            init_barrier(full + 8 * i, 1);
            init_barrier(empty + 8 * i, 4 * groups);
        }
    }
    [[nodiscard]] __device__ std::uint32_t slot(int item) const { return slots + item % kSlots * kSlotBytes; }
    __device__ void wait_full(int item) const { wait(full + item % kSlots * 8, kStay ? 0 : item / kSlots & 1); }
    /// By each computing warp.
    __device__ void release(int item, Lane const& lane) const {
        if (!kStay && lane.first()) arrive(empty + item % kSlots * 8);
    }
    /// By one thread: the weights of every round, one behind the other in memory.
    __device__ void fill(std::byte const* first, std::byte const* second, int rounds) const {
        int const items = kStay ? kWeights : rounds * kWeights;
        for (int item = 0; item < items; ++item) {
            std::uint32_t const barrier = full + item % kSlots * 8;
            if (!kStay) wait(empty + item % kSlots * 8, (item / kSlots & 1) ^ 1);
            arrive_expecting(barrier, kSlotBytes);
            load_bulk(slot(item), first + item % kWeights * kFirstBytes, kFirstBytes, barrier);
            if (kSecondBytes > 0) {
                load_bulk(slot(item) + kFirstBytes, second + item % kWeights * kSecondBytes, kSecondBytes, barrier);
            }
        }
    }
};

/// A round in which a warpgroup has no tile: both rings go by. One weight of each at a time, as when computing: a ring
/// emptied ahead of the other would stop those that compute.
template <class FirstRing, class SecondRing>
__device__ void pass(FirstRing const& first, SecondRing const& second, int weights, int& item, Lane const& lane) {
    if constexpr (!FirstRing::kStay) {
        for (int i = 0; i < weights; ++i, ++item) {
            first.wait_full(item);
            __syncwarp();
            first.release(item, lane);
            second.wait_full(item);
            __syncwarp();
            second.release(item, lane);
        }
    }
}

/// Who computes which tile when: in each round the blocks' warpgroups take the next tiles, one each.
struct Rounds {
    int tiles, groups, step, count;

    __device__ Rounds(int tiles_, int groups_)
        : tiles(tiles_),
          groups(groups_),
          step(static_cast<int>(gridDim.x) * groups_),
          count((tiles_ + step - 1) / step) {}
    [[nodiscard]] __device__ int first(int group) const { return static_cast<int>(blockIdx.x) * groups + group; }
};

/// Two barriers for each warpgroup: its tile is there; it has taken the tile and left its result in its place.
struct TileBarriers {
    static constexpr int kBytes = 2 * 8;
    std::uint32_t first;

    [[nodiscard]] __device__ std::uint32_t full(int group) const { return first + 16 * group; }
    [[nodiscard]] __device__ std::uint32_t done(int group) const { return first + 16 * group + 8; }
    __device__ void init(int groups) const {
        for (int g = 0; g < groups; ++g) {
            init_barrier(full(g), 1);
            init_barrier(done(g), 4);
        }
    }
};

/// One warp that brings a warpgroup's tiles and takes results away while it computes. `Tiles` says where tokens lie:
///   int tokens(tile);  int64 pixel(tile, token) for every fourth token, the next three follow it.
template <class W>
struct TileMover {
    static constexpr int kTileBytes = kTokens * W::kColumns * 4;
    std::uint32_t stages;  ///< of all warpgroups
    TileBarriers barriers;
    float const* x;
    float* y;

    template <class Tiles>
    __device__ void run(Tiles const& tiles, int group, Rounds const& rounds) const {
        int tile = rounds.first(group), previous = -1;
        if (tile >= rounds.tiles) return;
        load(tiles, group, tile);
        for (std::uint32_t parity = 0;; parity ^= 1) {
            wait(barriers.done(group), parity);
            if (previous >= 0) {
                move<false>(tiles, group, previous);
                commit_stores();
            }
            if (tile >= rounds.tiles) break;
            wait_for_reads();
            __syncwarp();
            previous = tile;
            tile += rounds.step;
            if (tile < rounds.tiles) load(tiles, group, tile);
            else if (threadIdx.x % 32 == 0) arrive(barriers.full(group));
        }
        wait_for_stores();
    }

private:
    template <class Tiles>
    __device__ void load(Tiles const& tiles, int group, int tile) const {
        if (threadIdx.x % 32 == 0) arrive_expecting(barriers.full(group), tiles.tokens(tile) * W::kColumns * 4);
        __syncwarp();
        move<true>(tiles, group, tile);
    }
    template <bool kIn, class Tiles>
    __device__ void move(Tiles const& tiles, int group, int tile) const {
        int const lane = static_cast<int>(threadIdx.x) % 32;
        int const count = min(4, tiles.tokens(tile) - 4 * lane);
        if (count <= 0) return;
        std::int64_t const offset = tiles.pixel(tile, 4 * lane) * W::kColumns;
        std::uint32_t const at = stages + group * kTileBytes + lane * (kTileBytes / 16);
        if (kIn) load_bulk(at, x + offset, count * W::kColumns * 4, barriers.full(group));
        else store_bulk(y + offset, at, count * W::kColumns * 4);
    }
};

/// The rounds of one computing warpgroup: compute(stream, tile) for each of its tiles. Returns how many it had.
template <class W, class Arguments, class Compute>
__device__ int each_tile(Arguments const& a, float* stage, TileBarriers const& barriers, int group,
                         Rounds const& rounds, Lane const& lane, Compute const& compute) {
    auto const used = [&] {
        fence_shared();
        __syncwarp();
        if (lane.first()) arrive(barriers.done(group));
    };
    int tile = rounds.first(group), round = 0;
    if (tile >= rounds.tiles) return 0;
    Stream<W> stream;
    wait(barriers.full(group), 0);
    stream.template exchange<false>(stage, lane);
    used();
#pragma unroll 1
    do {
        compute(stream, tile);
        if (!a.residual_is_x && a.residual != nullptr) {
            float const* rows[2] = {};
            for (int i = 0; i < 2; ++i) {
                int const token = lane.token() + 8 * i;
                if (token >= a.tiles.tokens(tile)) continue;
                // The map knows whole quads of tokens.
                rows[i] = a.residual + (a.tiles.pixel(tile, token / 4 * 4) + token % 4) * W::kColumns;
            }
            stream.add_rows(rows, lane.quad);
        }
        wait(barriers.full(group), ++round & 1);
        stream.template exchange<true>(stage, lane);
        used();
        tile += rounds.step;
    } while (tile < rounds.tiles);
    return round;
}

/// Norms are multiplied by this before they are rounded, and what they are multiplied with is divided by it: where a
/// few channels of a token are huge, the others lie near 1e-4 behind the norm, where FP16 has lost half of its bits.
/// That leaves norms up to 255.
constexpr float kNormFactor = 256.0F, kOverNormFactor = 1.0F / kNormFactor;

/// Values on their way to shared memory: fetched by the computing threads before tiles fill memory's queues, written
/// when they are there.
template <int kCount, int kThreads>
struct VectorsInFlight {
    float values[(kCount + kThreads - 1) / kThreads];

    template <class Value>
    __device__ void fetch(Value const& value) {
        for_each([&](int i, int own) { values[own] = value(i); });
    }
    /// Those from `scaled` on times `factor`: arithmetic would wait for the values while they are fetched.
    __device__ void write(float* to, int scaled, float factor) const {
        for_each([&](int i, int own) { to[i] = i < scaled ? values[own] : factor * values[own]; });
        named_barrier(15, kThreads);
    }

private:
    template <class F>
    __device__ static void for_each(F const& f) {
#pragma unroll
        for (int own = 0; own < (kCount + kThreads - 1) / kThreads; ++own) {
            int const i = static_cast<int>(threadIdx.x) + own * kThreads;
            if (i < kCount && static_cast<int>(threadIdx.x) < kThreads) f(i, own);
        }
    }
};

/// One of a vector's values; zero where it ends and where there is no vector.
[[nodiscard]] __device__ inline float value_or_zero(float const* from, int i, int count) {
    return i < count && from != nullptr ? from[i] : 0.0F;
}

}  // namespace vitrum::cuda::hopper
