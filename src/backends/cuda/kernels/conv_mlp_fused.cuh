// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "hidden_quad.cuh"

// ConvMlp as one kernel: a block holds a tile of pixels, normalised, with one pixel around it, and goes through the
// hidden channels 32 at a time: product, GELU, shared memory, depthwise filter, GELU, product. Nothing of the hidden
// layer reaches device memory; the sums of the second product stay in registers.

namespace vitrum::cuda {

constexpr int kHiddenChunk = 32;

struct ConvMlpData {
    Pixels x, y;
    Matrix residual;
    float const *norm_weight, *norm_bias;  ///< null: no norm, which float16 operands have to have
    float epsilon, per_channel;            ///< per_channel: 1 / C
    std::uint32_t const *fc1, *fc2;
    std::byte const* filter;  ///< of the hidden channels (see load_filter), as the tile's hidden quads
    int hidden;               ///< a multiple of kHiddenChunk
    TileGrid grid;
};

template <class Operand_, int kChannels_, int kRows, int kWarps, int kPatchRows, int kPatchColumns, int kBlocks_,
          int kBuffers_ = 1>
struct ConvMlpTile : HaloTile<kRows, 1, kWarps, kPatchRows, kPatchColumns> {
    using Base = HaloTile<kRows, 1, kWarps, kPatchRows, kPatchColumns>;
    using Operand = Operand_;
    using Hidden = typename HiddenQuad<Operand>::Type;
    static constexpr int kBuffers =
        kBuffers_;  ///< of hidden channels; with two, a chunk is made beside the last one's use
    static constexpr int kChannels = kChannels_, kSteps = kChannels / 16;
    static constexpr int kBlocks = kBlocks_;  ///< on a multiprocessor at least
    static constexpr int kProducts = Base::kPatch / 2;
    static constexpr int kGroupsAtOnce =
        kSteps == 2 ? Base::kGroupsOfWarp : 1;  ///< that are loaded, as registers allow
    /// Quads from one pixel's hidden channels to the next's: patches side by side fall into different banks.
    static constexpr int kPitch = kHiddenChunk / 4 + (kPatchColumns == 4 ? 1 : 2);
    static_assert(kWarps * Base::kPatch * 8 == kRows * Base::kColumns);

    struct Shared {
        float4 norm_weight[kChannels / 4], norm_bias[kChannels / 4];
        alignas(16) StoredLeft<Operand> x[Base::kHaloGroups][kSteps];
        alignas(16) Hidden hidden[kBuffers][Base::kHaloGroups * 16][kPitch];
    };
};

/// One thread's share of a tile.
template <class Tile>
class ConvMlpThread {
public:
    using Operand = typename Tile::Operand;
    using Hidden = typename Tile::Hidden;

    __device__ ConvMlpThread(ConvMlpData const& data, typename Tile::Shared& shared)
        : d_(data),
          shared_(shared),
          at_(data.grid.place<Tile>(static_cast<std::int64_t>(blockIdx.x))),
          x_(data.x, at_),
          warp_(static_cast<int>(threadIdx.x / 32)),
          lane_(static_cast<int>(threadIdx.x % 32)),
          g_(static_cast<int>(threadIdx.x % 32 / 4)),
          t_(static_cast<int>(threadIdx.x % 4)) {}

    /// The halo's pixels, normalised, to shared memory; a group is on its way while the one before is normalised.
    __device__ void load() {
        float4 next[2 * Tile::kSteps];
        bool exists[2];
        fetch(0, next, exists);
        if (d_.norm_weight != nullptr) {
            load_norm();
            __syncthreads();
        }
#pragma unroll Tile::kGroupsAtOnce
        for (int i = 0; i < Tile::kGroupsOfWarp; ++i) {
            Quads quads[Tile::kSteps];
            bool const own[2] = {exists[0], exists[1]};
#pragma unroll
            for (int n = 0; n < 2 * Tile::kSteps; ++n) quads[n / 2].set(n % 2, next[n]);
            if (i + 1 < Tile::kGroupsOfWarp) fetch(i + 1, next, exists);
            int const group = i * Tile::kWarps + warp_;
            if (!Tile::has_group(group)) break;
#pragma unroll
            for (int r = 0; r < 2; ++r) {
#pragma unroll
                for (int s = 0; s < Tile::kSteps; ++s) quads[s].set(r, known_of(quads[s].quad(r), left(s)));
                if (d_.norm_weight != nullptr) normalise(quads, r, own[r]);
            }
#pragma unroll
            for (int s = 0; s < Tile::kSteps; ++s) shared_.x[group][s].set(lane_, quads[s]);
        }
    }

    /// gelu(fc1(x)) of the halo's pixels for 32 hidden channels. Outside of the picture x is zero, and so are these.
    __device__ void hide(int chunk) {
        auto& hidden = shared_.hidden[chunk % Tile::kBuffers];
#pragma unroll 1
        for (int half = 0; half < 2; ++half) {
            SumQuads sums[Tile::kGroupsOfWarp] = {};
            std::uint32_t const* const weights =
                d_.fc1 + static_cast<std::int64_t>(chunk * 4 + half * 2) * Tile::kSteps * kFragmentWords<Operand>;
#pragma unroll
            for (int s = 0; s < Tile::kSteps; ++s) {
                Right<Operand> right[2];
#pragma unroll
                for (int j = 0; j < 2; ++j) {
                    right[j].load(weights + (j * Tile::kSteps + s) * kFragmentWords<Operand>, lane_);
                }
#pragma unroll
                for (int i = 0; i < Tile::kGroupsOfWarp; ++i) {
                    int const group = i * Tile::kWarps + warp_;
                    if (!Tile::has_group(group)) continue;
                    Left<Operand> const x = shared_.x[group][s].get(lane_);
                    multiply_add(sums[i].tiles[0], x, right[0]);
                    multiply_add(sums[i].tiles[1], x, right[1]);
                }
            }
#pragma unroll
            for (int i = 0; i < Tile::kGroupsOfWarp; ++i) {
                int const group = i * Tile::kWarps + warp_;
                if (!Tile::has_group(group)) continue;
#pragma unroll
                for (int r = 0; r < 2; ++r) {
                    hidden[Tile::halo_pixel(group, g_ + 8 * r)][half * 4 + t_] =
                        first_gelu<Operand>(Hidden(sums[i].quad(r)));
                }
            }
        }
    }

    /// fc2(gelu(depth(hidden))) of this thread's patch, added to its sums.
    __device__ void filter(int chunk) {
        auto const& hidden = shared_.hidden[chunk % Tile::kBuffers];
        int const row = Tile::patch_row(warp_, g_), column = Tile::patch_column(g_);
#pragma unroll 1
        for (int half = 0; half < 2; ++half) {
            int const first = chunk * kHiddenChunk + half * 16;
            Hidden filter[9], sums[Tile::kPatch];
            load_filter(filter, d_.filter, first + 4 * t_);
            filter_patch<Tile>(
                filter,
                [&](int r, int c) { return hidden[(row + r) * Tile::kHaloColumns + column + c][half * 4 + t_]; }, sums);
            Left<Operand> x[Tile::kProducts];
#pragma unroll
            for (int m = 0; m < Tile::kProducts; ++m) {
                x[m] = left_of<Operand>(second_gelu<Operand>(sums[2 * m]), second_gelu<Operand>(sums[2 * m + 1]));
            }
            int const steps = d_.hidden / 16;
            std::uint32_t const* weights = d_.fc2 + static_cast<std::int64_t>(first / 16) * kFragmentWords<Operand>;
#pragma unroll
            for (int j = 0; j < 2 * Tile::kSteps; ++j) {
                Right<Operand> right;
                right.load(weights, lane_);
                weights += steps * kFragmentWords<Operand>;
#pragma unroll
                for (int m = 0; m < Tile::kProducts; ++m) multiply_add(sums_[m][j / 2].tiles[j % 2], x[m], right);
            }
        }
    }

    __device__ void store() const {
        TilePixels const y(d_.y, at_), residual(d_.residual, at_);
        int const row = Tile::patch_row(warp_, g_), column = Tile::patch_column(g_);
        bool exists[Tile::kPatch];
        find_patch<Tile>(at_, row, column, exists);
#pragma unroll
        for (int s = 0; s < Tile::kSteps; ++s) {
            float4 sums[Tile::kPatch];
#pragma unroll
            for (int i = 0; i < Tile::kPatch; ++i) sums[i] = sums_[i / 2][s].quad(i % 2);
            store_patch<Tile>(y, residual, row, column, exists, channel(s), left(s), sums);
        }
    }

private:
    /// This lane's first channel of step s, and how many there are from it on.
    [[nodiscard]] __device__ int channel(int s) const {
        return 16 * s + 4 * t_;
    }
    [[nodiscard]] __device__ int left(int s) const {
        return d_.x.c - channel(s);
    }

    /// This warp's group i: step s of row r lies at 2 s + r.
    __device__ void fetch(int i, float4 (&to)[2 * Tile::kSteps], bool (&exists)[2]) const {
        PixelQuad at[2 * Tile::kSteps];
#pragma unroll
        for (int r = 0; r < 2; ++r) {
            int const h = Tile::halo_pixel(i * Tile::kWarps + warp_, g_ + 8 * r);
            int const row = Tile::halo_row(h), column = Tile::halo_column(h);
            exists[r] = h < Tile::kHaloPixels && at_.contains(at_.row + row, at_.column + column);
            float const* const from = x_.at(row, column, 4 * t_);
#pragma unroll
            for (int s = 0; s < Tile::kSteps; ++s) at[2 * s + r] = {from + 16 * s, left(s), exists[r]};
        }
        fetch_pixels(to, at, x_.vector);
    }

    __device__ void load_norm() {
        int const quad = static_cast<int>(threadIdx.x), count = d_.x.c - 4 * quad;
        if (quad >= Tile::kChannels / 4) return;
        auto const scaled = [](float v, int) { return v * HiddenQuad<Operand>::kScale; };
        shared_.norm_weight[quad] = each(load_some(d_.norm_weight + 4 * quad, count), scaled);
        shared_.norm_bias[quad] = each(load_some(d_.norm_bias + 4 * quad, count), scaled);
    }

    /// LayerNorm of row r, whose channels four lanes share; a row that does not exist stays zero.
    __device__ void normalise(Quads (&quads)[Tile::kSteps], int r, bool exists) const {
        float sum = 0, squares = 0;
#pragma unroll
        for (Quads const& q : quads) sum += (q.v[r][0] + q.v[r][1]) + (q.v[r][2] + q.v[r][3]);
        float const mean = sum_of_four(sum) * d_.per_channel;
#pragma unroll
        for (int s = 0; s < Tile::kSteps; ++s) {
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                float const difference = i < left(s) ? quads[s].v[r][i] - mean : 0.0F;
                quads[s].v[r][i] = difference;
                squares = fmaf(difference, difference, squares);
            }
        }
        float const factor = rsqrtf(fmaf(sum_of_four(squares), d_.per_channel, d_.epsilon));
#pragma unroll
        for (int s = 0; s < Tile::kSteps; ++s) {
            float4 const v = each(quads[s].quad(r), [&](float x, int) { return x * factor; });
            float4 const normal = multiply_add(v, shared_.norm_weight[4 * s + t_], shared_.norm_bias[4 * s + t_]);
            quads[s].set(r, exists ? normal : make_float4(0, 0, 0, 0));
        }
    }
    [[nodiscard]] static __device__ float sum_of_four(float value) {
        value += __shfl_xor_sync(0xFFFFFFFFU, value, 1);
        return value + __shfl_xor_sync(0xFFFFFFFFU, value, 2);
    }

    ConvMlpData const& d_;
    typename Tile::Shared& shared_;
    TilePlace at_;
    TilePixels x_;
    int warp_, lane_, g_, t_;
    SumQuads sums_[Tile::kProducts][Tile::kSteps] = {};
};

template <class Tile>
__global__ void __launch_bounds__(Tile::kThreads, Tile::kBlocks) conv_mlp_kernel(ConvMlpData const data) {
    auto& shared = dynamic_shared<typename Tile::Shared>();
    take_turn();
    ConvMlpThread<Tile> thread(data, shared);
    thread.load();
    int const chunks = data.hidden / kHiddenChunk;
    if constexpr (Tile::kBuffers == 2) {
        __syncthreads();
        thread.hide(0);
        for (int chunk = 0; chunk < chunks; ++chunk) {
            __syncthreads();
            if (chunk + 1 < chunks) thread.hide(chunk + 1);
            thread.filter(chunk);
        }
    } else {
        for (int chunk = 0; chunk < chunks; ++chunk) {
            __syncthreads();
            thread.hide(chunk);
            __syncthreads();
            thread.filter(chunk);
        }
    }
    thread.store();
}

template <class Tile>
void launch_conv_mlp(void* stream, ConvMlpData const& data) {
    start_shared<Start::early>(stream, conv_mlp_kernel<Tile>, data.grid.count(), Tile::kThreads,
                               sizeof(typename Tile::Shared), data);
}

}  // namespace vitrum::cuda
