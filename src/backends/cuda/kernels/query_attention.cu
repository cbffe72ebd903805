// SPDX-License-Identifier: Apache-2.0
// Queries that look at all pixels of a picture, on tensor cores. There are few queries, so that the pixels are split
// among blocks, whose softmaxes are then joined (as flash-decoding does).
#include "../operands.h"
#include "../query_kernels.h"
#include "fragments.cuh"

namespace vitrum::cuda {
namespace {

using Op = QueryAttention;

constexpr int kDim = kQueryTileDim, kDimSteps = kDim / 8;
constexpr int kQueriesPerBlock = 128;
constexpr int kKeysAtOnce = 64, kKeyTiles = kKeysAtOnce / 8;
/// Of float32 numbers, which are the sum of two TF32 operands, tensor cores cut sums off instead of rounding them: sums
/// begin from zero every so many steps of eight numbers.
template <int kParts>
constexpr int kStepsAtOnce = kParts == 1 ? kDimSteps : 2;
constexpr int kPartFloats = kDim + 4;  ///< of a query's part: maximum, sum, whether it saw a key, –, weighted values

/// How the keys of a picture are cut.
struct Cut {
    std::int64_t tiles, parts, keys_per_part;

    Cut(Op const& op, Shape const& queries, Shape const& keys) : tiles(divide_up(queries[2], kQueriesPerBlock)) {
        constexpr std::int64_t kBlocks = 256, kFewKeys = 128;
        std::int64_t const count = keys[1] * keys[2];
        std::int64_t const wanted = count <= kFewKeys ? 1 : divide_up(kBlocks, queries[0] * op.heads * tiles);
        keys_per_part = round_up(divide_up(count, wanted), kKeysAtOnce);
        parts = divide_up(count, keys_per_part);
    }
    [[nodiscard]] std::int64_t floats(Op const& op, Shape const& queries) const {
        return parts == 1 ? 0 : queries[0] * op.heads * queries[2] * parts * kPartFloats;
    }
};

struct Layout {
    Pixels queries, keys, values, mask, y;
    int heads, dim;
    std::int64_t count;  ///< keys of a picture
    Cut cut;
    float* joined;  ///< [n][head][query][part][kPartFloats]

    [[nodiscard]] __device__ float* part_of(std::int64_t n, int head, std::int64_t query, std::int64_t part) const {
        return joined + (((n * heads + head) * queries.w + query) * cut.parts + part) * kPartFloats;
    }
};

/// What a block has.
struct Item {
    std::int64_t n, first_query, part;
    int head;

    __device__ explicit Item(Layout const& l) {
        Quotient const by_part = divide(static_cast<std::int64_t>(blockIdx.x), l.cut.parts);
        Quotient const by_tile = divide(by_part.whole, l.cut.tiles);
        Quotient const by_head = divide(by_tile.whole, l.heads);
        n = by_head.whole;
        first_query = by_tile.rest * kQueriesPerBlock;
        part = by_part.rest;
        head = static_cast<int>(by_head.rest);
    }
};

/// Rows of 36 floats: what the lanes of a warp read of keys, and of values, lies in 32 banks.
struct Stage {
    static constexpr int kStride = kDim + 4;
    alignas(16) float keys[kKeysAtOnce][kStride];
    alignas(16) float values[kKeysAtOnce][kStride];

    /// Keys from `first` on, zeros behind the last and behind the head's last channel.
    __device__ void fetch(Layout const& l, Item const& item, std::int64_t first) {
        constexpr int kQuads = kDim / 4;
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

    __device__ Queries(Layout const& l, Item const& item)
        : first(item.first_query + threadIdx.x / 32 * 16),
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

    /// Bit 4 j + i: whether the mask leaves key 8 j + 2 t + i % 2 to row i / 2. Without a mask, no key is *seen*, so
    /// that all count.
    [[nodiscard]] __device__ std::uint32_t visible(Layout const& l, Item const& item, std::int64_t key) const {
        if (l.mask.data == nullptr) return 0;
        std::uint32_t bits = 0;
#pragma unroll
        for (int i = 0; i < kKeyTiles * 4; ++i) {
            std::int64_t const at = key + i / 4 * 8 + 2 * t + i % 2, query = row(i % 4 / 2);
            bool const exists = at < l.count && query < l.queries.w;
            float const mask = exists ? l.mask.at(item.n * l.count + at)[query] : -1.0F;
            bits |= (mask < 0 ? 0U : 1U) << i;
        }
        return bits;
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

    __device__ void store(Layout const& l, Item const& item) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            float const sum = of_row(total[half], [](float a, float b) { return a + b; });
            std::int64_t const query = row(half);
            if (query >= l.queries.w) continue;
            bool const is_whole = l.cut.parts == 1;
            float* const part = is_whole ? nullptr : l.part_of(item.n, item.head, query, item.part);
            float* const to =
                is_whole ? l.y.at(item.n * l.queries.w + query) + item.head * l.dim : part + kPartFloats - kDim;
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

/// A block has some queries of a head, sixteen for a warp, and one part of the keys.
template <int kParts>
__global__ void __launch_bounds__(kQueriesPerBlock * 2) query_kernel(Layout l) {
    __shared__ Stage stages[2];
    Item const item(l);
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
__global__ void __launch_bounds__(kJoinWarps * 32) join_kernel(Layout l) {
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
            float const value = lane < l.dim ? parts[(first + i) * kPartFloats + kPartFloats - kDim + lane] : 0.0F;
            sum = fmaf(of_part, value, sum);
        }
    }
    total = warp_sum(total);
    if (lane < l.dim) l.y.at(by_head.whole)[static_cast<int>(by_head.rest) * l.dim + lane] = sum / total;
}

}  // namespace

template <Precision operands>
std::size_t QueryTilesKernel<operands>::workspace_bytes(Op const& op, Problem const& problem, int) {
    Shape const& queries = problem.inputs[Op::kQueries];
    return static_cast<std::size_t>(Cut(op, queries, problem.inputs[Op::kKeys]).floats(op, queries)) * sizeof(float);
}

template <Precision operands>
void QueryTilesKernel<operands>::launch(Op const& op, Launch const& launch) {
    auto const in = launch.inputs;
    Pixels const queries(in[Op::kQueries]), keys(in[Op::kKeys]);
    Layout const l{.queries = queries,
                   .keys = keys,
                   .values = Pixels(in[Op::kValues]),
                   .mask = Pixels(in[Op::kMask]),
                   .y = Pixels(launch.outputs[0]),
                   .heads = op.heads,
                   .dim = queries.c / op.heads,
                   .count = keys.h * keys.w,
                   .cut = Cut(op, in[Op::kQueries].shape, in[Op::kKeys].shape),
                   .joined = reinterpret_cast<float*>(launch.workspace)};
    VITRUM_ASSERT(l.keys.vector && l.values.vector);
    std::int64_t const warps = std::min<std::int64_t>(divide_up(queries.w, 16), kQueriesPerBlock / 16);
    start(launch.stream, query_kernel<operand_parts(operands)>, queries.n * l.heads * l.cut.tiles * l.cut.parts,
          static_cast<int>(warps) * 32, l);
    if (l.cut.parts == 1) return;
    start(launch.stream, join_kernel, divide_up(queries.count() * l.heads, kJoinWarps), kJoinWarps * 32, l);
}

template struct QueryTilesKernel<Precision::tf32>;
template struct QueryTilesKernel<Precision::fp32>;

}  // namespace vitrum::cuda
