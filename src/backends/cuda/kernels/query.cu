// SPDX-License-Identifier: Apache-2.0
// Queries that look at all pixels of a picture. There are few queries, so that the pixels are split among blocks,
// whose softmaxes are then joined.
#include "../general_kernels.h"
#include "attention.cuh"
#include "rows.cuh"

namespace vitrum::cuda {
namespace {

constexpr int kQueriesPerBlock = 128;
constexpr std::int64_t kKeysPerPart = 256;

struct Layout {
    Pixels queries, keys, values, mask, y;
    int heads, dim;
    std::int64_t count, parts, tiles;  ///< keys of a picture; parts of them; blocks of queries
    float* joined;                     ///< [n][head][query][part][2 + dim]: maximum, sum, weighted values
    int* seen;                         ///< [n][part][query]: whether the mask leaves the query any key of the part

    [[nodiscard]] __host__ __device__ std::int64_t part_floats() const { return 2 + dim; }
    [[nodiscard]] __device__ float* part_of(std::int64_t n, int head, std::int64_t query, std::int64_t part) const {
        return joined + (((n * heads + head) * queries.w + query) * parts + part) * part_floats();
    }
    [[nodiscard]] __device__ bool is_hidden(std::int64_t n, std::int64_t key, std::int64_t query) const {
        return mask.at(n * count + key)[query] < 0;
    }
};

struct Look {
    Layout l;

    __device__ void operator()(std::int64_t item) const {
        Quotient const by_query = divide(item, l.queries.w);
        Quotient const by_part = divide(by_query.whole, l.parts);
        std::int64_t const first = by_part.rest * kKeysPerPart, last = min(l.count, first + kKeysPerPart);
        int seen = 0;
        for (std::int64_t j = first; j < last; ++j) seen |= l.is_hidden(by_part.whole, j, by_query.rest) ? 0 : 1;
        l.seen[item] = seen;
    }
};

/// A block has some queries of a head, a thread each, and one part of the keys.
template <int kDim>
__global__ void __launch_bounds__(kQueriesPerBlock) part_kernel(Layout l) {
    __shared__ SharedKeys<kDim> shared;
    Quotient const by_part = divide(static_cast<std::int64_t>(blockIdx.x), l.parts);
    Quotient const by_tile = divide(by_part.whole, l.tiles);
    Quotient const by_head = divide(by_tile.whole, l.heads);
    std::int64_t const n = by_head.whole, query = by_tile.rest * kQueriesPerBlock + threadIdx.x;
    int const head = static_cast<int>(by_head.rest), first_channel = head * l.dim;
    bool const active = query < l.queries.w;
    bool masked = false;
    RunningSoftmax<kDim> softmax;
    if (active) {
        softmax.begin(l.queries.at(n * l.queries.w + query) + first_channel, l.dim);
        for (std::int64_t part = 0; l.mask.data != nullptr && part < l.parts; ++part) {
            masked = masked || l.seen[(n * l.parts + part) * l.queries.w + query] != 0;
        }
    }
    float const scale = 1.0F / sqrtf(static_cast<float>(l.dim));
    std::int64_t const begin = by_part.rest * kKeysPerPart, end = min(l.count, begin + kKeysPerPart);
    for (std::int64_t first = begin; first < end; first += kKeysAtOnce<kDim>) {
        int const count = static_cast<int>(min(static_cast<std::int64_t>(kKeysAtOnce<kDim>), end - first));
        auto const from = [&](Pixels const& pixels, int j) {
            return pixels.at(n * l.count + first + j) + first_channel;
        };
        __syncthreads();
        shared.fill(
            count, l.dim, [&](int j) { return from(l.keys, j); }, [&](int j) { return from(l.values, j); });
        __syncthreads();
        if (!active) continue;
        softmax.pass(shared, count, [&](int j, float dot) {
            return masked && l.is_hidden(n, first + j, query) ? -INFINITY : scale * dot;
        });
    }
    if (!active) return;
    float* const to = l.part_of(n, head, query, by_part.rest);
    to[0] = softmax.largest;
    to[1] = softmax.total;
#pragma unroll
    for (int d = 0; d < kDim; ++d) {
        if (d < l.dim) to[2 + d] = softmax.sums[d];
    }
}

/// One channel of a query's result from its parts.
struct Join {
    Layout l;

    __device__ void operator()(std::int64_t item) const {
        Quotient const by_channel = divide(item, l.y.c);
        Quotient const by_query = divide(by_channel.whole, l.queries.w);
        int const head = static_cast<int>(by_channel.rest) / l.dim, d = static_cast<int>(by_channel.rest) % l.dim;
        float const* const parts = l.part_of(by_query.whole, head, by_query.rest, 0);
        float largest = -INFINITY;
        for (std::int64_t i = 0; i < l.parts; ++i) largest = fmaxf(largest, parts[i * l.part_floats()]);
        float total = 0, sum = 0;
        for (std::int64_t i = 0; i < l.parts; ++i) {
            float const* const part = parts + i * l.part_floats();
            float const weight = expf(part[0] - largest);
            total = fmaf(weight, part[1], total);
            sum = fmaf(weight, part[2 + d], sum);
        }
        l.y.at(by_channel.whole)[by_channel.rest] = sum / total;
    }
};

struct Parts {
    std::int64_t parts;
    float* joined;
    int* seen;
    std::size_t bytes;

    Parts(QueryAttention const& op, Shape const& queries, Shape const& keys, std::byte* workspace)
        : parts(divide_up(keys[1] * keys[2], kKeysPerPart)) {
        WorkspaceParts all(workspace);
        joined = all.take<float>(queries[0] * queries[2] * op.heads * parts * (2 + queries[3] / op.heads));
        seen = all.take<int>(queries[0] * queries[2] * parts);
        bytes = all.bytes();
    }
};

/// The queries of each picture as a packed weight: column q, depth channel c.
template <Precision operands>
struct PackQueries {
    Pixels queries;
    std::byte* to;
    WeightLayout<operands> layout;

    __device__ void operator()(std::int64_t item) const {
        Quotient const line = divide(item, layout.extent.padded_columns());
        Quotient const picture = divide(line.whole, layout.extent.padded_depth());
        bool const exists = line.rest < queries.w && picture.rest < queries.c;
        float const value = exists ? queries.at(picture.whole * queries.w + line.rest)[picture.rest] : 0.0F;
        layout.put(to + picture.whole * layout.extent.bytes(), line.rest, picture.rest, value);
    }
    [[nodiscard]] std::int64_t items() const {
        return queries.n * layout.extent.padded_columns() * layout.extent.padded_depth();
    }
};

}  // namespace

Support QueryAttentionKernel::supports(Op const& op, Problem const& problem) {
    return attention_support(problem.inputs[Op::kQueries][3] / op.heads);
}

std::size_t QueryAttentionKernel::workspace_bytes(Op const& op, Problem const& problem, int) {
    return Parts(op, problem.inputs[Op::kQueries], problem.inputs[Op::kKeys], nullptr).bytes;
}

void QueryAttentionKernel::launch(Op const& op, Launch const& launch) {
    auto const in = launch.inputs;
    Pixels const queries(in[Op::kQueries]), keys(in[Op::kKeys]);
    Parts const parts(op, in[Op::kQueries].shape, in[Op::kKeys].shape, launch.workspace);
    Layout const l{.queries = queries,
                   .keys = keys,
                   .values = Pixels(in[Op::kValues]),
                   .mask = Pixels(in[Op::kMask]),
                   .y = Pixels(launch.outputs[0]),
                   .heads = op.heads,
                   .dim = queries.c / op.heads,
                   .count = keys.h * keys.w,
                   .parts = parts.parts,
                   .tiles = divide_up(queries.w, kQueriesPerBlock),
                   .joined = parts.joined,
                   .seen = parts.seen};
    if (l.mask.data != nullptr) for_each(launch.stream, queries.n * l.parts * queries.w, Look{l});
    int const dim = attention_dim(l.dim);
    auto const kernel = dim == 16   ? part_kernel<16>
                        : dim == 32 ? part_kernel<32>
                        : dim == 64 ? part_kernel<64>
                                    : part_kernel<128>;
    start(launch.stream, kernel, queries.n * l.heads * l.tiles * l.parts, kQueriesPerBlock, l);
    for_each(launch.stream, queries.count() * queries.c, Join{l});
}

template <Precision operands>
std::size_t QueryMasksKernel<operands>::workspace_bytes(QueryMasks const&, Problem const& problem, int) {
    Shape const& queries = problem.inputs[QueryMasks::kQueries];
    WorkspaceParts parts(nullptr);
    parts.take<std::byte>(queries[0] * WeightLayout<operands>(queries[2], queries[3]).extent.bytes());
    return parts.bytes();
}

template <Precision operands>
void QueryMasksKernel<operands>::launch(QueryMasks const&, Launch const& launch) {
    Pixels const features(launch.inputs[QueryMasks::kFeatures]), queries(launch.inputs[QueryMasks::kQueries]);
    Pixels const y(launch.outputs[0]);
    PackQueries<operands> const pack{queries, launch.workspace, {queries.w, queries.c}};
    for_each(launch.stream, pack.items(), pack);
    std::int64_t const plane = y.h * y.w;
    for (std::int64_t n = 0; n < y.n; ++n) {
        multiply(launch.stream, plane, rows_of(features.from(n * plane), features.c),
                 Weight<operands>(launch.workspace + n * pack.layout.extent.bytes(), queries.w, queries.c),
                 rows_to(y.from(n * plane), y.c));
    }
}

template struct QueryMasksKernel<Precision::tf32>;
template struct QueryMasksKernel<Precision::fp32>;

}  // namespace vitrum::cuda
