// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "hidden_quad.cuh"
#include "row_tile.cuh"

// The second pass of spectral attention on a tile of pixels and 32 of the channels: v with two pixels around the tile,
// gelu(pos1(v)) with one, then the attention, by now one matrix on x, plus pos2 of that, bias and residual.
//
// Where products may be of ten bits of fraction, v, the filters and GELU between them are float16, at half the
// instructions. Nobody knows the range of v: a tile's is multiplied by a power of two that brings its largest number to
// 2^13 … 2^14, and the filters are divided by powers of two so that no sum of a filter is larger than what it filters.

namespace vitrum::cuda {

constexpr int kSpectralChannels = 32;

struct SpectralData {
    Pixels x, y;
    Matrix residual;
    std::uint32_t const *value, *matrix;     ///< W_v; [picture] W_o·A·W_v
    std::int64_t matrix_words;               ///< of a picture
    std::byte const *position1, *position2;  ///< see load_filter; behind those of float16 what they were divided by
    float const* bias;
    int blocks, steps;  ///< of 32 channels; of 16 channels of x
};

template <class Operand_, class Quad_, int kChannels, int kRows, int kWarps, int kPatchRows, int kPatchColumns,
          int kInnerRows_, int kInnerColumns_, int kBlocks_>
struct SpectralTile : HaloTile<kRows, 2, kWarps, kPatchRows, kPatchColumns> {
    using Base = HaloTile<kRows, 2, kWarps, kPatchRows, kPatchColumns>;
    using Operand = Operand_;
    using Quad = Quad_;                            ///< four channels of v and of what the first filter makes of it
    static constexpr int kSteps = kChannels / 16;  ///< of x, at most
    static constexpr bool kIsScaled = std::is_same_v<Quad, HalfQuad>;
    static_assert(!kIsScaled || Base::kGroupsOfWarp <= 2, "v waits for its scale in registers");
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
        alignas(16) Quad values[Base::kHaloGroups * 16][kPitch];
        alignas(16) Quad features[kFeatureRows * kFeatureColumns][kPitch];
        float largest[kIsScaled ? kWarps : 1];
    };
};

/// gelu(v); in float16 twice that and still scaled, v times `plain` being the number itself.
template <class Operand>
[[nodiscard]] __device__ float4 feature_of(float4 v, std::uint32_t) {
    return gelu_for<Operand>(v);
}
template <class Operand>
[[nodiscard]] __device__ HalfQuad feature_of(HalfQuad v, std::uint32_t plain) {
    return {gelu_halves<1>(multiply_halves(v.low, plain), v.low),
            gelu_halves<1>(multiply_halves(v.high, plain), v.high)};
}
[[nodiscard]] __device__ inline float4 as_floats(float4 v) {
    return v;
}
[[nodiscard]] __device__ inline float4 as_floats(HalfQuad v) {
    float2 const low = Fp16::unpack(v.low), high = Fp16::unpack(v.high);
    return make_float4(low.x, low.y, high.x, high.y);
}

/// One thread's share of a tile.
template <class Tile>
class SpectralThread {
public:
    using Operand = typename Tile::Operand;
    using Quad = typename Tile::Quad;

    __device__ SpectralThread(SpectralData const& data, TileGrid const& grid, typename Tile::Shared& shared)
        : d_(data),
          shared_(shared),
          block_(static_cast<int>(blockIdx.x % static_cast<unsigned>(data.blocks))),
          picture_(grid.picture(blockIdx.x / static_cast<unsigned>(data.blocks))),
          at_(grid.template place<Tile>(blockIdx.x / static_cast<unsigned>(data.blocks))),
          x_(data.x, at_),
          warp_(static_cast<int>(threadIdx.x / 32)),
          lane_(static_cast<int>(threadIdx.x % 32)),
          g_(static_cast<int>(threadIdx.x % 32 / 4)),
          t_(static_cast<int>(threadIdx.x % 4)) {}

    /// v of the halo's pixels; zero outside of the picture, as x is.
    __device__ void make_values() {
        std::uint32_t const* const weights = d_.value + weight_offset();
#pragma unroll 1
        for (int i = 0; i < Tile::kGroupsOfWarp; i += 2) {
            SumQuads sums[2][2] = {};
            float const* from[4];
            bool exists[4];
#pragma unroll
            for (int n = 0; n < 4; ++n) {
                int const h = Tile::halo_pixel((i + n / 2) * Tile::kWarps + warp_, g_ + n % 2 * 8);
                int const row = Tile::halo_row(h), column = Tile::halo_column(h);
                from[n] = x_.at(row, column, 4 * t_);
                exists[n] = h < Tile::kHaloPixels && at_.contains(at_.row + row, at_.column + column);
            }
            multiply<4>(weights, from, exists, sums);
            if constexpr (Tile::kIsScaled) find_scale(sums);
#pragma unroll
            for (int n = 0; n < 4; ++n) {
                int const group = (i + n / 2) * Tile::kWarps + warp_;
                if (!Tile::has_group(group)) continue;
                int const h = Tile::halo_pixel(group, g_ + n % 2 * 8);
#pragma unroll
                for (int j = 0; j < 2; ++j) {
                    auto const scaled = [&](float v, int) { return v * scale_; };
                    shared_.values[h][4 * j + t_] = Quad(each(sums[n / 2][j].quad(n % 2), scaled));
                }
            }
        }
    }

    /// gelu(pos1(v)) of the tile and a pixel around it; zero outside of the picture.
    __device__ void make_features() const {
        using Inner = typename Tile::Inner;
        constexpr unsigned kAcross = Tile::kFeatureColumns / Inner::kPatchColumns;
        constexpr unsigned kItems = kAcross * (Tile::kFeatureRows / Inner::kPatchRows) * Tile::kQuads;
        std::uint32_t const plain = plain_factor();
        bool const is_interior = at_.contains(at_.row - 1, at_.column - 1) &&
                                 at_.contains(at_.row + Tile::kRows, at_.column + Tile::kColumns);
#pragma unroll 1
        for (unsigned item = threadIdx.x; item < kItems; item += Tile::kThreads) {
            unsigned const patch = item / Tile::kQuads;
            int const quad = static_cast<int>(item % Tile::kQuads);
            int const row = static_cast<int>(patch / kAcross) * Inner::kPatchRows;
            int const column = static_cast<int>(patch % kAcross) * Inner::kPatchColumns;
            Quad filter[9], sums[Inner::kPatch];
            load_filter(filter, d_.position1, block_ * kSpectralChannels + 4 * quad);
            filter_patch<Inner>(
                filter,
                [&](int r, int c) {
                    int const h = (row + r) * Tile::kHaloColumns + column + c;
                    return shared_.values[h][quad];
                },
                sums);
            auto const put = [&](bool all_exist) {
#pragma unroll
                for (int i = 0; i < Inner::kPatch; ++i) {
                    int const r = row + i / Inner::kPatchColumns, c = column + i % Inner::kPatchColumns;
                    bool const exists = all_exist || at_.contains(at_.row + r - 1, at_.column + c - 1);
                    int const pixel = r * Tile::kFeatureColumns + c;
                    shared_.features[pixel][quad] = exists ? feature_of<Operand>(sums[i], plain) : Quad{};
                }
            };
            if (is_interior) put(true);
            else put(false);
        }
    }

    /// The tile's results: even warps have the first sixteen channels, odd ones the others.
    __device__ void store() const {
        int const half = warp_ % 2, row = Tile::patch_row(warp_ / 2, g_), column = Tile::patch_column(g_);
        int const channel = block_ * kSpectralChannels + half * 16 + 4 * t_, left = d_.x.c - channel;
        bool exists[Tile::kPatch];
        find_patch<Tile>(at_, row, column, exists);
        SumQuads attended[Tile::kProducts][1] = {};
        multiply_own(half, row, column, exists, attended);
        Quad filter[9], position[Tile::kPatch];
        load_filter(filter, d_.position2, channel);
        filter_patch<Tile>(
            filter,
            [&](int r, int c) {
                int const pixel = (row + r) * Tile::kFeatureColumns + column + c;
                return shared_.features[pixel][half * 4 + t_];
            },
            position);
        float4 const bias = load_some(d_.bias + channel, left);
        float const unit = position_unit();
        float4 sums[Tile::kPatch];
#pragma unroll
        for (int i = 0; i < Tile::kPatch; ++i) {
            float4 const added = each(as_floats(position[i]), [&](float v, int) { return v * unit; });
            sums[i] = attended[i / 2][0].quad(i % 2) + bias + added;
        }
        TilePixels const y(d_.y, at_), residual(d_.residual, at_);
        store_patch<Tile>(y, residual, row, column, exists, channel, left, sums);
    }

private:
    /// What a filter was divided by.
    [[nodiscard]] __device__ float filter_unit(std::byte const* filter) const {
        return *reinterpret_cast<float const*>(filter + d_.blocks * 9 * kFilterStep * 2);
    }
    /// What brings the first filter's sums back, in both halves; beyond 2^15 GELU is half of its argument anyway.
    [[nodiscard]] __device__ std::uint32_t plain_factor() const {
        if constexpr (Tile::kIsScaled) {
            float const plain = fminf(filter_unit(d_.position1) * inverse_power(scale_), 0x1p15F);
            return Fp16::pack(plain, plain);
        } else {
            return 0;
        }
    }
    /// And the second's.
    [[nodiscard]] __device__ float position_unit() const {
        if constexpr (Tile::kIsScaled) {
            return 0.5F * filter_unit(d_.position1) * filter_unit(d_.position2) * inverse_power(scale_);
        } else {
            return 1;
        }
    }
    /// Of a power of two.
    [[nodiscard]] static __device__ float inverse_power(float power) {
        return std::bit_cast<float>((254U << 23) - std::bit_cast<std::uint32_t>(power));
    }
    /// Of the tile's v, by all threads.
    __device__ void find_scale(SumQuads const (&sums)[2][2]) {
        float largest = 0;
#pragma unroll
        for (int i = 0; i < 32; ++i) largest = fmaxf(largest, fabsf(sums[i / 16][i / 8 % 2].tiles[i / 4 % 2][i % 4]));
        largest = largest_of_warp(largest);
        if (lane_ == 0) shared_.largest[warp_] = largest;
        __syncthreads();
#pragma unroll
        for (int i = 0; i < Tile::kWarps; ++i) largest = fmaxf(largest, shared_.largest[i]);
        scale_ = row_scale(largest) * 0.5F;
    }

    [[nodiscard]] __device__ std::int64_t weight_offset() const {
        return static_cast<std::int64_t>(block_) * 4 * d_.steps * kFragmentWords<Operand>;
    }

    /// Groups of sixteen pixels of x, which lie at `from` where they exist, times kTiles · 8 columns.
    template <int kTiles, int kRows, int kGroups = kRows / 2>
    __device__ void multiply(std::uint32_t const* weights, float const* const (&from)[kRows],
                             bool const (&exists)[kRows], SumQuads (&sums)[kGroups][kTiles / 2]) const {
        if (x_.vector) multiply_as<kTiles>(true, weights, from, exists, sums);
        else multiply_as<kTiles>(false, weights, from, exists, sums);
    }
    template <int kTiles, int kRows, int kGroups>
    __device__ void multiply_as(bool is_vector, std::uint32_t const* weights, float const* const (&from)[kRows],
                                bool const (&exists)[kRows], SumQuads (&sums)[kGroups][kTiles / 2]) const {
#pragma unroll 2
        for (int s = 0; s < Tile::kSteps; ++s) {
            Right<Operand> right[kTiles];
            int const own = s < d_.steps ? s : 0;  // what does not exist is zero, whatever its weights are
            int const count = d_.x.c - 16 * s - 4 * t_;
            PixelQuad at[kRows];
            float4 x[kRows];
#pragma unroll
            for (int i = 0; i < kRows; ++i) at[i] = {from[i] + 16 * s, count, exists[i]};
            fetch_pixels(x, at, is_vector);
#pragma unroll
            for (int j = 0; j < kTiles; ++j)
                right[j].load(weights + (j * d_.steps + own) * kFragmentWords<Operand>, lane_);
#pragma unroll
            for (int i = 0; i < kGroups; ++i) {
                Quads quads;
                quads.set(0, known_of(x[2 * i], count));
                quads.set(1, known_of(x[2 * i + 1], count));
                Left<Operand> const left(quads);
#pragma unroll
                for (int j = 0; j < kTiles; ++j) multiply_add(sums[i][j / 2].tiles[j % 2], left, right[j]);
            }
        }
    }

    /// The attention's matrix times this thread's own patch, for sixteen of the channels.
    __device__ void multiply_own(int half, int row, int column, bool const (&exists)[Tile::kPatch],
                                 SumQuads (&sums)[Tile::kProducts][1]) const {
        float const* from[Tile::kPatch];
#pragma unroll
        for (int i = 0; i < Tile::kPatch; ++i) {
            from[i] = x_.at(row + i / Tile::kPatchColumns, column + i % Tile::kPatchColumns, 4 * t_);
        }
        std::uint32_t const* const weights =
            d_.matrix + picture_ * d_.matrix_words + weight_offset() + half * 2 * d_.steps * kFragmentWords<Operand>;
        multiply<2>(weights, from, exists, sums);
    }

    SpectralData const& d_;
    typename Tile::Shared& shared_;
    int block_;  ///< which 32 channels
    std::int64_t picture_;
    TilePlace at_;
    TilePixels x_;
    int warp_, lane_, g_, t_;
    float scale_ = 1;  ///< of v
};

template <class Tile>
__global__ void __launch_bounds__(Tile::kThreads, Tile::kBlocks)
    spectral_kernel(SpectralData const data, TileGrid const grid) {
    auto& shared = dynamic_shared<typename Tile::Shared>();
    let_next_start();
    SpectralThread<Tile> thread(data, grid, shared);
    thread.make_values();
    __syncthreads();
    thread.make_features();
    __syncthreads();
    await_previous();  // for the matrix; x was complete before the kernels that make it began
    thread.store();
}

template <class Tile>
void launch_spectral(void* stream, SpectralData const& data) {
    TileGrid const grid(data.x, Tile::kRows, Tile::kColumns);
    start_shared<Start::early>(stream, spectral_kernel<Tile>, grid.count() * data.blocks, Tile::kThreads,
                               sizeof(typename Tile::Shared), data, grid);
}

}  // namespace vitrum::cuda
