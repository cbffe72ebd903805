// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "halo_tile.cuh"

// ELAN's local feature extraction as one kernel: a warp has 2 × 16 pixels. A hidden channel is read at one neighbour
// only, so it is computed at that neighbour, and its product with the second weight follows from registers: the hidden
// layer exists nowhere, and nothing is computed twice. Shifts are addresses of x, whose neighbours the cache holds.

namespace vitrum::cuda {

struct ShiftMlpData {
    Pixels x, y;
    Matrix residual;
    std::uint32_t const *fc1, *fc2;  ///< see ShiftWeights
    float const *bias1, *bias2;
    int group;  ///< channels of x that share a neighbour: a multiple of 4
    int hidden, hidden_group;
    TileGrid grid;
};

constexpr int kShiftWarps = 8;

struct ShiftTile {
    static constexpr int kRows = 2 * kShiftWarps, kColumns = 16, kThreads = kShiftWarps * 32;
    static constexpr int kSteps = 4, kPairs = 4;  ///< 64 channels: of 16 as depth, of two tiles as results
};

/// The results of the first product, eight hidden channels, as left operands of the second.
struct HiddenLeft {
    std::uint32_t high[4], low[4];

    explicit __device__ HiddenLeft(float const (&v)[4]) {
        constexpr int kOrder[4] = {0, 2, 1, 3};
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            high[i] = Tf32::pack(v[kOrder[i]]);
            low[i] = Tf32::pack(v[kOrder[i]] - Tf32::unpack(high[i]));
        }
    }
    __device__ void multiply(SumQuads& sums, std::uint32_t const* weights, int lane) const {
        uint4 const w = *reinterpret_cast<uint4 const*>(weights + 4 * lane);
        uint4 const rest = *reinterpret_cast<uint4 const*>(weights + kWarpLanes * 4 + 4 * lane);
        multiply_add<Tf32>(sums.tiles[0], low, {w.x, w.y});
        multiply_add<Tf32>(sums.tiles[1], low, {w.z, w.w});
        multiply_add<Tf32>(sums.tiles[0], high, {rest.x, rest.y});
        multiply_add<Tf32>(sums.tiles[1], high, {rest.z, rest.w});
        multiply_add<Tf32>(sums.tiles[0], high, {w.x, w.y});
        multiply_add<Tf32>(sums.tiles[1], high, {w.z, w.w});
    }
};

class ShiftMlpThread {
public:
    using Operand = Split;

    explicit __device__ ShiftMlpThread(ShiftMlpData const& data)
        : d_(data),
          at_(data.grid.place<ShiftTile>(static_cast<std::int64_t>(blockIdx.x))),
          lane_(static_cast<int>(threadIdx.x) % 32),
          g_(lane_ / 4),
          t_(lane_ % 4) {
        at_.row += static_cast<int>(threadIdx.x) / 32 * 2;
    }

    /// Hidden channels that share a neighbour.
    __device__ void add_group(int group) {
        int const first = group * d_.hidden_group;
        int const count = group < 4 ? d_.hidden_group : d_.hidden - first;
        if (count <= 0) return;
        int const down = row_offset(group), right = column_offset(group);
        Left<Operand> x[2][ShiftTile::kSteps];
        load(down, right, x);
        int tile = tiles_before(group);
        for (int channel = 0; channel < count; channel += 8, ++tile) {
            float sums[2][4] = {};
#pragma unroll
            for (int s = 0; s < ShiftTile::kSteps; ++s) {
                Right<Operand> weight;
                weight.load(d_.fc1 + (tile * ShiftTile::kSteps + s) * kFragmentWords<Operand>, lane_);
                multiply_add(sums[0], x[0][s], weight);
                multiply_add(sums[1], x[1][s], weight);
            }
#pragma unroll
            for (int i = 0; i < 8; ++i) {
                int const own = channel + 2 * t_ + i % 2, r = i % 4 / 2;
                bool const is_inside = own < count && contains(i / 4, r, down, right);
                float& v = sums[i / 4][i % 4];
                v = is_inside ? fmaxf(v + d_.bias1[first + own], 0.0F) : 0.0F;
            }
            HiddenLeft const hidden[2] = {HiddenLeft(sums[0]), HiddenLeft(sums[1])};
#pragma unroll
            for (int u = 0; u < ShiftTile::kPairs; ++u) {
                std::uint32_t const* const weights = d_.fc2 + (tile * ShiftTile::kPairs + u) * kFragmentWords<Operand>;
                hidden[0].multiply(sums_[0][u], weights, lane_);
                hidden[1].multiply(sums_[1][u], weights, lane_);
            }
        }
    }

    __device__ void store() const {
        std::int64_t pixels[4];
        bool is_inside[4];
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            is_inside[i] = contains(i / 2, i % 2, 0, 0);
            pixels[i] = is_inside[i] ? at_.pixel(at_.row + i / 2, column(i % 2)) : at_.first;
        }
#pragma unroll
        for (int u = 0; u < ShiftTile::kPairs; ++u) {
            int const channel = 16 * u + 4 * t_;
            float4 const bias = load_some(d_.bias2 + channel, d_.y.c - channel);
            float4 v[4];
#pragma unroll
            for (int i = 0; i < 4; ++i) v[i] = sums_[i / 2][u].quad(i % 2) + bias;
            store_patch<4>(d_.y, d_.residual, pixels, is_inside, channel, v);
        }
    }

private:
    /// Where a group's channels come from (see ShiftMlp).
    [[nodiscard]] static __device__ int row_offset(int group) {
        return group == 2 ? 1 : group == 3 ? -1 : 0;
    }
    [[nodiscard]] static __device__ int column_offset(int group) {
        return group == 0 ? 1 : group == 1 ? -1 : 0;
    }
    [[nodiscard]] __device__ int tiles_before(int group) const {
        return group * ((d_.hidden_group + 7) / 8);
    }
    [[nodiscard]] __device__ std::int64_t column(int r) const {
        return at_.column + g_ + 8 * r;
    }
    [[nodiscard]] __device__ bool contains(int m, int r, int down, int right) const {
        return at_.contains(at_.row + m + down, column(r) + right);
    }

    /// shift(x) at this thread's pixels' neighbours.
    __device__ void load(int down, int right, Left<Operand> (&x)[2][ShiftTile::kSteps]) const {
#pragma unroll
        for (int s = 0; s < ShiftTile::kSteps; ++s) {
            int const channel = 16 * s + 4 * t_, group = d_.group == 0 ? 4 : min(4, channel / d_.group);
            int const rows = down + row_offset(group), columns = right + column_offset(group);
            QuadAt at[4];
            float4 v[4];
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                bool const exists = contains(i / 2, i % 2, rows, columns);
                std::int64_t const pixel =
                    exists ? at_.pixel(at_.row + i / 2 + rows, column(i % 2) + columns) : at_.first;
                at[i] = {d_.x.at(pixel) + channel, exists ? d_.x.c - channel : 0};
            }
            load_quads(v, at, d_.x);
#pragma unroll
            for (int m = 0; m < 2; ++m) {
                Quads quads;
                quads.set(0, v[2 * m]);
                quads.set(1, v[2 * m + 1]);
                x[m][s] = Left<Operand>(quads);
            }
        }
    }

    ShiftMlpData const& d_;
    TilePlace at_;  ///< of the warp
    int lane_, g_, t_;
    SumQuads sums_[2][ShiftTile::kPairs] = {};
};

__global__ void __launch_bounds__(ShiftTile::kThreads) shift_mlp_kernel(ShiftMlpData const data) {
    ShiftMlpThread thread(data);
#pragma unroll 1
    for (int group = 0; group < 5; ++group) thread.add_group(group);
    thread.store();
}

inline void launch_shift_mlp(void* stream, ShiftMlpData const& data) {
    start(stream, shift_mlp_kernel, data.grid.count(), ShiftTile::kThreads, data);
}

}  // namespace vitrum::cuda
