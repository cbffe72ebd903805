// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "../halo_tile.cuh"
#include "pixel_sums.cuh"

// ELAN's local feature extraction as one kernel. A block holds 8 × 16 pixels of x and the two around them in shared
// memory, as float16 operands of a power of two times the values; a shift is then an address. A hidden channel is read
// at one neighbour only, so it is computed at that neighbour, and its product with the second weight follows from
// registers: the hidden layer exists nowhere, and nothing is computed twice.

namespace vitrum::cuda {

struct ShiftMlpData {
    Pixels x, y;
    Matrix residual;
    uint4 const *fc1, *fc2;  ///< see ShiftWeights
    float const *inverse_scale1, *inverse_scale2;
    float const *bias1, *bias2;
    int group;  ///< channels of x that share a neighbour: a multiple of 4
    int hidden, hidden_group;
    TileGrid grid;
};

/// A warp has a row of pixels. Weights come through the first-level cache.
struct ShiftTile {
    static constexpr int kSteps = ShiftWeights::kSteps, kParts = ShiftWeights::kParts;  ///< of 16 channels of x
    static constexpr int kWarps = 8, kThreads = kWarps * 32;
    static constexpr int kRows = 8, kColumns = 16, kRowsOfWarp = kRows / kWarps;
    static constexpr int kHalo = 2, kHaloColumns = kColumns + 2 * kHalo;
    static constexpr int kHaloPixels = (kRows + 2 * kHalo) * kHaloColumns;
    static constexpr int kQuads = 4 * kSteps;
    /// From one pixel to the next, in words of two channels: what a warp loads at a time lies in different banks.
    static constexpr int kPixelWords = 2 * kQuads + 4;
    static constexpr int kPartWords = kHaloPixels * kPixelWords;
    static constexpr int kPartLanes = kSteps * kWarpLanes, kChunkLanes = kParts * kPartLanes;
    static constexpr int kBlocks = 2;  ///< of a multiprocessor
    struct Shared {
        alignas(16) std::uint32_t x[kParts][kPartWords];
        float largest[kWarps];
    };
};

class ShiftMlpThread {
public:
    using Tile = ShiftTile;
    static constexpr int kSteps = Tile::kSteps, kParts = Tile::kParts, kRowsOfWarp = Tile::kRowsOfWarp;

    __device__ ShiftMlpThread(ShiftMlpData const& data, Tile::Shared& shared)
        : d_(data),
          shared_(shared),
          at_(data.grid.place<Tile>(static_cast<std::int64_t>(blockIdx.x))),
          row_(static_cast<int>(threadIdx.x) / 32 * kRowsOfWarp),
          lane_(static_cast<int>(threadIdx.x) % 32),
          g_(lane_ / 4),
          t_(lane_ % 4) {}

    __device__ void run() {
        load_tile();
        unscale1_ = *d_.inverse_scale1 / x_scale_;
        int chunk = 0;
        SplitLeft<kParts> left[kRowsOfWarp] = {};  // of the chunk before, so that its product fills this one's waits
#pragma unroll 1
        for (int group = 0; group < 5; ++group) {
            int const first = group * d_.hidden_group;
            int const count = group < 4 ? d_.hidden_group : d_.hidden - first;
            if (count <= 0) continue;
            begin_group(group);
#pragma unroll 1
            for (int channel = 0; channel < count; channel += 16, ++chunk) {
                multiply(chunk, first + channel, min(16, count - channel), left);
            }
        }
#pragma unroll
        for (int u = 0; u < kSteps; ++u) add_second(u, chunk - 1, left);
        store();
    }

private:
    using Right = SplitRight<kParts>;

    /// Where a group's channels come from (see ShiftMlp).
    [[nodiscard]] static __device__ int row_offset(int group) {
        return group == 2 ? 1 : group == 3 ? -1 : 0;
    }
    [[nodiscard]] static __device__ int column_offset(int group) {
        return group == 0 ? 1 : group == 1 ? -1 : 0;
    }
    [[nodiscard]] __device__ int group_of(int channel) const {
        return (channel >= d_.group ? 1 : 0) + (channel >= 2 * d_.group ? 1 : 0) + (channel >= 3 * d_.group ? 1 : 0) +
               (channel >= 4 * d_.group ? 1 : 0);
    }
    [[nodiscard]] __device__ bool contains(int row, int r, int down, int right) const {
        return at_.contains(at_.row + row_ + row + down, at_.column + g_ + 8 * r + right);
    }

    [[nodiscard]] __device__ Right weight(int which, int chunk, int step) const {
        uint4 const* const weights = (which == 0 ? d_.fc1 : d_.fc2) + chunk * Tile::kChunkLanes;
        return Right(weights + step * kWarpLanes + lane_, Tile::kPartLanes);
    }

    /// x, again where it turns out that the scale was wrong for it.
    __device__ void load_tile() {
        x_scale_ = 8;
        for (int attempt = 0; attempt < 2; ++attempt) {
            float const own = warp_max(convert_tile());
            if (attempt > 0) __syncthreads();
            if (lane_ == 0) shared_.largest[threadIdx.x / 32] = own;
            __syncthreads();
            float largest = 0;
#pragma unroll
            for (float const v : shared_.largest) largest = fmaxf(largest, v);
            bool const fits = largest * x_scale_ < kHalfRange && largest * x_scale_ >= 0.5F;
            if (attempt > 0 || fits || largest == 0) return;
            x_scale_ = power_of_two_below(largest, 11);
        }
    }
    /// Returns the largest value.
    [[nodiscard]] __device__ float convert_tile() {
        constexpr int kTotal = Tile::kHaloPixels * Tile::kQuads, kBatch = 6;
        float largest = 0;
#pragma unroll 1
        for (int first = static_cast<int>(threadIdx.x); first < kTotal; first += kBatch * Tile::kThreads) {
            QuadAt at[kBatch];
            float4 v[kBatch];
#pragma unroll
            for (int i = 0; i < kBatch; ++i) {
                int const index = first + i * Tile::kThreads, pixel = index / Tile::kQuads;
                std::int64_t const row = at_.row + pixel / Tile::kHaloColumns - Tile::kHalo;
                std::int64_t const column = at_.column + pixel % Tile::kHaloColumns - Tile::kHalo;
                int const channel = index % Tile::kQuads * 4;
                bool const exists = index < kTotal && at_.contains(row, column);
                at[i] = {d_.x.at(exists ? at_.pixel(row, column) : at_.first) + channel, exists ? d_.x.c - channel : 0};
            }
            load_quads(v, at, d_.x);
#pragma unroll
            for (int i = 0; i < kBatch; ++i) {
                int const index = first + i * Tile::kThreads;
                if (index >= kTotal) continue;
                largest = fmaxf(largest, largest_of(v[i]));
                put(index / Tile::kQuads * Tile::kPixelWords + index % Tile::kQuads * 2, v[i]);
            }
        }
        return largest;
    }
    __device__ void put(int at, float4 v) {
        SplitLeft<kParts> pairs;
        pairs.set_quad(0, v, x_scale_);
#pragma unroll
        for (int part = 0; part < kParts; ++part) {
            *reinterpret_cast<uint2*>(&shared_.x[part][at]) = make_uint2(pairs.a[part][0], pairs.a[part][2]);
        }
    }

    /// Where shift(x) at this group's neighbours lies.
    __device__ void begin_group(int group) {
        int const down = row_offset(group), right = column_offset(group);
        int const first = (Tile::kHalo + row_ + down) * Tile::kHaloColumns + Tile::kHalo + g_ + right;
#pragma unroll
        for (int s = 0; s < kSteps; ++s) {
#pragma unroll
            for (int k = 0; k < 2; ++k) {  // channels 2 t and 2 t + 1 of eight
                int const own = group_of(16 * s + 8 * k + 2 * t_);
                int const pixel = first + row_offset(own) * Tile::kHaloColumns + column_offset(own);
                words_[s][k] = pixel * Tile::kPixelWords + 8 * s + 4 * k + t_;
            }
        }
#pragma unroll
        for (int i = 0; i < 2 * kRowsOfWarp; ++i) is_inside_[i / 2][i % 2] = contains(i / 2, i % 2, down, right);
    }
    [[nodiscard]] __device__ SplitLeft<kParts> shifted(int m, int s) const {
        SplitLeft<kParts> x;
#pragma unroll
        for (int i = 0; i < 4 * kParts; ++i) {
            int const part = i / 4, k = i / 2 % 2, r = i % 2;
            x.a[part][2 * k + r] = shared_.x[part][words_[s][k] + (m * Tile::kHaloColumns + 8 * r) * Tile::kPixelWords];
        }
        return x;
    }
    /// Sixteen hidden channels, and what those before them add to the results.
    __device__ void multiply(int chunk, int first, int count, SplitLeft<kParts> (&left)[kRowsOfWarp]) {
        float bias[2][2];
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            int const own = i / 2 * 8 + 2 * t_ + i % 2;
            bias[i / 2][i % 2] = own < count ? d_.bias1[first + own] : 0.0F;
        }
        float hidden[kRowsOfWarp][2][4] = {};
        int const before = max(chunk - 1, 0);  // the first chunk has none: `left` is zero then
#pragma unroll
        for (int s = 0; s < kSteps; ++s) {
            Right const w = weight(0, chunk, s);
#pragma unroll
            for (int m = 0; m < kRowsOfWarp; ++m) {
                multiply_add(hidden[m][0], hidden[m][1], shifted(m, s), w);
            }
            add_second(s, before, left);
        }
        float largest = 0;
#pragma unroll
        for (int i = 0; i < 8 * kRowsOfWarp; ++i) {
            float& v = hidden[i / 8][i / 4 % 2][i % 4];
            v = fmaf(v, unscale1_, bias[i / 4 % 2][i % 2]);
            v = v < 0 ? 0.0F : v;  // fmaxf would lose NaN
            if (!is_inside_[i / 8][i % 4 / 2]) v = 0.0F;
            largest = fmaxf(largest, v);
        }
        fit_scale(hidden_scale_, largest, [&](float factor) { multiply_sums(sums_, factor); });
#pragma unroll
        for (int i = 0; i < 4 * kRowsOfWarp; ++i) {
            float const(&v)[4] = hidden[i / 4][i % 4 / 2];
            left[i / 4].set(i % 4, v[i % 2 * 2] * hidden_scale_, v[i % 2 * 2 + 1] * hidden_scale_);
        }
    }
    __device__ void add_second(int pair, int chunk, SplitLeft<kParts> const (&left)[kRowsOfWarp]) {
        Right const w = weight(1, chunk, pair);
#pragma unroll
        for (int m = 0; m < kRowsOfWarp; ++m) {
            multiply_add(sums_[m][pair].tiles[0], sums_[m][pair].tiles[1], left[m], w);
        }
    }

    __device__ void store() const {
        std::int64_t pixels[2 * kRowsOfWarp];
        bool is_inside[2 * kRowsOfWarp];
#pragma unroll
        for (int i = 0; i < 2 * kRowsOfWarp; ++i) {
            is_inside[i] = contains(i / 2, i % 2, 0, 0);
            pixels[i] = is_inside[i] ? at_.pixel(at_.row + row_ + i / 2, at_.column + g_ + i % 2 * 8) : at_.first;
        }
        store_sums(sums_, *d_.inverse_scale2 / hidden_scale_, d_.bias2, d_.y, d_.residual, pixels, is_inside, t_);
    }

    ShiftMlpData const& d_;
    Tile::Shared& shared_;
    TilePlace at_;
    int row_, lane_, g_, t_;  ///< the warp's first row in the tile
    float unscale1_ = 0, x_scale_ = 0, hidden_scale_ = 0;
    bool is_inside_[kRowsOfWarp][2];
    int words_[kSteps][2];
    SumQuads sums_[kRowsOfWarp][kSteps] = {};
};

__global__ static void __launch_bounds__(ShiftTile::kThreads, ShiftTile::kBlocks)
    shift_mlp_kernel(__grid_constant__ ShiftMlpData const data) {
    ShiftMlpThread(data, dynamic_shared<ShiftTile::Shared>()).run();
}

}  // namespace vitrum::cuda
