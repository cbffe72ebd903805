// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "brain_pairs.cuh"
#include "halo_tile.cuh"
#include "pixel_sums.cuh"

// ELAN's local feature extraction with operands of two bfloat16. As in shift_mlp_tile.cuh a shift is an address and the
// hidden layer exists nowhere; here a quad of channels lies with both of its parts in sixteen bytes, and hidden
// channels come in tiles of eight.

namespace vitrum::cuda {

struct BrainShiftData {
    Pixels x, y;
    Matrix residual;
    uint4 const *fc1, *fc2;  ///< see BrainShiftWeights
    float const *bias1, *bias2;
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
        uint4 x[kHaloPixels][kQuads];
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
        __syncthreads();
        int const chunks = BrainShiftWeights{d_.hidden}.chunks();
        begin_group(d_.hidden_group > 0 ? 0 : 4);
        BrainLeft hidden = {};
#pragma unroll 1
        for (int chunk = 0; chunk < chunks; ++chunk) {
#pragma unroll
            for (int half = 0; half < 2; ++half) multiply(2 * chunk + half, half, hidden);
            uint4 const* const weights = d_.fc2 + chunk * Tile::kColumnTiles * kWarpLanes + lane_;
#pragma unroll
            for (int i = 0; i < Tile::kColumnTiles; ++i) {
                multiply_add(sums_[0][i / 2].tiles[i % 2], hidden, weights[i * kWarpLanes]);
            }
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
        constexpr int kTotal = Tile::kHaloPixels * Tile::kQuads, kBatch = 5;
        static_assert(kTotal % (kBatch * Tile::kThreads) == 0);
#pragma unroll 1
        for (int first = static_cast<int>(threadIdx.x); first < kTotal; first += kBatch * Tile::kThreads) {
            QuadAt at[kBatch];
            float4 v[kBatch];
#pragma unroll
            for (int i = 0; i < kBatch; ++i) {
                int const index = first + i * Tile::kThreads, pixel = index / Tile::kQuads;
                int const row = at_.row + pixel / Tile::kHaloColumns - Tile::kHalo;
                int const column = at_.column + pixel % Tile::kHaloColumns - Tile::kHalo;
                int const channel = index % Tile::kQuads * 4;
                bool const exists = at_.contains(row, column);
                at[i] = {d_.x.at(exists ? at_.pixel(row, column) : at_.first) + channel, exists ? d_.x.c - channel : 0};
            }
            load_quads(v, at, d_.x);
#pragma unroll
            for (int i = 0; i < kBatch; ++i) {
                int const index = first + i * Tile::kThreads;
                BrainPair const a(v[i].x, v[i].y), b(v[i].z, v[i].w);
                x_[Tile::place(index / Tile::kQuads, index % Tile::kQuads)] = make_uint4(a.high, b.high, a.low, b.low);
            }
        }
    }

    /// Shifted x at the neighbour where this group of hidden channels is read.
    __device__ void begin_group(int group) {
        group_ = group;
        own_ = 0;
        count_ = group < 4 ? d_.hidden_group : d_.hidden - 4 * d_.hidden_group;
        int const first = (Tile::kHalo + row_) * Tile::kHaloColumns + Tile::kHalo + g_ + offset(group);
#pragma unroll
        for (int s = 0; s < kSteps; ++s) {
            int const pixel = first + offset(group_of(16 * s + 4 * t_));
#pragma unroll
            for (int r = 0; r < 2; ++r) {
                uint4 const quad = x_[Tile::place(pixel + 8 * r, 4 * s + t_)];
                left_[s].high[r] = quad.x, left_[s].high[2 + r] = quad.y;
                left_[s].low[r] = quad.z, left_[s].low[2 + r] = quad.w;
            }
        }
        int const down = group == 2 ? 1 : group == 3 ? -1 : 0, right = group == 0 ? 1 : group == 1 ? -1 : 0;
#pragma unroll
        for (int r = 0; r < 2; ++r) is_inside_[r] = contains(r, down, right);
    }
    [[nodiscard]] __device__ bool contains(int r, int down, int right) const {
        return at_.contains(at_.row + row_ + down, at_.column + g_ + 8 * r + right);
    }

    /// Eight hidden channels, as half of the second product's left operand.
    __device__ void multiply(int tile, int half, BrainLeft& hidden) {
        if (own_ >= count_ && group_ < 4) begin_group(group_ + 1);
        float sums[4];
#pragma unroll
        for (int i = 0; i < 2; ++i) {
            int const own = own_ + 2 * t_ + i;
            sums[i] = sums[2 + i] = own < count_ ? d_.bias1[group_ * d_.hidden_group + own] : 0.0F;
        }
        uint4 const* const weights = d_.fc1 + tile * kSteps * kWarpLanes + lane_;
#pragma unroll
        for (int s = 0; s < kSteps; ++s) multiply_add(sums, left_[s], weights[s * kWarpLanes]);
#pragma unroll
        for (int i = 0; i < 4; ++i) sums[i] = sums[i] < 0 || !is_inside_[i / 2] ? 0.0F : sums[i];  // keeps NaN
#pragma unroll
        for (int r = 0; r < 2; ++r) hidden.set(2 * half + r, sums[2 * r], sums[2 * r + 1]);
        own_ += 8;
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
    uint4* x_;
    TilePlace at_;
    int row_, lane_, g_, t_;
    int group_ = 0, own_ = 0, count_ = 0;  ///< of hidden channels; the next one of the group, and all of it
    bool is_inside_[2];
    BrainLeft left_[kSteps];
    SumQuads sums_[1][kSteps] = {};
};

__global__ inline void __launch_bounds__(BrainShiftTile::kThreads, BrainShiftTile::kBlocks)
    brain_shift_kernel(BrainShiftData const data) {
    BrainShiftThread(data, dynamic_shared<BrainShiftTile::Shared>()).run();
}

}  // namespace vitrum::cuda
