// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "../../shift_layout.h"
#include "../halo_tile.cuh"
#include "pixel_sums.cuh"

// ELAN's local feature extraction for many channels, in operands of one scaled float16. A block holds 8 × 16 pixels of
// x and the two around them as rows that ldmatrix reads; a shift is another row. Hidden channels that share a neighbour
// are computed at that neighbour, 72 at a time, and lie as rows in shared memory until the second product has taken
// them. Two warps share 32 pixels: each has half of the hidden channels, then half of the results.

namespace vitrum::cuda {

struct SectionsData {
    Pixels x, y;
    Matrix residual;
    uint4 const *fc1, *fc2;  ///< see ShiftSections
    float const *inverse_scale1, *inverse_scale2;
    float const *bias1, *bias2;
    int group;  ///< channels of x that share a neighbour: a multiple of 4
    ShiftSections sections;
    TileGrid grid;
};

struct SectionsTile {
    static constexpr int kSteps = ShiftSections::kSteps, kQuads = 4 * kSteps, kChunks = 2 * kSteps;
    static constexpr int kTiles = ShiftSections::kTiles / 2, kPairs = ShiftSections::kPairs / 2;  ///< of a warp
    static constexpr int kWarps = 8, kThreads = kWarps * 32;
    static constexpr int kRows = 8, kColumns = 16;
    static constexpr int kHalo = 2, kHaloColumns = kColumns + 2 * kHalo;
    static constexpr int kHaloPixels = (kRows + 2 * kHalo) * kHaloColumns;
    /// From one row to the next: eight rows' chunks of sixteen bytes lie in different banks.
    static constexpr int kXBytes = kChunks * 16 + 16, kHiddenBytes = ShiftSections::kTiles * 16 + 16;
    struct Shared {
        alignas(128) std::byte x[kHaloPixels * kXBytes];
        alignas(128) std::byte hidden[kRows * kColumns * kHiddenBytes];
        uint4 first[ShiftSections::kLanes], second[ShiftSections::kLanes];
        int chunks[kChunks];  ///< where a chunk of the pixel that a lane has lies, from the pixel's row on
        int apart[kQuads];    ///< rows between a pixel's own and that where a quad of it lies
        float largest[kWarps];
    };
};

class SectionsThread {
public:
    using Tile = SectionsTile;
    static constexpr int kTiles = Tile::kTiles, kPairs = Tile::kPairs;

    __device__ SectionsThread(SectionsData const& data, Tile::Shared& shared)
        : d_(data),
          shared_(shared),
          at_(data.grid.place<Tile>(static_cast<std::int64_t>(blockIdx.x))),
          warp_(static_cast<int>(threadIdx.x) / 32),
          lane_(static_cast<int>(threadIdx.x) % 32),
          g_(lane_ / 4),
          t_(lane_ % 4) {}

    __device__ void run() {
        int const sections = static_cast<int>(d_.sections.sections());
        int const of_group = static_cast<int>(d_.sections.sections_of_group());
        fetch(d_.fc1, 0, shared_.first);
        set_places();
        __syncthreads();
        load_tile();
        float const unscale = *d_.inverse_scale1 / x_scale_;
#pragma unroll 1
        for (int section = 0; section < sections; ++section) {
            wait_for_copies<0>();
            __syncthreads();  // x and the first weight are there, the section before is done
            fetch(d_.fc2, section, shared_.second);
            int const group = of_group == 0 ? 4 : min(4, section / of_group);
            Hidden hidden;
            multiply_first(section, group, unscale, hidden);
            publish_largest(hidden);
            __syncthreads();  // all have read the first weight
            if (section + 1 < sections) fetch(d_.fc1, section + 1, shared_.first);
            else commit_copies();
            follow_scale();
            put(hidden);
            wait_for_copies<1>();
            __syncthreads();  // the hidden channels and the second weight are there
            multiply_second();
        }
        store();
    }

private:
    /// Of 32 pixels: rows g and g + 8 of sixteen, channels 2 t and 2 t + 1 of each tile.
    using Hidden = float[2][kTiles][4];

    /// In pixels of the tile with its halo (see ShiftMlp).
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
    [[nodiscard]] __device__ int own_row(int m) const {
        return warp_ / 2 * 2 + m;
    }
    [[nodiscard]] __device__ bool contains(int m, int r, int group) const {
        int const down = group == 2 ? 1 : group == 3 ? -1 : 0, right = group == 0 ? 1 : group == 1 ? -1 : 0;
        return at_.contains(at_.row + own_row(m) + down, at_.column + g_ + 8 * r + right);
    }

    __device__ void fetch(uint4 const* weights, int section, uint4* to) const {
        uint4 const* const from = weights + section * ShiftSections::kLanes;
        for (int i = static_cast<int>(threadIdx.x); i < ShiftSections::kLanes; i += Tile::kThreads) {
            copy_async(to + i, from + i);
        }
        commit_copies();
    }

    // ---- x. A chunk is eight channels, which come from one neighbour: where two groups share a chunk, that of the
    // second, and the first four channels lie in the row from which that is as far as their own neighbour.

    __device__ void set_places() const {
        int const quad = static_cast<int>(threadIdx.x), chunk = quad / 2;
        if (quad >= Tile::kQuads) return;
        int const own = offset(group_of(4 * quad)), of_chunk = offset(group_of(8 * chunk + 4));
        shared_.apart[quad] = own - of_chunk;
        if (quad % 2 == 0) shared_.chunks[chunk] = of_chunk * Tile::kXBytes + 16 * chunk;
    }
    /// x, again where it turns out that the scale was wrong for it.
    __device__ void load_tile() {
        x_scale_ = 8;
        for (int attempt = 0; attempt < 2; ++attempt) {
            float const own = warp_max(convert_tile());
            __syncthreads();
            if (lane_ == 0) shared_.largest[warp_] = own;
            __syncthreads();
            float const largest = largest_of_warps();
            bool const fits = largest * x_scale_ < kHalfRange && largest * x_scale_ >= 0.5F;
            if (attempt > 0 || fits || largest == 0) return;
            x_scale_ = power_of_two_below(largest, 11);
        }
    }
    /// Returns the largest value.
    [[nodiscard]] __device__ float convert_tile() const {
        constexpr int kTotal = Tile::kHaloPixels * Tile::kQuads, kBatch = 9;
        static_assert(kTotal % (kBatch * Tile::kThreads) == 0);
        float largest = 0;
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
                largest = fmaxf(largest, largest_of(v[i]));
                put_quad(index / Tile::kQuads, index % Tile::kQuads, v[i]);
            }
        }
        return largest;
    }
    __device__ void put_quad(int pixel, int quad, float4 v) const {
        int const row = pixel - shared_.apart[quad];
        if (row < 0 || row >= Tile::kHaloPixels) return;
        *reinterpret_cast<uint2*>(shared_.x + row * Tile::kXBytes + 8 * quad) =
            make_uint2(Fp16::pack(v.x * x_scale_, v.y * x_scale_), Fp16::pack(v.z * x_scale_, v.w * x_scale_));
    }

    // ---- The first product

    __device__ void multiply_first(int section, int group, float unscale, Hidden& hidden) const {
        std::byte const* rows[2];
#pragma unroll
        for (int m = 0; m < 2; ++m) {
            int const pixel = (Tile::kHalo + own_row(m)) * Tile::kHaloColumns + Tile::kHalo + lane_ % 16;
            rows[m] = shared_.x + (pixel + offset(group)) * Tile::kXBytes;
        }
#pragma unroll
        for (int i = 0; i < 8 * kTiles; ++i) hidden[i / 4 / kTiles][i / 4 % kTiles][i % 4] = 0;
        int const half = warp_ % 2 * kTiles;
        auto const* weights = reinterpret_cast<uint2 const*>(shared_.first) + half * kWarpLanes + lane_;
#pragma unroll 2
        for (int s = 0; s < Tile::kSteps; ++s, weights += ShiftSections::kTiles * kWarpLanes) {
            int const chunk = shared_.chunks[2 * s + lane_ / 16];
            std::uint32_t left[2][4];
#pragma unroll
            for (int m = 0; m < 2; ++m) load_matrices(left[m], rows[m] + chunk);
#pragma unroll
            for (int j = 0; j < kTiles; ++j) {
                uint2 const w = weights[j * kWarpLanes];
#pragma unroll
                for (int m = 0; m < 2; ++m) multiply_add<Fp16>(hidden[m][j], left[m], {w.x, w.y});
            }
        }
        float const* const bias = d_.bias1 + (section * ShiftSections::kTiles + half) * 8 + 2 * t_;
#pragma unroll
        for (int n = 0; n < 4 * kTiles; ++n) {
            int const m = n / 2 / kTiles, j = n / 2 % kTiles, r = n % 2;
            float2 const b = *reinterpret_cast<float2 const*>(bias + 8 * j);
            bool const is_inside = contains(m, r, group);
#pragma unroll
            for (int i = 0; i < 2; ++i) {
                float& v = hidden[m][j][2 * r + i];
                v = fmaf(v, unscale, i == 0 ? b.x : b.y);
                v = v < 0 || !is_inside ? 0.0F : v;  // keeps NaN
            }
        }
    }
    __device__ void publish_largest(Hidden const& hidden) const {
        float largest = 0;
#pragma unroll
        for (int i = 0; i < 8 * kTiles; ++i) largest = fmaxf(largest, hidden[i / 4 / kTiles][i / 4 % kTiles][i % 4]);
        largest = warp_max(largest);
        if (lane_ == 0) shared_.largest[warp_] = largest;
    }
    [[nodiscard]] __device__ float largest_of_warps() const {
        float largest = 0;
#pragma unroll
        for (float const v : shared_.largest) largest = fmaxf(largest, v);
        return largest;
    }
    /// Makes room for the section's largest: where it would leave the range, and at first, the scale gets lower, and
    /// what was summed with it so far follows.
    __device__ void follow_scale() {
        float const largest = largest_of_warps();
        if (hidden_scale_ > 0 && largest * hidden_scale_ < kHalfRange) return;
        float const lower = power_of_two_below(largest, 11);
        if (hidden_scale_ > 0) multiply_sums(sums_, lower / hidden_scale_);
        hidden_scale_ = lower;
    }
    __device__ void put(Hidden const& hidden) const {
#pragma unroll
        for (int n = 0; n < 4 * kTiles; ++n) {
            int const m = n / 2 / kTiles, j = n / 2 % kTiles, r = n % 2;
            int const pixel = own_row(m) * Tile::kColumns + 8 * r + g_, tile = warp_ % 2 * kTiles + j;
            float const(&v)[4] = hidden[m][j];
            *reinterpret_cast<std::uint32_t*>(shared_.hidden + pixel * Tile::kHiddenBytes + 16 * tile + 4 * t_) =
                Fp16::pack(v[2 * r] * hidden_scale_, v[2 * r + 1] * hidden_scale_);
        }
    }

    // ---- The second product

    __device__ void multiply_second() {
        std::byte const* const row =
            shared_.hidden + (own_row(0) * Tile::kColumns + lane_ % 16) * Tile::kHiddenBytes + lane_ / 16 * 16;
        uint4 const* weights = shared_.second + warp_ % 2 * kPairs * kWarpLanes + lane_;
#pragma unroll
        for (int s = 0; s < ShiftSections::kHiddenSteps; ++s, weights += ShiftSections::kPairs * kWarpLanes) {
            std::uint32_t left[2][4];
#pragma unroll
            for (int m = 0; m < 2; ++m) load_matrices(left[m], row + m * Tile::kColumns * Tile::kHiddenBytes + 32 * s);
#pragma unroll
            for (int u = 0; u < kPairs; ++u) {
                uint4 const w = weights[u * kWarpLanes];
#pragma unroll
                for (int m = 0; m < 2; ++m) {
                    multiply_add<Fp16>(sums_[m][u].tiles[0], left[m], {w.x, w.y});
                    multiply_add<Fp16>(sums_[m][u].tiles[1], left[m], {w.z, w.w});
                }
            }
        }
    }

    __device__ void store() const {
        int const first = warp_ % 2 * kPairs * 16;
        Pixels y = d_.y;
        Matrix residual = d_.residual;
        y.data += first;
        y.c -= first;
        if (y.c <= 0) return;
        if (residual.data != nullptr) residual.data += first;
        std::int64_t pixels[4];
        bool is_inside[4];
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            is_inside[i] = contains(i / 2, i % 2, 4);
            pixels[i] = is_inside[i] ? at_.pixel(at_.row + own_row(i / 2), at_.column + g_ + 8 * (i % 2)) : at_.first;
        }
        store_sums(sums_, *d_.inverse_scale2 / hidden_scale_, d_.bias2 + first, y, residual, pixels, is_inside, t_);
    }

    SectionsData const& d_;
    Tile::Shared& shared_;
    TilePlace at_;
    int warp_, lane_, g_, t_;
    float x_scale_ = 0, hidden_scale_ = 0;
    SumQuads sums_[2][kPairs] = {};
};

__global__ static void __launch_bounds__(SectionsTile::kThreads, 1)
    sections_kernel(__grid_constant__ SectionsData const data) {
    SectionsThread(data, dynamic_shared<SectionsTile::Shared>()).run();
}

}  // namespace vitrum::cuda
