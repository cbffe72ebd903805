// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "halo_tile.cuh"

// The second pass of spectral attention on a tile of pixels and 32 of the channels: v with two pixels around the tile,
// gelu(pos1(v)) with one, then the attention, by now one matrix on x, plus pos2 of that, bias and residual.

namespace vitrum::cuda {

constexpr int kSpectralChannels = 32;

struct SpectralData {
    Pixels x, y;
    Matrix residual;
    std::uint32_t const *value, *matrix;  ///< W_v; [picture] W_o·A·W_v
    std::int64_t matrix_words;            ///< of a picture
    std::byte const *position1, *position2;  ///< [9][padded channels]
    float const* bias;
    int blocks, steps;  ///< of 32 channels; of 16 channels of x
    TileGrid grid;
};

template <class Operand_, int kRows, int kWarps, int kPatchRows, int kPatchColumns, int kInnerRows_, int kInnerColumns_,
          int kBlocks_>
struct SpectralTile : HaloTile<kRows, 2, kWarps, kPatchRows, kPatchColumns> {
    using Base = HaloTile<kRows, 2, kWarps, kPatchRows, kPatchColumns>;
    using Operand = Operand_;
    static constexpr int kBlocks = kBlocks_;  ///< on a multiprocessor at least
    static constexpr int kProducts = Base::kPatch / 2;
    static constexpr int kQuads = kSpectralChannels / 4;
    static constexpr int kFeatureRows = kRows + 2, kFeatureColumns = Base::kColumns + 2;
    using Inner = Patch<kInnerRows_, kInnerColumns_>;  ///< of the first filter
    static_assert(kFeatureRows % kInnerRows_ == 0 && kFeatureColumns % kInnerColumns_ == 0);
    static_assert(kWarps / 2 * Base::kPatch * 8 == kRows * Base::kColumns);

    /// Quads from pixel to pixel: those two apart use different halves of the banks.
    static constexpr int kPitch = kQuads + 2;

    struct Shared {
        alignas(16) float4 values[Base::kHaloGroups * 16][kPitch];
        alignas(16) float4 features[kFeatureRows * kFeatureColumns][kPitch];
    };
};

/// One thread's share of a tile.
template <class Tile>
class SpectralThread {
public:
    using Operand = typename Tile::Operand;

    __device__ SpectralThread(SpectralData const& data, typename Tile::Shared& shared)
        : d_(data),
          shared_(shared),
          block_(static_cast<int>(blockIdx.x % static_cast<unsigned>(data.blocks))),
          at_(data.grid.place<Tile>(blockIdx.x / static_cast<unsigned>(data.blocks))),
          warp_(static_cast<int>(threadIdx.x) / 32),
          lane_(static_cast<int>(threadIdx.x) % 32),
          g_(lane_ / 4),
          t_(lane_ % 4) {}

    /// v of the halo's pixels; zero outside of the picture, as x is.
    __device__ void make_values() {
        std::uint32_t const* const weights = d_.value + weight_offset();
#pragma unroll 1
        for (int i = 0; i < Tile::kGroupsOfWarp; i += 2) {
            SumQuads sums[2][2] = {};
            float const* from[2][2];
            int count[2][2];
            for (int n = 0; n < 4; ++n) {
                int const h = Tile::halo_pixel((i + n / 2) * Tile::kWarps + warp_, g_ + n % 2 * 8);
                int const row = at_.row + h / Tile::kHaloColumns - 2, column = at_.column + h % Tile::kHaloColumns - 2;
                bool const is_inside = h < Tile::kHaloPixels && at_.contains(row, column);
                from[n / 2][n % 2] = d_.x.at(is_inside ? at_.pixel(row, column) : at_.first);
                count[n / 2][n % 2] = is_inside ? d_.x.c : 0;
            }
            multiply<4, 2>(weights, from, count, sums);
#pragma unroll
            for (int n = 0; n < 4; ++n) {
                int const group = (i + n / 2) * Tile::kWarps + warp_;
                if (group >= Tile::kHaloGroups) continue;
                int const h = Tile::halo_pixel(group, g_ + n % 2 * 8);
                shared_.values[h][t_] = sums[n / 2][0].quad(n % 2);
                shared_.values[h][4 + t_] = sums[n / 2][1].quad(n % 2);
            }
        }
    }

    /// gelu(pos1(v)) of the tile and a pixel around it; zero outside of the picture.
    __device__ void make_features() const {
        using Inner = typename Tile::Inner;
        constexpr int kAcross = Tile::kFeatureColumns / Inner::kPatchColumns;
        constexpr int kItems = kAcross * (Tile::kFeatureRows / Inner::kPatchRows) * Tile::kQuads;
#pragma unroll 1
        for (int item = static_cast<int>(threadIdx.x); item < kItems; item += Tile::kThreads) {
            int const quad = item % Tile::kQuads, patch = item / Tile::kQuads;
            int const row = patch / kAcross * Inner::kPatchRows, column = patch % kAcross * Inner::kPatchColumns;
            float4 filter[9], sums[Inner::kPatch];
            load_filter(filter, d_.position1, block_ * kSpectralChannels + 4 * quad, d_.blocks * kSpectralChannels);
            filter_patch<Inner>(
                filter,
                [&](int r, int c) {
                    int const h = (row + r) * Tile::kHaloColumns + column + c;
                    return shared_.values[h][quad];
                },
                sums);
#pragma unroll
            for (int i = 0; i < Inner::kPatch; ++i) {
                int const r = row + i / Inner::kPatchColumns, c = column + i % Inner::kPatchColumns;
                bool const is_inside = at_.contains(at_.row + r - 1, at_.column + c - 1);
                int const pixel = r * Tile::kFeatureColumns + c;
                shared_.features[pixel][quad] = is_inside ? gelu_for<Operand>(sums[i]) : make_float4(0, 0, 0, 0);
            }
        }
    }

    /// The tile's results: even warps have the first sixteen channels, odd ones the others.
    __device__ void store() const {
        int const half = warp_ % 2, row = Tile::patch_row(warp_ / 2, g_), column = Tile::patch_column(g_);
        int const channel = block_ * kSpectralChannels + half * 16 + 4 * t_, left = d_.x.c - channel;
        SumQuads attended[Tile::kProducts][1] = {};
        multiply_own(half, row, column, attended);
        float4 filter[9], sums[Tile::kPatch];
        load_filter(filter, d_.position2, channel, d_.blocks * kSpectralChannels);
        filter_patch<Tile>(
            filter,
            [&](int r, int c) {
                int const pixel = (row + r) * Tile::kFeatureColumns + column + c;
                return shared_.features[pixel][half * 4 + t_];
            },
            sums);
        float4 const bias = load_some(d_.bias + channel, left);
        std::int64_t pixels[Tile::kPatch];
        bool is_inside[Tile::kPatch];
#pragma unroll
        for (int i = 0; i < Tile::kPatch; ++i) {
            int const r = at_.row + row + i / Tile::kPatchColumns, c = at_.column + column + i % Tile::kPatchColumns;
            is_inside[i] = at_.contains(r, c);
            pixels[i] = is_inside[i] ? at_.pixel(r, c) : at_.first;
            sums[i] = attended[i / 2][0].quad(i % 2) + sums[i] + bias;
        }
        store_patch<Tile::kPatch>(d_.y, d_.residual, pixels, is_inside, channel, sums);
    }

private:
    [[nodiscard]] __device__ std::int64_t weight_offset() const {
        return static_cast<std::int64_t>(block_) * 4 * d_.steps * kFragmentWords<Operand>;
    }

    /// Groups of sixteen pixels of x times kTiles · 8 columns. `count`: channels of x, or 0 for zeros.
    template <int kTiles, int kGroups>
    __device__ void multiply(std::uint32_t const* weights, float const* const (&from)[kGroups][2],
                             int const (&count)[kGroups][2], SumQuads (&sums)[kGroups][kTiles / 2]) const {
#pragma unroll 2
        for (int s = 0; s < d_.steps; ++s) {
            Right<Operand> right[kTiles];
            int const channel = 16 * s + 4 * t_;
            QuadAt at[2 * kGroups];
            float4 x[2 * kGroups];
#pragma unroll
            for (int i = 0; i < 2 * kGroups; ++i) at[i] = {from[i / 2][i % 2] + channel, count[i / 2][i % 2] - channel};
            load_quads(x, at, d_.x);
#pragma unroll
            for (int j = 0; j < kTiles; ++j)
                right[j].load(weights + (j * d_.steps + s) * kFragmentWords<Operand>, lane_);
#pragma unroll
            for (int i = 0; i < kGroups; ++i) {
                Quads quads;
                quads.set(0, x[2 * i]);
                quads.set(1, x[2 * i + 1]);
                Left<Operand> const left(quads);
#pragma unroll
                for (int j = 0; j < kTiles; ++j) multiply_add(sums[i][j / 2].tiles[j % 2], left, right[j]);
            }
        }
    }

    /// The attention's matrix times this thread's own patch, for sixteen of the channels.
    __device__ void multiply_own(int half, int row, int column, SumQuads (&sums)[Tile::kProducts][1]) const {
        float const* from[Tile::kProducts][2];
        int count[Tile::kProducts][2];
#pragma unroll
        for (int i = 0; i < Tile::kPatch; ++i) {
            int const r = at_.row + row + i / Tile::kPatchColumns, c = at_.column + column + i % Tile::kPatchColumns;
            bool const is_inside = at_.contains(r, c);
            from[i / 2][i % 2] = d_.x.at(is_inside ? at_.pixel(r, c) : at_.first);
            count[i / 2][i % 2] = is_inside ? d_.x.c : 0;
        }
        std::int64_t const picture = divide(at_.first, std::int64_t{at_.h} * at_.w).whole;
        std::uint32_t const* const weights =
            d_.matrix + picture * d_.matrix_words + weight_offset() + half * 2 * d_.steps * kFragmentWords<Operand>;
        multiply<2, Tile::kProducts>(weights, from, count, sums);
    }

    SpectralData const& d_;
    typename Tile::Shared& shared_;
    int block_;  ///< which 32 channels
    TilePlace at_;
    int warp_, lane_, g_, t_;
};

template <class Tile>
__global__ void __launch_bounds__(Tile::kThreads, Tile::kBlocks) spectral_kernel(SpectralData const data) {
    auto& shared = dynamic_shared<typename Tile::Shared>();
    let_next_start();
    SpectralThread<Tile> thread(data, shared);
    thread.make_values();
    __syncthreads();
    thread.make_features();
    __syncthreads();
    await_previous();  // for the matrix; x was complete before the kernels that make it began
    thread.store();
}

template <class Tile>
void launch_spectral(void* stream, SpectralData const& data) {
    start_shared<Start::early>(stream, spectral_kernel<Tile>, data.grid.count() * data.blocks, Tile::kThreads,
                 sizeof(typename Tile::Shared), data);
}

}  // namespace vitrum::cuda
