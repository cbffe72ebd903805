// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "../halo_tile.cuh"
#include "brain_pairs.cuh"
#include "pixel_sums.cuh"

// ELAN's local feature extraction with operands of two bfloat16. As in shift_mlp_tile.cuh a shift is an address and the
// hidden layer exists nowhere; here the tile stays float32, and a quad of channels is split where it is read, since
// parts of a larger load would be moved to their places before each product. Hidden channels come in tiles of eight.

namespace vitrum::cuda {

struct BrainShiftData {
    Pixels x, y;
    Matrix residual;
    uint4 const *fc1, *fc2;  ///< see BrainShiftWeights
    float const* bias1;      ///< as BrainShiftWeights::bias
    float const* bias2;
    int group;  ///< channels of x that share a neighbour: a multiple of 4
    int hidden, hidden_group;
    TileGrid grid;
};

struct BrainShiftTile {
    static constexpr int kSteps = BrainShiftWeights::kSteps, kQuads = 4 * kSteps, kColumnTiles = 2 * kSteps;
    static constexpr int kWarps = 8, kThreads = kWarps * 32;
    static constexpr int kRows = kWarps, kColumns = 16;  ///< a warp has a row of pixels
    static constexpr int kHalo = 2, kHaloColumns = kColumns + 2 * kHalo;
    static constexpr int kHaloPixels = (kRows + 2 * kHalo) * kHaloColumns;
    static constexpr int kBlocks = 2;  ///< of a multiprocessor
    struct Shared {
        float4 x[kHaloPixels][kQuads];
    };
    /// Quads of odd pixels change places, so that eight lanes of two pixels read different banks.
    [[nodiscard]] static __device__ int place(int pixel, int quad) { return pixel * kQuads + (quad ^ pixel % 2 * 4); }
};

class BrainShiftThread {
public:
    using Tile = BrainShiftTile;
    static constexpr int kSteps = Tile::kSteps;

    __device__ BrainShiftThread(BrainShiftData const& data, Tile::Shared& shared)
        : d_(data),
          x_(&shared.x[0][0]),
          at_(data.grid.place<Tile>(static_cast<std::int64_t>(blockIdx.x))),
          row_(static_cast<int>(threadIdx.x) / 32),
          lane_(static_cast<int>(threadIdx.x) % 32),
          g_(lane_ / 4),
          t_(lane_ % 4) {}

    __device__ void run() {
        load_tile();
#pragma unroll
        for (int s = 0; s < kSteps; ++s) offsets_[s] = offset(group_of(16 * s + 4 * t_));
        wait_for_copies<0>();
        __syncthreads();
        int const chunks = BrainShiftWeights{d_.hidden}.chunks();
        begin_group(d_.hidden_group > 0 ? 0 : 4);
        uint4 const *first = d_.fc1 + lane_, *second = d_.fc2 + lane_;
        float const* bias = d_.bias1 + 2 * t_;
        BrainLeft hidden = {};
#pragma unroll 1
        for (int chunk = 0; chunk < chunks; ++chunk) {
#pragma unroll
            for (int half = 0; half < 2; ++half, first += kSteps * kWarpLanes, bias += 8) {
                multiply(first, *reinterpret_cast<float2 const*>(bias), half, hidden);
            }
            multiply(second, hidden);
            second += Tile::kColumnTiles * kWarpLanes;
        }
        store();
    }

private:
    /// Where a group's channels come from (see ShiftMlp), in pixels of the tile with its halo.
    [[nodiscard]] static __device__ int offset(int group) {
        return group == 0   ? 1
               : group == 1 ? -1
               : group == 2 ? Tile::kHaloColumns
               : group == 3 ? -Tile::kHaloColumns
                            : 0;
    }
    [[nodiscard]] __device__ int group_of(int channel) const {
        return (channel >= d_.group ? 1 : 0) + (channel >= 2 * d_.group ? 1 : 0) + (channel >= 3 * d_.group ? 1 : 0) +
               (channel >= 4 * d_.group ? 1 : 0);
    }

    __device__ void load_tile() {
        constexpr int kPixels = Tile::kThreads / Tile::kQuads, kTurns = Tile::kHaloPixels / kPixels;
        static_assert(Tile::kHaloPixels % kPixels == 0 && kPixels <= Tile::kHaloColumns);
        int const quad = static_cast<int>(threadIdx.x) % Tile::kQuads;
        int pixel = static_cast<int>(threadIdx.x) / Tile::kQuads, row = at_.row - Tile::kHalo, column = pixel;
#pragma unroll 5
        for (int turn = 0; turn < kTurns; ++turn) {
            int const picture_column = at_.column - Tile::kHalo + column;
            bool const exists = at_.contains(row, picture_column) && 4 * quad < d_.x.c;
            float const* const from = exists ? d_.x.at(at_.pixel(row, picture_column)) + 4 * quad : d_.x.data;
            float4* const to = x_ + Tile::place(pixel, quad);
            if (d_.x.vector) copy_async_or_zero(to, from, exists);
            else *to = load4(from, exists ? 4 : 0, false);
            pixel += kPixels;
            column += kPixels;
            if (column >= Tile::kHaloColumns) column -= Tile::kHaloColumns, ++row;
        }
        commit_copies();
    }

    /// Shifted x at the neighbour where this group of hidden channels is read.
    __device__ void begin_group(int group) {
        group_ = group;
        own_ = 0;
        count_ = group < 4 ? d_.hidden_group : d_.hidden - 4 * d_.hidden_group;
        int const first = (Tile::kHalo + row_) * Tile::kHaloColumns + Tile::kHalo + g_ + offset(group);
#pragma unroll
        for (int s = 0; s < kSteps; ++s) {
#pragma unroll
            for (int r = 0; r < 2; ++r) {
                left_[s].set_quad(r, x_[Tile::place(first + offsets_[s] + 8 * r, 4 * s + t_)]);
            }
        }
        int const down = group == 2 ? 1 : group == 3 ? -1 : 0, right = group == 0 ? 1 : group == 1 ? -1 : 0;
#pragma unroll
        for (int r = 0; r < 2; ++r) is_inside_[r] = contains(r, down, right);
    }
    [[nodiscard]] __device__ bool contains(int r, int down, int right) const {
        return at_.contains(at_.row + row_ + down, at_.column + g_ + 8 * r + right);
    }

    /// Eight hidden channels, as half of the second product's left operand. The three products of each step sum apart,
    /// so that they do not wait for one another.
    __device__ void multiply(uint4 const* weights, float2 bias, int half, BrainLeft& hidden) {
        if (own_ >= count_ && group_ < 4) begin_group(group_ + 1);
        float sums[3][4] = {};
#pragma unroll
        for (int s = 0; s < kSteps; ++s) {
            uint4 const w = weights[s * kWarpLanes];
            multiply_add<Bf16>(sums[0], left_[s].low, {w.x, w.y});
            multiply_add<Bf16>(sums[1], left_[s].high, {w.z, w.w});
            multiply_add<Bf16>(sums[2], left_[s].high, {w.x, w.y});
        }
        float v[4];
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            v[i] = sums[0][i] + sums[1][i] + sums[2][i] + (i % 2 == 0 ? bias.x : bias.y);
            v[i] = v[i] < 0 || !is_inside_[i / 2] ? 0.0F : v[i];  // keeps NaN
        }
#pragma unroll
        for (int r = 0; r < 2; ++r) hidden.set(2 * half + r, v[2 * r], v[2 * r + 1]);
        own_ += 8;
    }
    /// What sixteen hidden channels add to the results.
    __device__ void multiply(uint4 const* weights, BrainLeft const& hidden) {
        constexpr int kAtOnce = 4;
#pragma unroll
        for (int first = 0; first < Tile::kColumnTiles; first += kAtOnce) {
            uint4 w[kAtOnce];
#pragma unroll
            for (int i = 0; i < kAtOnce; ++i) w[i] = weights[(first + i) * kWarpLanes];
#pragma unroll
            for (int part = 0; part < 3; ++part) {
#pragma unroll
                for (int i = 0; i < kAtOnce; ++i) {
                    float(&to)[4] = sums_[0][(first + i) / 2].tiles[i % 2];
                    if (part == 0) multiply_add<Bf16>(to, hidden.low, {w[i].x, w[i].y});
                    if (part == 1) multiply_add<Bf16>(to, hidden.high, {w[i].z, w[i].w});
                    if (part == 2) multiply_add<Bf16>(to, hidden.high, {w[i].x, w[i].y});
                }
            }
        }
    }

    __device__ void store() const {
        std::int64_t pixels[2];
        bool is_inside[2];
#pragma unroll
        for (int r = 0; r < 2; ++r) {
            is_inside[r] = contains(r, 0, 0);
            pixels[r] = is_inside[r] ? at_.pixel(at_.row + row_, at_.column + g_ + 8 * r) : at_.first;
        }
        store_sums(sums_, 1.0F, d_.bias2, d_.y, d_.residual, pixels, is_inside, t_);
    }

    BrainShiftData const& d_;
    float4* x_;
    TilePlace at_;
    int row_, lane_, g_, t_;
    int group_ = 0, own_ = 0, count_ = 0;  ///< of hidden channels; the next one of the group, and all of it
    int offsets_[kSteps];                  ///< of the quads that a lane reads
    bool is_inside_[2];
    BrainLeft left_[kSteps];
    SumQuads sums_[1][kSteps] = {};
};

__global__ static void __launch_bounds__(BrainShiftTile::kThreads, BrainShiftTile::kBlocks)
    brain_shift_kernel(__grid_constant__ BrainShiftData const data) {
    BrainShiftThread(data, dynamic_shared<BrainShiftTile::Shared>()).run();
}

}  // namespace vitrum::cuda
