// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tiles.cuh"

// Half-blocks of Swin layers on Hopper. One warpgroup owns one tile of 64 tokens: their channels stay in float32
// registers, laid out as the sums of a product, from load to store. That layout is also the operand's, so that
// normalisation, softmax and GELU feed the next product from registers. A warpgroup of its own brings weights and
// tiles: its first two warps the weights of two rings (see Ring), the others the tiles (see TileMover).

namespace vitrum::cuda::hopper {

constexpr int kTokens = 64;  // of a tile: the rows of one product of a warpgroup

/// Which token a row of a product stands for: neighbouring rows, which lanes read together from a tile of tokens, are
/// two tokens apart. Tokens of 184 floats then lie on different banks.
[[nodiscard]] __device__ constexpr int token_of_row(int row) {
    return row / 4 * 4 + row % 2 * 2 + row / 2 % 2;
}
/// The token of the lane's upper row; the lower one's is 8 more.
[[nodiscard]] __device__ inline int token_of(Lane const& lane) {
    return 16 * lane.warp + token_of_row(lane.row);
}

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
    /// By a power of two, which is nearly always one.
    __device__ void scale(float factor) {
        if (factor == 1.0F) return;
#pragma unroll
        for (int i = 0; i < W::kColumns / 2; ++i) v[i] *= factor;
    }
    __device__ void clear() {
#pragma unroll
        for (int i = 0; i < W::kColumns / 2; ++i) v[i] = 0;
    }

    /// Takes a tile from shared memory, and with kLeave leaves the present one there. What lies in memory between
    /// channels and the pixel's end is not looked at.
    template <bool kLeave>
    __device__ void exchange(float* tile, Lane const& lane) {
        float* const from = tile + token_of(lane) * W::kColumns;
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
            // Else the compiler prepares all of a wide token at once, for which registers do not suffice.
            if (W::kPairs > 8 && p % 2 == 0) __syncwarp();
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

/// Named barrier of all computing warpgroups.
constexpr int kAllComputing = 15;

/// Two warpgroups begin their large products in turns: one's run while the other one computes between products. Side by
/// side both would end late, and together.
template <int kGroups>
struct Order {
    static constexpr int kBarrier = 5;  // and the next one
    int group;

    __device__ explicit Order(int group_) : group(group_) {
        if (group == 1) pass_on();
    }
    __device__ void await() const {
        if (kGroups == 2) named_barrier(kBarrier + group, 2 * kGroup);
    }
    __device__ void pass_on() const {
        if (kGroups == 2) arrive_at_named_barrier(kBarrier + 1 - group, 2 * kGroup);
    }
};

/// A round in which a warpgroup has no tile: both rings and the turns go by. One weight of each at a time, as when
/// computing: a ring emptied ahead of the other would stop those that compute.
template <class FirstRing, class SecondRing, class Order>
__device__ void pass(FirstRing const& first, SecondRing const& second, int weights, int& item, Lane const& lane,
                     Order const& order) {
    if constexpr (!FirstRing::kStay) {
        for (int i = 0; i < weights; ++i, ++item) {
            first.wait_full(item);
            order.await();
            order.pass_on();
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
    /// The last round, which has fewer tiles, is spread over the blocks.
    [[nodiscard]] __device__ int first(int group) const {
        return group * static_cast<int>(gridDim.x) + static_cast<int>(blockIdx.x);
    }
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

/// One warp that brings a warpgroup's tiles and takes results away while it computes. A `Tile` says where tokens lie:
///   int tokens();  int64 pixel(token), and whole quads of tokens follow each other.
template <class W, class Tile>
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
        await_previous();
        load(Tile(tiles, tile), group);
        for (std::uint32_t parity = 0;; parity ^= 1) {
            wait(barriers.done(group), parity);
            if (previous >= 0) {
                move<false>(Tile(tiles, previous), group);
                commit_stores();
            }
            if (tile >= rounds.tiles) break;
            wait_for_reads();
            __syncwarp();
            previous = tile;
            tile += rounds.step;
            if (tile < rounds.tiles) load(Tile(tiles, tile), group);
            else if (threadIdx.x % 32 == 0) arrive(barriers.full(group));
        }
        wait_for_stores();
    }

private:
    __device__ void load(Tile const& tile, int group) const {
        if (threadIdx.x % 32 == 0) arrive_expecting(barriers.full(group), tile.tokens() * W::kColumns * 4);
        __syncwarp();
        move<true>(tile, group);
    }
    template <bool kIn>
    __device__ void move(Tile const& tile, int group) const {
        int const lane = static_cast<int>(threadIdx.x) % 32;
        int const count = min(4, tile.tokens() - 4 * lane);
        if (count <= 0) return;
        std::int64_t const offset = tile.pixel(4 * lane) * W::kColumns;
        std::uint32_t const at = stages + group * kTileBytes + lane * (kTileBytes / 16);
        if (kIn) load_bulk(at, x + offset, count * W::kColumns * 4, barriers.full(group));
        else store_bulk(y + offset, at, count * W::kColumns * 4);
    }
};

/// The rounds of one computing warpgroup: compute(stream, tile) for each of its tiles. Returns how many it had.
template <class W, class Tile, class Arguments, class Compute>
__device__ int each_tile(Arguments const& a, float* stage, TileBarriers const& barriers, int group,
                         Rounds const& rounds, Lane const& lane, Compute const& compute) {
    // compute-sanitizer's racecheck sees no order in __syncwarp, so that it takes the mover's next copies for hazards;
    // it reports none where every lane arrives.
    auto const used = [&] {
        fence_shared();
        __syncwarp();
        if (lane.first()) arrive(barriers.done(group));
    };
    int index = rounds.first(group), round = 0;
    if (index >= rounds.tiles) return 0;
    Stream<W> stream;
    wait(barriers.full(group), 0);
    stream.template exchange<false>(stage, lane);
    used();
#pragma unroll 1
    do {
        Tile const tile(a.tiles, index);
        compute(stream, tile);
        if (!a.residual_is_x && a.residual != nullptr) {
            await_previous();
            float const* rows[2] = {};
            for (int i = 0; i < 2; ++i) {
                int const token = token_of(lane) + 8 * i;
                if (token < tile.tokens()) rows[i] = a.residual + tile.pixel(token) * W::kColumns;
            }
            stream.add_rows(rows, lane.quad);
        }
        wait(barriers.full(group), ++round & 1);
        stream.template exchange<true>(stage, lane);
        used();
        index += rounds.step;
    } while (index < rounds.tiles);
    return round;
}

}  // namespace vitrum::cuda::hopper
