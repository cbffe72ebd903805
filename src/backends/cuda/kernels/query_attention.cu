// SPDX-License-Identifier: Apache-2.0
// Queries that look at all pixels of a picture, on tensor cores. There are few queries, so that the pixels are split
// among blocks, whose softmaxes are then joined (as flash-decoding does).
#include "../operands.h"
#include "fragments.cuh"
#include "query_parts.cuh"

namespace vitrum::cuda {
namespace {

using Op = QueryAttention;

constexpr int kDimSteps = kQueryTileDim / 8;
/// Of float32 numbers, which are the sum of two TF32 operands, tensor cores cut sums off instead of rounding them: sums
/// begin from zero every so many steps of eight numbers.
template <int kParts>
constexpr int kStepsAtOnce = kParts == 1 ? kDimSteps : 2;

/// Rows of 36 floats: what the lanes of a warp read of keys, and of values, lies in 32 banks.
struct Stage {
    static constexpr int kStride = kQueryTileDim + 4;
    alignas(16) float keys[kKeysAtOnce][kStride];
    alignas(16) float values[kKeysAtOnce][kStride];

    /// Keys from `first` on, zeros behind the last and behind the head's last channel.
    __device__ void fetch(QueryLayout const& l, QueryItem const& item, std::int64_t first) {
        constexpr int kQuads = kQueryTileDim / 4;
        for (int i = static_cast<int>(threadIdx.x); i < kKeysAtOnce * kQuads; i += static_cast<int>(blockDim.x)) {
            int const key = i / kQuads, d = i % kQuads * 4;
            bool const exists = first + key < l.count && d < l.dim;
            std::int64_t const pixel = item.n * l.count + (exists ? first + key : 0);
            int const channel = item.head * l.dim + (exists ? d : 0);
            copy_async_or_zero(&keys[key][d], l.keys.at(pixel) + channel, exists);
            copy_async_or_zero(&values[key][d], l.values.at(pixel) + channel, exists);
        }
        commit_copies();
    }
};

/// A right operand of 8 × 8 numbers, rounded or as two parts.
template <int kParts>
struct RightParts {
    std::uint32_t parts[kParts][2];

    __device__ RightParts(float first, float second) {
        float const v[2] = {first, second};
#pragma unroll
        for (int i = 0; i < 2; ++i) {
            parts[0][i] = Tf32::pack(v[i]);
            if constexpr (kParts == 2) parts[1][i] = Tf32::pack(v[i] - Tf32::unpack(parts[0][i]));
        }
    }
};
/// A left operand of 16 × 8.
template <int kParts>
struct LeftParts {
    std::uint32_t parts[kParts][4];

    __device__ void set(int i, float v) {
        parts[0][i] = Tf32::pack(v);
        if constexpr (kParts == 2) parts[1][i] = Tf32::pack(v - Tf32::unpack(parts[0][i]));
    }
};
template <int kParts>
__device__ void add_product(float (&sums)[4], LeftParts<kParts> const& left, RightParts<kParts> const& right) {
    if constexpr (kParts == 2) {
        multiply_add<Tf32>(sums, left.parts[1], right.parts[0]);
        multiply_add<Tf32>(sums, left.parts[0], right.parts[1]);
    }
    multiply_add<Tf32>(sums, left.parts[0], right.parts[0]);
}

/// The largest or the sum, or any bit, of the four lanes that share a row.
template <class T, class F>
[[nodiscard]] __device__ T of_row(T value, F const& join) {
    value = join(value, __shfl_xor_sync(0xFFFFFFFFU, value, 1));
    return join(value, __shfl_xor_sync(0xFFFFFFFFU, value, 2));
}
[[nodiscard]] __device__ float larger(float a, float b) {
    return fmaxf(a, b);
}

/// Sixteen queries of a warp: lane 4 g + t has rows g and g + 8.
template <int kParts>
struct Queries {
    std::int64_t first;
    int lane, g, t;
    LeftParts<kParts> operands[kDimSteps];
    float sums[kDimSteps][4] = {};
    float largest[2] = {-INFINITY, -INFINITY}, total[2] = {};
    bool seen[2] = {};

    __device__ Queries(QueryLayout const& l, QueryItem const& item)
        : first(item.first_query + threadIdx.x / 32 * kWarpQueries),
          lane(static_cast<int>(threadIdx.x) % 32),
          g(lane / 4),
          t(lane % 4) {
        // Of the softmax's base 2.
        float const scale = 1.4426950408889634F / sqrtf(static_cast<float>(l.dim));
#pragma unroll
        for (int i = 0; i < kDimSteps * 4; ++i) {
            std::int64_t const query = row(i % 2);
            int const d = i / 4 * 8 + i % 4 / 2 * 4 + t;
            bool const exists = query < l.queries.w && d < l.dim;
            float const* const from = l.queries.at(item.n * l.queries.w + query) + item.head * l.dim + d;
            operands[i / 4].set(i % 4, exists ? *from * scale : 0.0F);
        }
    }
    [[nodiscard]] __device__ std::int64_t row(int half) const {
        return first + g + 8 * half;
    }

    /// Without a mask, no key is *seen*, so that all count.
    [[nodiscard]] __device__ std::uint32_t visible(QueryLayout const& l, QueryItem const& item,
                                                   std::int64_t key) const {
        if (l.mask.data == nullptr || first >= l.queries.w) return 0;
        return l.visible[l.words.at(item.n, key, first, lane)];
    }

    /// Logits of the keys; what the row does not look at is −∞.
    __device__ void look(Stage const& stage, std::uint32_t visible, std::int64_t left, float (&logits)[kKeyTiles][4]) {
#pragma unroll
        for (int j = 0; j < kKeyTiles; ++j) {
#pragma unroll
            for (float& logit : logits[j]) logit = 0;
#pragma unroll
            for (int s = 0; s < kDimSteps; s += kStepsAtOnce<kParts>) {
                float added[4] = {};
#pragma unroll
                for (int i = s; i < s + kStepsAtOnce<kParts>; ++i) {
                    float const* const key = stage.keys[8 * j + g] + 8 * i + t;
                    add_product(added, operands[i], RightParts<kParts>(key[0], key[4]));
                }
#pragma unroll
                for (int i = 0; i < 4; ++i) logits[j][i] += added[i];
            }
        }
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            std::uint32_t const own = visible & (half == 0 ? 0x33333333U : 0xCCCCCCCCU);
            bool const any = of_row(own, [](std::uint32_t a, std::uint32_t b) { return a | b; }) != 0;
            if (any && !seen[half]) largest[half] = -INFINITY;  // keys before do not count any more
            seen[half] = seen[half] || any;
        }
#pragma unroll
        for (int i = 0; i < kKeyTiles * 4; ++i) {
            bool const exists = i / 4 * 8 + 2 * t + i % 2 < left;
            bool const counts = seen[i % 4 / 2] ? (visible >> i & 1) != 0 : exists;
            if (!counts) logits[i / 4][i % 4] = -INFINITY;
        }
    }

    /// Adds the keys to the softmax and the weighted values.
    __device__ void add(Stage const& stage, float (&logits)[kKeyTiles][4]) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            float most = largest[half];
#pragma unroll
            for (int i = 0; i < kKeyTiles * 2; ++i) most = fmaxf(most, logits[i / 2][2 * half + i % 2]);
            most = of_row(most, larger);
            float const scale = exp2_approximate(largest[half] - most);
            largest[half] = most;
            total[half] *= scale;
#pragma unroll
            for (int i = 0; i < kKeyTiles * 2; ++i) {
                float& logit = logits[i / 2][2 * half + i % 2];
                logit = exp2_approximate(logit - most);
                total[half] += logit;
            }
#pragma unroll
            for (int i = 0; i < kDimSteps * 2; ++i) sums[i / 2][2 * half + i % 2] *= scale;
        }
#pragma unroll
        for (int j = 0; j < kKeyTiles; j += kStepsAtOnce<kParts>) add_values(stage, logits, j);
    }

    /// Adds the values of as many tiles of keys at once, times their weights.
    __device__ void add_values(Stage const& stage, float const (&weights_of)[kKeyTiles][4], int first_tile) {
        float added[kDimSteps][4] = {};
#pragma unroll
        for (int j = first_tile; j < first_tile + kStepsAtOnce<kParts>; ++j) {
            LeftParts<kParts> weights;  // keys 2 t and 2 t + 1 in the places of t and t + 4, in both operands
#pragma unroll
            for (int i = 0; i < 4; ++i) weights.set(i, weights_of[j][i % 2 * 2 + i / 2]);
#pragma unroll
            for (int d = 0; d < kDimSteps; ++d) {
                float const* const value = stage.values[8 * j + 2 * t] + 8 * d + g;
                add_product(added[d], weights, RightParts<kParts>(value[0], value[Stage::kStride]));
            }
        }
#pragma unroll
        for (int i = 0; i < kDimSteps * 4; ++i) sums[i / 4][i % 4] += added[i / 4][i % 4];
    }

    __device__ void store(QueryLayout const& l, QueryItem const& item) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            float const sum = of_row(total[half], [](float a, float b) { return a + b; });
            std::int64_t const query = row(half);
            if (query >= l.queries.w) continue;
            bool const is_whole = l.cut.parts == 1;
            float* const part = is_whole ? nullptr : l.part_of(item.n, item.head, query, item.part);
            float* const to = is_whole ? l.y.at(item.n * l.queries.w + query) + item.head * l.dim
                                       : part + kPartFloats - kQueryTileDim;
            float const factor = is_whole ? 1.0F / sum : 1.0F;
            if (!is_whole && t == 0) {
                part[0] = largest[half];
                part[1] = sum;
                part[2] = seen[half] ? 1.0F : 0.0F;
            }
#pragma unroll
            for (int i = 0; i < kDimSteps * 2; ++i) {
                int const d = i / 2 * 8 + 2 * t + i % 2;
                if (d < l.dim) to[d] = sums[i / 2][2 * half + i % 2] * factor;
            }
        }
    }
};

/// A thread makes a word.
constexpr int kWordThreads = 128;
__global__ void __launch_bounds__(kWordThreads) words_kernel(QueryLayout l) {
    take_turn();
    std::int64_t const index = static_cast<std::int64_t>(blockIdx.x) * kWordThreads + threadIdx.x;
    if (index >= l.mask.n * l.words.of_picture()) return;
    int const lane = static_cast<int>(index % 32);
    Quotient const by_query = divide(index / 32, l.words.query_tiles);
    Quotient const by_key = divide(by_query.whole, l.words.key_tiles);
    std::int64_t const key = by_key.rest * kKeysAtOnce + 2 * (lane % 4),
                       query = by_query.rest * kWarpQueries + lane / 4;
    float const* const row = l.mask.at(by_key.whole * l.count);
    float left[kKeyTiles * 4];
#pragma unroll
    for (int i = 0; i < kKeyTiles * 4; ++i) {  // all of them under way
        std::int64_t const own_key = min(key + i / 4 * 8 + i % 2, l.count - 1);
        left[i] = row[own_key * l.mask.stride + min(query + i % 4 / 2 * 8, l.queries.w - 1)];
    }
    std::uint32_t bits = 0;
#pragma unroll
    for (int i = 0; i < kKeyTiles * 4; ++i) {
        bool const exists = key + i / 4 * 8 + i % 2 < l.count && query + i % 4 / 2 * 8 < l.queries.w;
        bits |= (!exists || left[i] < 0 ? 0U : 1U) << i;
    }
    l.visible[index] = bits;
}

/// A block has some queries of a head, sixteen for a warp, and one part of the keys.
template <int kParts>
__global__ void __launch_bounds__(kQueriesPerBlock * 2) query_kernel(QueryLayout l) {
    __shared__ Stage stages[2];
    take_turn();
    QueryItem const item(l);
    std::int64_t const begin = item.part * l.cut.keys_per_part, end = min(l.count, begin + l.cut.keys_per_part);
    stages[0].fetch(l, item, begin);
    Queries<kParts> queries(l, item);
    int buffer = 0;
    for (std::int64_t first = begin; first < end; first += kKeysAtOnce, buffer ^= 1) {
        std::uint32_t const visible = queries.visible(l, item, first);
        wait_for_copies<0>();
        __syncthreads();
        if (first + kKeysAtOnce < end) stages[buffer ^ 1].fetch(l, item, first + kKeysAtOnce);
        float logits[kKeyTiles][4];
        queries.look(stages[buffer], visible, end - first, logits);
        queries.add(stages[buffer], logits);
    }
    queries.store(l, item);
}

constexpr int kJoinWarps = 4;

/// A query's result of a head from its parts: those that saw a key, or all if none did. A warp has one; its lanes are
/// first parts, then channels.
__global__ void __launch_bounds__(kJoinWarps * 32) join_kernel(QueryLayout l) {
    take_turn();
    std::int64_t const item = static_cast<std::int64_t>(blockIdx.x) * kJoinWarps + threadIdx.x / 32;
    if (item >= l.queries.count() * l.heads) return;  // a whole warp
    int const lane = static_cast<int>(threadIdx.x) % 32;
    Quotient const by_head = divide(item, l.heads), by_query = divide(by_head.whole, l.queries.w);
    float const* const parts = l.part_of(by_query.whole, static_cast<int>(by_head.rest), by_query.rest, 0);
    auto const largest_of_warp = [](float value) {
        for (int other = 16; other > 0; other /= 2) value = larger(value, __shfl_xor_sync(0xFFFFFFFFU, value, other));
        return value;
    };
    float seen = 0, largest = -INFINITY, total = 0, sum = 0;
    for (std::int64_t i = lane; i < l.cut.parts; i += 32) seen = fmaxf(seen, parts[i * kPartFloats + 2]);
    seen = largest_of_warp(seen);
    for (std::int64_t i = lane; i < l.cut.parts; i += 32) {
        if (parts[i * kPartFloats + 2] == seen) largest = fmaxf(largest, parts[i * kPartFloats]);
    }
    largest = largest_of_warp(largest);
    for (std::int64_t first = 0; first < l.cut.parts; first += 32) {
        float const* const own = parts + (first + lane) * kPartFloats;
        bool const counts = first + lane < l.cut.parts && own[2] == seen;
        float const weight = counts ? exp2f(own[0] - largest) : 0.0F;
        if (counts) total = fmaf(weight, own[1], total);
        int const count = static_cast<int>(min(static_cast<std::int64_t>(32), l.cut.parts - first));
#pragma unroll 8
        for (int i = 0; i < count; ++i) {
            float const of_part = __shfl_sync(0xFFFFFFFFU, weight, i);
            float const value =
                lane < l.dim ? parts[(first + i) * kPartFloats + kPartFloats - kQueryTileDim + lane] : 0.0F;
            sum = fmaf(of_part, value, sum);
        }
    }
    total = warp_sum(total);
    if (lane < l.dim) l.y.at(by_head.whole)[static_cast<int>(by_head.rest) * l.dim + lane] = sum / total;
}

}  // namespace

template <Precision operands>
std::size_t QueryTilesKernel<operands>::workspace_bytes(Op const& op, Problem const& problem, int) {
    return QueryParts(op, problem.inputs[Op::kQueries], problem.inputs[Op::kKeys], problem.present[Op::kMask], nullptr)
        .bytes;
}

template <Precision operands>
void QueryTilesKernel<operands>::launch(Op const& op, Launch const& launch) {
    auto const in = launch.inputs;
    Pixels const queries(in[Op::kQueries]), keys(in[Op::kKeys]), mask(in[Op::kMask]);
    QueryParts const parts(op, in[Op::kQueries].shape, in[Op::kKeys].shape, mask.data != nullptr, launch.workspace);
    QueryLayout const l{.queries = queries,
                        .keys = keys,
                        .values = Pixels(in[Op::kValues]),
                        .mask = mask,
                        .y = Pixels(launch.outputs[0]),
                        .heads = op.heads,
                        .dim = queries.c / op.heads,
                        .count = keys.h * keys.w,
                        .cut = KeyCut(op, in[Op::kQueries].shape, in[Op::kKeys].shape),
                        .words = MaskWords(in[Op::kQueries].shape, in[Op::kKeys].shape),
                        .joined = parts.joined,
                        .visible = parts.visible};
    VITRUM_ASSERT(l.keys.vector && l.values.vector);
    if (mask.data != nullptr) {
        start<Start::early>(launch.stream, words_kernel, divide_up(mask.n * l.words.of_picture(), kWordThreads),
                            kWordThreads, l);
    }
    std::int64_t const warps =
        std::min<std::int64_t>(divide_up(queries.w, kWarpQueries), kQueriesPerBlock / kWarpQueries);
    start<Start::early>(launch.stream, query_kernel<operand_parts(operands)>,
                        queries.n * l.heads * l.cut.tiles * l.cut.parts, static_cast<int>(warps) * 32, l);
    if (l.cut.parts == 1) return;
    start<Start::early>(launch.stream, join_kernel, divide_up(queries.count() * l.heads, kJoinWarps), kJoinWarps * 32,
                        l);
}

template struct QueryTilesKernel<Precision::tf32>;
template struct QueryTilesKernel<Precision::fp32>;

}  // namespace vitrum::cuda
