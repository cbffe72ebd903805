// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "swin_range.cuh"
#include "swin_windows.cuh"

// Attention inside windows, the first half of a Swin layer, for one window of a warpgroup.

namespace vitrum::cuda::hopper {

/// Where the vectors of the half lie in shared memory, in floats.
template <class W>
struct AttentionVectors {
    static constexpr int kProjectionBias = W::kHeads * W::kQkvColumns;  ///< behind those of q, k and v
    static constexpr int kTable = kProjectionBias + W::kColumns;
    static constexpr int kNormWeight = kTable + table_floats(W::kHeads);
    static constexpr int kNormBias = kNormWeight + W::kColumns;
    static constexpr int kFloats = kNormBias + W::kColumns;
};

struct AttentionScales : HalfBlockScales {  // `sums` gives scaled values
    float scores;
};

/// As packed by the kernels' packings().
template <class W>
struct AttentionWeights {
    using V = AttentionVectors<W>;
    std::byte const *qkv = nullptr, *projection = nullptr;
    Vector qkv_bias, projection_bias, table, norm_weight, norm_bias;
    float epsilon = 0, scale = 0;

    AttentionWeights() = default;
    AttentionWeights(WindowAttention const& op, std::byte const* const* packed)
        : qkv(packed[0]),
          projection(packed[1]),
          qkv_bias{floats(packed[2]), 0, V::kProjectionBias},
          projection_bias{floats(packed[3]), V::kProjectionBias, W::kColumns},
          table{floats(packed[4]), V::kTable, table_floats(W::kHeads)},
          norm_weight{floats(packed[5]), V::kNormWeight, W::kColumns},
          norm_bias{floats(packed[6]), V::kNormBias, W::kColumns},
          epsilon(op.norm_epsilon),
          scale(op.scale) {}

    /// By one thread.
    __device__ void load_vectors(std::uint32_t to, std::uint32_t barrier) const {
        for (Vector const* const v : {&norm_weight, &norm_bias, &qkv_bias, &projection_bias, &table}) {
            v->load(to, barrier);
        }
    }
    [[nodiscard]] __device__ AttentionScales scales() const {
        HalfBlockScales const half(norm_weight, norm_bias, qkv_bias, weight_info(qkv + W::kHeads * W::kQkvBytes),
                                   weight_info(projection + W::kHeads * W::kProjectionBytes), W::kChannels);
        AttentionScales all{half, scale / (half.values * half.values)};
        all.sums *= half.values;
        return all;
    }
    /// Once the vectors are there. The team synchronises behind it.
    template <class Team>
    __device__ void scale_vectors(float* vectors, AttentionScales const& by, Team const& team) const {
        norm_weight.scale(vectors, by.norm, team);
        norm_bias.scale(vectors, by.norm, team);
        projection_bias.scale(vectors, by.output, team);
        qkv_bias.scale(vectors, by.values, team);
        team.sync();
        if (by.values != 1 && team.thread < W::kHeads) {
            vectors[team.thread * W::kQkvColumns + 2 * W::kHead + W::kHeadChannels] = 1;
        }
    }
};

/// One computing warpgroup. `Qkv` and `Projection` are rings of weights, or parts of one.
template <class W, int kGroups, class Qkv, class Projection>
struct Attention {
    using V = AttentionVectors<W>;
    static constexpr int kQkvColumns = W::kQkvColumns;
    static constexpr bool kAhead = kGroups <= 2;               ///< four warpgroups lack the registers
    static constexpr int kKeysBytes = kTokens * W::kHead * 2;  ///< and as many of values behind them
    Qkv qkv_ring;
    Projection projection_ring;
    std::uint32_t keys;
    float const* vectors;  ///< in shared memory
    AttentionScales scales;
    float epsilon;
    bool residual_is_x;
    int group, item;
    Order<kGroups> order;
    Lane lane;

    /// stream = x + projection(attention(norm(x))), or without x.
    __device__ __forceinline__ void window(Stream<W>& stream, WindowTile const& tile) {
        std::uint32_t x[W::kDepth / 4];
        stream.normalised(vectors + V::kNormWeight, vectors + V::kNormWeight + W::kColumns, epsilon, lane.quad, x);
        if (!residual_is_x) stream.clear();
        stream.scale(scales.output);
        stream.add(vectors + V::kProjectionBias, lane.quad);
        int const row_seam = tile.row_seam(), column_seam = tile.column_seam();
        if (Qkv::kStay) item = 0;
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
            if constexpr (kAhead) {  // the next head's q and k beside this one's softmax
                qkv_ring.wait_full(item + 1);
                order.await();
                fence_products();
                begin_queries_and_keys(sums, x, item + 1);
                commit_products();
                order.pass_on();
            }
            mix(scores, result);
            if constexpr (kAhead) settle(sums.queries_and_keys);
            projection_ring.wait_full(item);
            if (!kAhead) qkv_ring.wait_full(item + 1);
            fence_products();
            begin_projection(stream.v, result, item);  // and what is left of the next head's product
            if (!kAhead) begin_queries_and_keys(sums, x, item + 1);
            begin_values(sums, x, item + 1);
            commit_products();
            wait_for_products<0>();
            if (!kAhead) settle(sums.queries_and_keys);
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
        begin_products<kColumns, W::kDepth / 16, kQkvColumns>(sums, x, qkv_ring.slot(at) + kFirst * 16, false);
    }
    __device__ void begin_projection(float (&sums)[W::kColumns / 2], std::uint32_t const (&result)[W::kHead / 4],
                                     int at) const {
        begin_products<W::kColumns, W::kHead / 16>(sums, result, projection_ring.slot(at), true);
    }
    /// q stays in registers, k and v go to shared memory.
    __device__ void distribute(Sums& sums, int head, std::uint32_t (&query)[W::kHead / 4]) {
        float const* const bias = vectors + head * kQkvColumns + 2 * lane.quad;
#pragma unroll
        for (int j = 0; j < kQkvColumns / 8; ++j) {
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
            store_matrices_transposed(keys + kKeysBytes + tokens * (W::kHead * 16) + (j + matrix / 2) * 128 + row * 16,
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
        float const* const table = vectors + V::kTable + head * kOffsets + (2 * here.warp + kWindow) * kOffsetSide +
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
            s[0] = fmaf(s[0], scales.scores, bias[j + 1][0]), s[1] = fmaf(s[1], scales.scores, bias[j + 1][1]);
            s[2] = fmaf(s[2], scales.scores, bias[j][0]), s[3] = fmaf(s[3], scales.scores, bias[j][1]);
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
        begin_products<W::kHead, kTokens / 16>(sums, weights, keys + kKeysBytes, false);
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

}  // namespace vitrum::cuda::hopper
