// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "row_product.cuh"

// Rows of pixels that stay in shared memory as left operands: a warpgroup loads and scales its 64 rows itself. One warp
// brings weights through a ring of pieces that all warpgroups share: 64 of the depth × 128 columns each.

namespace vitrum::cuda::hopper {

struct RowSource {
    Matrix x;
    std::int64_t rows;
    int channels;  ///< a multiple of eight
    Hidden hidden;
};

template <int kDepth_>
struct ResidentTile {
    static constexpr int kGroups = 2, kDepth = kDepth_, kPieces = 9, kRows = kGroups * kProductRows;
    static constexpr int kStages = kDepth / kProductStage, kSteps = kProductStage / 16;
    static constexpr int kLeftBytes = kProductRows * kDepth * 2;  ///< of a warpgroup
    static constexpr int kPieceBytes = kProductStage * kProductColumns * 2;
    static constexpr int kRing = kGroups * kLeftBytes, kScales = kRing + kPieces * kPieceBytes;
    static constexpr int kBarriers = kScales + kRows * static_cast<int>(sizeof(RowScales));
    static constexpr int kBytes = kBarriers + 16 * kPieces;
    static constexpr int kThreads = (kGroups + 1) * kGroup;
    static_assert(kDepth % kProductStage == 0 && kBytes <= 227 << 10);
};

/// Where the parts of shared memory are.
template <class T>
struct ResidentMemory {
    std::byte* start;

    [[nodiscard]] __device__ std::uint32_t at(int offset) const { return shared_address(start) + offset; }
    [[nodiscard]] __device__ std::uint32_t left(int group) const { return at(group * T::kLeftBytes); }
    [[nodiscard]] __device__ RowScales* scales(int group) const {
        return reinterpret_cast<RowScales*>(start + T::kScales) + group * kProductRows;
    }
    [[nodiscard]] __device__ std::uint32_t piece(int item) const {
        return at(T::kRing + item % T::kPieces * T::kPieceBytes);
    }
    [[nodiscard]] __device__ std::uint32_t full(int item) const { return at(T::kBarriers + 16 * (item % T::kPieces)); }
    [[nodiscard]] __device__ std::uint32_t empty(int item) const { return full(item) + 8; }
    [[nodiscard]] static __device__ std::uint32_t parity(int item) { return item / T::kPieces & 1; }

    __device__ void init() const {
        for (int i = 0; i < T::kPieces; ++i) {
            init_barrier(full(i), 1);
            init_barrier(empty(i), 4 * T::kGroups);
        }
        publish_barriers();
    }
    /// By one thread: piece(i) is an address of each.
    template <class Piece>
    __device__ void bring(int pieces, Piece const& from) const {
        for (int i = 0; i < pieces; ++i) {
            if (i >= T::kPieces) wait(empty(i), parity(i) ^ 1);
            arrive_expecting(full(i), T::kPieceBytes);
            load_bulk(piece(i), from(i), T::kPieceBytes, full(i));
        }
    }
    __device__ void wait_for(int item) const { wait(full(item), parity(item)); }
    __device__ void release(int item, Lane const& lane) const {
        if (lane.first()) arrive(empty(item));
    }

    /// By a warpgroup: its rows become operands; rows behind the last are zeros. Eight rows of a warp at a time, four
    /// lanes for each, so that the eight that are stored together do not meet in a bank.
    __device__ void load(RowSource const& from, int group, std::int64_t first_row, Lane const& lane) const {
        constexpr int kOctets = T::kDepth / 32;
        int const id = static_cast<int>(threadIdx.x) % 32, sub = id / 8;
#pragma unroll 1
        for (int half = 0; half < 2; ++half) {
            int const row = 16 * lane.warp + 8 * half + id % 8;
            bool const is = first_row + row < from.rows;
            float v[kOctets][8];
#pragma unroll
            for (int i = 0; i < kOctets; ++i) {
                int const channel = 8 * (4 * i + sub);
                if (is && channel < from.channels) {
                    load_octet(v[i], from.x.at(first_row + row) + channel);
                } else {
#pragma unroll
                    for (float& value : v[i]) value = 0;
                }
            }
            float largest = 0, squares = 0;
#pragma unroll
            for (int i = 0; i < kOctets * 8; ++i) {
                largest = fmaxf(largest, fabsf(v[i / 8][i % 8]));
                squares = fmaf(v[i / 8][i % 8], v[i / 8][i % 8], squares);
            }
#pragma unroll
            for (int other = 8; other < 32; other *= 2) {
                largest = fmaxf(largest, __shfl_xor_sync(0xFFFFFFFFU, largest, other));
                squares += __shfl_xor_sync(0xFFFFFFFFU, squares, other);
            }
            float const scale = row_scale(largest);
            if (sub == 0) scales(group)[row] = {scale, from.hidden.scale(squares, from.channels)};
#pragma unroll
            for (int i = 0; i < kOctets; ++i) {
                std::byte* const to =
                    start + group * T::kLeftBytes + product_index(8 * (4 * i + sub), row, kProductRows) * 2;
                *reinterpret_cast<uint4*>(to) = packed_octet(v[i], scale);
            }
        }
        fence_shared();
        named_barrier(1 + group, kGroup);
    }
    [[nodiscard]] __device__ PairOfScales scales_of(int group, Lane const& lane) const {
        RowScales const* const own = scales(group) + 16 * lane.warp + lane.row;
        return {{own[0], own[8]}};
    }
    /// Begins the products of a piece with the left operands' stage.
    template <class Sums>
    __device__ void multiply(Sums& sums, int group, int stage, int item, bool is_first) const {
#pragma unroll
        for (int k = 0; k < T::kSteps; ++k) {
            std::uint32_t const a = left(group) + (stage * T::kSteps + k) * (kProductRows * 32);
            std::uint32_t const b = piece(item) + k * (kProductColumns * 32);
            begin_product<kProductColumns>(sums, matrix_descriptor(a, 128, 256), matrix_descriptor(b, 128, 256),
                                           !is_first || k > 0);
        }
    }
};

}  // namespace vitrum::cuda::hopper
