// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>

#include "../scaled_layout.h"
#include "fragments.cuh"
#include "tensor_gemm.cuh"

// Products of rows as float16 operands, whatever their range: each row is multiplied by a power of two of its own,
// which its largest number demands, and the sums are divided by it. Ten bits of fraction as TF32 has, at twice its
// rate. Most of these products are small, and their code passes through the instruction cache once: it is kept short.

namespace vitrum::cuda {

/// A packed weight (see ScaledWeights) on the device.
struct ScaledWeight {
    Registers4 const* operands;
    float const* unit;
    int columns, steps, pairs;  ///< steps of 16 of the depth, pairs of column tiles

    ScaledWeight(std::byte const* data, std::int64_t columns_, std::int64_t depth)
        : operands(reinterpret_cast<Registers4 const*>(data)), columns(static_cast<int>(columns_)) {
        OperandExtent const extent = ScaledWeights(columns_, depth).extent;
        unit = reinterpret_cast<float const*>(data + extent.bytes());
        steps = static_cast<int>(extent.steps);
        pairs = static_cast<int>(extent.columns) / 16;
    }
    /// Operands of 16 columns at a step of the depth, lane by lane.
    [[nodiscard]] __device__ Registers4 const* at(int step, int pair) const {
        return operands + (static_cast<std::int64_t>(step) * pairs + pair) * 32;
    }
};

constexpr float kRowRange = 32768.0F;

/// The power of two with which `largest` comes into [2^14, 2^15); a tame one where there is nothing to scale.
[[nodiscard]] __device__ inline float row_scale(float largest) {
    std::uint32_t const exponent = std::bit_cast<std::uint32_t>(largest) >> 23;
    return std::bit_cast<float>(min(268U - exponent, 241U) << 23);
}

[[nodiscard]] __device__ inline float largest_of_warp(float value) {
#pragma unroll
    for (int lane = 16; lane > 0; lane /= 2) value = fmaxf(value, __shfl_xor_sync(0xFFFFFFFFU, value, lane));
    return value;
}

/// Rows [kRows][kScaledDepth] in shared memory. Chunks of 16 bytes are permuted so that the eight rows that are read
/// together do not meet in a bank.
template <int kRows>
struct RowTile {
    static constexpr int kDepth = kScaledDepth, kQuads = kDepth / 128;  ///< of a lane, when a warp has a row

    Registers4 chunks[kRows][kDepth / 8];
    float scales[kRows];
    float factors[kRows];  ///< what sums of the rows so far are to be multiplied by

    /// A warp's quads at depths 4 · lane, 128 + 4 · lane, … as operands. A tile that continues one keeps its scale
    /// where that is possible.
    __device__ void put(int row, float4 const (&quads)[kQuads], bool is_first) {
        int const lane = static_cast<int>(threadIdx.x) % 32;
        float largest = 0;
#pragma unroll
        for (float4 const& v : quads) {
            largest = fmaxf(largest, fmaxf(fmaxf(fabsf(v.x), fabsf(v.y)), fmaxf(fabsf(v.z), fabsf(v.w))));
        }
        largest = largest_of_warp(largest);
        float const before = is_first ? 0.0F : scales[row];
        bool const fits = !is_first && largest * before < kRowRange;
        float const scale = fits ? before : row_scale(largest);
        __syncwarp();
        if (lane == 0) {
            scales[row] = scale;
            factors[row] = is_first ? 1.0F : scale / before;
        }
#pragma unroll
        for (int i = 0; i < kQuads; ++i) {
            float4 const v = quads[i];
            int const chunk = (16 * i + lane / 2) ^ (row & 7);
            auto* const to = reinterpret_cast<Registers2*>(&chunks[row][chunk]) + lane % 2;
            *to = {{Fp16::pack(v.x * scale, v.y * scale), Fp16::pack(v.z * scale, v.w * scale)}};
        }
    }

    /// All rows, from depth `first_k` of the loader's (see gemm.cuh) rows from `first_row` on, of which there are
    /// `count` in all. Each of kWarps warps has every kWarps-th row, kAtOnce of them under way.
    template <int kWarps, int kAtOnce, class Load>
    __device__ void fill(Load const& load, std::int64_t first_row, std::int64_t count, int first_k, bool is_first) {
        static_assert(kRows % (kWarps * kAtOnce) == 0);
        int const warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
        typename Load::Quad at[kQuads];
#pragma unroll
        for (int i = 0; i < kQuads; ++i) at[i] = load.quad(first_k + 128 * i + 4 * lane);
#pragma unroll 1
        for (int first = warp; first < kRows; first += kWarps * kAtOnce) {
            typename Load::Row rows[kAtOnce];
            typename Load::Raw raw[kAtOnce][kQuads];
#pragma unroll
            for (int i = 0; i < kAtOnce; ++i) {
                std::int64_t const m = first_row + first + i * kWarps;
                rows[i] = load.row(m < count ? m : count - 1);  // never stored
#pragma unroll
                for (int q = 0; q < kQuads; ++q) raw[i][q] = load.fetch(rows[i], at[q]);
            }
#pragma unroll
            for (int i = 0; i < kAtOnce; ++i) {
                float4 quads[kQuads];
#pragma unroll
                for (int q = 0; q < kQuads; ++q) quads[q] = load.finish(rows[i], at[q], raw[i][q]);
                put(first + i * kWarps, quads, is_first);
            }
        }
    }

    /// 16 rows × 16 of the depth as a left operand.
    __device__ void load(std::uint32_t (&to)[4], int first_row, int step) const {
        int const lane = static_cast<int>(threadIdx.x) % 32, row = first_row + lane % 16;
        load_matrices(to, &chunks[row][(2 * step + lane / 16) ^ (row & 7)]);
    }
};

/// A warp's sums of 16 · kRowTiles rows and kPairs pairs of column tiles.
template <int kRowTiles, int kPairs>
struct ScaledSums : TensorSums<Fp16, kRowTiles, kPairs> {
    using Base = TensorSums<Fp16, kRowTiles, kPairs>;

    /// Adds `steps` steps of the depth, of the tile's rows from `row` on; the weight's begin at `first_step`, kAhead of
    /// them are under way.
    template <int kAhead, class Tile>
    __device__ void multiply(Tile const& tile, int row, ScaledWeight const& weight, int pair, int first_step,
                             int steps) {
        Registers4 const* from[kPairs];
#pragma unroll
        for (int j = 0; j < kPairs; ++j) {
            from[j] = weight.at(first_step, min(pair + j, weight.pairs - 1)) + threadIdx.x % 32;
        }
        Registers4 next[kAhead][kPairs];
        auto const fetch = [&](int step, Registers4(&to)[kPairs]) {
#pragma unroll
            for (int j = 0; j < kPairs; ++j) {
                if (step < steps) to[j] = *from[j];
                from[j] += weight.pairs * 32;
            }
        };
#pragma unroll
        for (int i = 0; i < kAhead; ++i) fetch(i, next[i]);
#pragma unroll 1
        for (int first = 0; first < steps; first += kAhead) {
#pragma unroll
            for (int i = 0; i < kAhead; ++i) {
                if (first + i >= steps) break;
                Registers4 own[kPairs];
#pragma unroll
                for (int j = 0; j < kPairs; ++j) own[j] = next[i][j];
                fetch(first + i + kAhead, next[i]);
#pragma unroll
                for (int r = 0; r < kRowTiles; ++r) {
                    std::uint32_t left[4];
                    tile.load(left, row + 16 * r, first + i);
                    Base::add(this->sums[r], left, own);
                }
            }
        }
    }

    /// Multiplies each row by factor(row), of the rows from `row` on.
    template <class Factor>
    __device__ void multiply_rows(int row, Factor const& factor) {
        int const g = static_cast<int>(threadIdx.x) % 32 / 4;
#pragma unroll
        for (int r = 0; r < kRowTiles; ++r) {
            float const upper = factor(row + 16 * r + g), lower = factor(row + 16 * r + g + 8);
#pragma unroll
            for (int j = 0; j < 2 * kPairs; ++j) {
                this->sums[r][j][0] *= upper, this->sums[r][j][1] *= upper;
                this->sums[r][j][2] *= lower, this->sums[r][j][3] *= lower;
            }
        }
    }
};

}  // namespace vitrum::cuda
