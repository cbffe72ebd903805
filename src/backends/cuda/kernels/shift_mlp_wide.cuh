// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "halo_tile.cuh"
#include "scaled_halves.cuh"

// ELAN's local feature extraction for up to 192 channels: as in shift_mlp_fused.cuh a warp computes each hidden channel
// at the one neighbour where it is read, and multiplies on from registers, but for sixteen pixels, whose results take
// 96 registers. Operands are float16 of a power of two times the values (scaled_halves.cuh); weights pass through
// shared memory, sixteen hidden channels at a time, while those before are multiplied.

namespace vitrum::cuda {

struct WideShiftData {
    Pixels x, y;
    Matrix residual;
    uint4 const *fc1, *fc2;  ///< see WideShiftWeights
    float const *inverse_scale1, *inverse_scale2;
    float const *bias1, *bias2;
    int group;  ///< channels of x that share a neighbour: a multiple of 4
    int hidden, hidden_group;
    TileGrid grid;
};

struct WideShiftTile {
    static constexpr int kWarps = 8, kThreads = kWarps * 32;
    static constexpr int kRows = kWarps, kColumns = 16;
    static constexpr int kSteps = WideShiftWeights::kSteps;
    static constexpr int kChunkLanes = WideShiftWeights::kChunkLanes;
    static constexpr int kStages = 4;
    struct Shared {
        uint4 stages[kStages][2][kChunkLanes];
    };
};

class WideShiftThread {
public:
    using Tile = WideShiftTile;

    __device__ WideShiftThread(WideShiftData const& data, Tile::Shared& shared)
        : d_(data),
          shared_(shared),
          at_(data.grid.place<Tile>(static_cast<std::int64_t>(blockIdx.x))),
          lane_(static_cast<int>(threadIdx.x) % 32),
          g_(lane_ / 4),
          t_(lane_ % 4),
          unscale1_(*data.inverse_scale1) {
        at_.row += static_cast<int>(threadIdx.x) / 32;
    }

    __device__ void run() {
        int const chunks = chunks_before(4) + (d_.hidden - 4 * d_.hidden_group + 15) / 16;
        for (int chunk = 0; chunk < Tile::kStages - 1; ++chunk) fetch(chunk, chunks);
        int chunk = 0;
#pragma unroll 1
        for (int group = 0; group < 5; ++group) {
            int const first = group * d_.hidden_group;
            int const count = group < 4 ? d_.hidden_group : d_.hidden - first;
            if (count <= 0) continue;
            load(group);
#pragma unroll 1
            for (int channel = 0; channel < count; channel += 16, ++chunk) {
                wait_for_copies<Tile::kStages - 2>();
                __syncthreads();
                fetch(chunk + Tile::kStages - 1, chunks);
                multiply(chunk % Tile::kStages, group, first + channel, min(16, count - channel));
            }
        }
        wait_for_copies<0>();
        store();
    }

private:
    [[nodiscard]] static __device__ int row_offset(int group) {
        return group == 2 ? 1 : group == 3 ? -1 : 0;
    }
    [[nodiscard]] static __device__ int column_offset(int group) {
        return group == 0 ? 1 : group == 1 ? -1 : 0;
    }
    [[nodiscard]] __device__ int chunks_before(int group) const {
        return group * ((d_.hidden_group + 15) / 16);
    }
    [[nodiscard]] __device__ std::int64_t column(int r) const {
        return at_.column + g_ + 8 * r;
    }
    [[nodiscard]] __device__ bool contains(int r, int down, int right) const {
        return at_.contains(at_.row + down, column(r) + right);
    }

    /// Both weights of a chunk; an empty group of copies where there is none.
    __device__ void fetch(int chunk, int chunks) {
        if (chunk < chunks) {
            auto& stage = shared_.stages[chunk % Tile::kStages];
            for (int i = static_cast<int>(threadIdx.x); i < 2 * Tile::kChunkLanes; i += Tile::kThreads) {
                bool const is_first = i < Tile::kChunkLanes;
                int const at = is_first ? i : i - Tile::kChunkLanes;
                copy_async(&stage[is_first ? 0 : 1][at], (is_first ? d_.fc1 : d_.fc2) + chunk * Tile::kChunkLanes + at);
            }
        }
        commit_copies();
    }

    /// shift(x) at this group's neighbours, again where it turns out to leave the range of the scale.
    __device__ void load(int group) {
        for (int attempt = 0; attempt < 2; ++attempt) {
            float const largest = warp_max(convert(row_offset(group), column_offset(group)));
            if (x_scale_ > 0 && largest * x_scale_ < kHalfRange) return;
            x_scale_ = power_of_two_below(largest, 11);
        }
    }
    /// Returns the largest value.
    [[nodiscard]] __device__ float convert(int down, int right) {
        float largest = 0;
#pragma unroll
        for (int s = 0; s < Tile::kSteps; ++s) {
            int const channel = 16 * s + 4 * t_, group = d_.group == 0 ? 4 : min(4, channel / d_.group);
            int const rows = down + row_offset(group), columns = right + column_offset(group);
            QuadAt at[2];
            float4 v[2];
#pragma unroll
            for (int r = 0; r < 2; ++r) {
                bool const exists = contains(r, rows, columns);
                std::int64_t const pixel = exists ? at_.pixel(at_.row + rows, column(r) + columns) : at_.first;
                at[r] = {d_.x.at(pixel) + channel, exists ? d_.x.c - channel : 0};
            }
            load_quads(v, at, d_.x);
            Quads quads;
#pragma unroll
            for (int r = 0; r < 2; ++r) {
                largest = fmaxf(largest, largest_of(v[r]));
                quads.set(r, make_float4(v[r].x * x_scale_, v[r].y * x_scale_, v[r].z * x_scale_, v[r].w * x_scale_));
            }
            x_[s] = Left<Fp16>(quads);
        }
        return largest;
    }

    __device__ void multiply(int stage, int group, int first, int count) {
        float hidden[2][4] = {};
#pragma unroll
        for (int s = 0; s < Tile::kSteps; ++s) {
            uint4 const w = shared_.stages[stage][0][s * 32 + lane_];
            multiply_add<Fp16>(hidden[0], x_[s].a, {w.x, w.y});
            multiply_add<Fp16>(hidden[1], x_[s].a, {w.z, w.w});
        }
        float const factor = unscale1_ / x_scale_;
        int const down = row_offset(group), right = column_offset(group);
        bool const is_inside[2] = {contains(0, down, right), contains(1, down, right)};
        float largest = 0;
#pragma unroll
        for (int i = 0; i < 8; ++i) {
            int const own = i / 4 * 8 + 2 * t_ + i % 2;
            float const bias = own < count ? d_.bias1[first + own] : 0.0F;
            float& v = hidden[i / 4][i % 4];
            v = is_inside[i % 4 / 2] ? fmaxf(fmaf(v, factor, bias), 0.0F) : 0.0F;
            largest = fmaxf(largest, v);
        }
        fit_scale(warp_max(largest));
        std::uint32_t left[4];
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            left[i] =
                Fp16::pack(hidden[i / 2][i % 2 * 2] * hidden_scale_, hidden[i / 2][i % 2 * 2 + 1] * hidden_scale_);
        }
#pragma unroll
        for (int u = 0; u < Tile::kSteps; ++u) {
            uint4 const w = shared_.stages[stage][1][u * 32 + lane_];
            multiply_add<Fp16>(sums_[u].tiles[0], left, {w.x, w.y});
            multiply_add<Fp16>(sums_[u].tiles[1], left, {w.z, w.w});
        }
    }
    __device__ void fit_scale(float largest) {
        if (hidden_scale_ > 0 && largest * hidden_scale_ < kHalfRange) return;
        float const lower = power_of_two_below(largest, 11);
        float const factor = hidden_scale_ > 0 ? lower / hidden_scale_ : 1.0F;
#pragma unroll
        for (SumQuads& sum : sums_) {
#pragma unroll
            for (int i = 0; i < 8; ++i) sum.tiles[i / 4][i % 4] *= factor;
        }
        hidden_scale_ = lower;
    }

    __device__ void store() const {
        float const factor = *d_.inverse_scale2 / hidden_scale_;
        std::int64_t pixels[2];
        bool is_inside[2];
#pragma unroll
        for (int r = 0; r < 2; ++r) {
            is_inside[r] = contains(r, 0, 0);
            pixels[r] = is_inside[r] ? at_.pixel(at_.row, column(r)) : at_.first;
        }
#pragma unroll
        for (int u = 0; u < Tile::kSteps; ++u) {
            int const channel = 16 * u + 4 * t_;
            float4 const bias = load_some(d_.bias2 + channel, d_.y.c - channel),
                         scale = {factor, factor, factor, factor};
            float4 const v[2] = {multiply_add(sums_[u].quad(0), scale, bias),
                                 multiply_add(sums_[u].quad(1), scale, bias)};
            store_patch<2>(d_.y, d_.residual, pixels, is_inside, channel, v);
        }
    }

    WideShiftData const& d_;
    Tile::Shared& shared_;
    TilePlace at_;  ///< of the warp
    int lane_, g_, t_;
    float unscale1_, x_scale_ = 0, hidden_scale_ = 0;
    Left<Fp16> x_[Tile::kSteps];
    SumQuads sums_[Tile::kSteps] = {};
};

__global__ void __launch_bounds__(WideShiftTile::kThreads) wide_shift_kernel(WideShiftData const data) {
    WideShiftThread(data, dynamic_shared<WideShiftTile::Shared>()).run();
}

inline void launch_wide_shift(void* stream, WideShiftData const& data) {
    start_shared(stream, wide_shift_kernel, data.grid.count(), WideShiftTile::kThreads, sizeof(WideShiftTile::Shared),
                 data);
}

}  // namespace vitrum::cuda
