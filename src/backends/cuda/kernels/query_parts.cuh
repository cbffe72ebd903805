// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "../query_kernels.h"
#include "device.cuh"

// What attention of queries (query_attention.cu) is cut into, and what its kernels hand on to each other: what the mask
// leaves of the keys, and the results of parts of them.

namespace vitrum::cuda {

constexpr int kQueriesPerBlock = 128;
constexpr int kKeysAtOnce = 64, kKeyTiles = kKeysAtOnce / 8, kWarpQueries = 16;
/// Of a query's part: maximum, sum, whether it saw a key, –, weighted values.
constexpr int kPartFloats = kQueryTileDim + 4;

/// How the keys of a picture are cut.
struct KeyCut {
    std::int64_t tiles, parts, keys_per_part;

    KeyCut(QueryAttention const& op, Shape const& queries, Shape const& keys)
        : tiles(divide_up(queries[2], kQueriesPerBlock)) {
        constexpr std::int64_t kBlocks = 256, kFewKeys = 128;
        std::int64_t const count = keys[1] * keys[2];
        std::int64_t const wanted = count <= kFewKeys ? 1 : divide_up(kBlocks, queries[0] * op.heads * tiles);
        keys_per_part = round_up(divide_up(count, wanted), kKeysAtOnce);
        parts = divide_up(count, keys_per_part);
    }
    [[nodiscard]] std::int64_t floats(QueryAttention const& op, Shape const& queries) const {
        return parts == 1 ? 0 : queries[0] * op.heads * queries[2] * parts * kPartFloats;
    }
};

/// What the mask leaves of as many keys to a warp's queries, a word for each lane: found once for all heads. Bit
/// 4 j + i: whether key 8 j + 2 t + i % 2 is left to row g + 8 (i / 2) of lane 4 g + t.
struct MaskWords {
    std::int64_t key_tiles, query_tiles;

    MaskWords(Shape const& queries, Shape const& keys)
        : key_tiles(divide_up(keys[1] * keys[2], kKeysAtOnce)), query_tiles(divide_up(queries[2], kWarpQueries)) {}
    [[nodiscard]] __host__ __device__ std::int64_t of_picture() const { return key_tiles * query_tiles * 32; }
    [[nodiscard]] __device__ std::int64_t at(std::int64_t n, std::int64_t key, std::int64_t query, int lane) const {
        return n * of_picture() + (key / kKeysAtOnce * query_tiles + query / kWarpQueries) * 32 + lane;
    }
};

struct QueryLayout {
    Pixels queries, keys, values, mask, y;
    int heads, dim;
    std::int64_t count;  ///< keys of a picture
    KeyCut cut;
    MaskWords words;
    float* joined;  ///< [n][head][query][part][kPartFloats]
    std::uint32_t* visible;

    [[nodiscard]] __device__ float* part_of(std::int64_t n, int head, std::int64_t query, std::int64_t part) const {
        return joined + (((n * heads + head) * queries.w + query) * cut.parts + part) * kPartFloats;
    }
};

/// What a block has.
struct QueryItem {
    std::int64_t n, first_query, part;
    int head;

    __device__ explicit QueryItem(QueryLayout const& l) {
        Quotient const by_part = divide(static_cast<std::int64_t>(blockIdx.x), l.cut.parts);
        Quotient const by_tile = divide(by_part.whole, l.cut.tiles);
        Quotient const by_head = divide(by_tile.whole, l.heads);
        n = by_head.whole;
        first_query = by_tile.rest * kQueriesPerBlock;
        part = by_part.rest;
        head = static_cast<int>(by_head.rest);
    }
};

struct QueryParts {
    float* joined;
    std::uint32_t* visible;
    std::size_t bytes;

    QueryParts(QueryAttention const& op, Shape const& queries, Shape const& keys, bool masked, std::byte* workspace) {
        WorkspaceParts parts(workspace);
        joined = parts.take<float>(KeyCut(op, queries, keys).floats(op, queries));
        visible = parts.take<std::uint32_t>(masked ? queries[0] * MaskWords(queries, keys).of_picture() : 0);
        bytes = parts.bytes();
    }
};

}  // namespace vitrum::cuda
