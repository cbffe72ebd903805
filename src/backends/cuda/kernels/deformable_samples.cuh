// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "fragments.cuh"

// The samples of a pixel in deformable attention: where they are is found once, for all channels of a head.

namespace vitrum::cuda {

struct SampledMaps {
    static constexpr int kLevels = DeformableAttention::kLevels, kPoints = 4;
    static constexpr std::int64_t kMostNumbers = std::int64_t{1} << 31;  ///< of a map: see PixelSamples::place

    Pixels levels[kLevels];
    int heads, dim;  ///< channels of a head

    /// Of a head.
    [[nodiscard]] __host__ __device__ static constexpr int samples() { return kLevels * kPoints; }
};

/// A block's pixels lie together, so that their samples do too and are found in the first-level cache.
template <int kRows>
struct PixelTile {
    static constexpr int kWidth = kRows == 32 ? 8 : 4, kHeight = kRows / kWidth;

    int n, row, column, h, w;

    [[nodiscard]] static std::int64_t count(Pixels const& x) {
        return x.n * divide_up(x.h, kHeight) * divide_up(x.w, kWidth);
    }
    __device__ PixelTile(std::int64_t index, Pixels const& x) : h(static_cast<int>(x.h)), w(static_cast<int>(x.w)) {
        Place const at(index, divide_up(h, kHeight), divide_up(w, kWidth));
        n = static_cast<int>(at.n);
        row = static_cast<int>(at.row) * kHeight, column = static_cast<int>(at.column) * kWidth;
    }
    [[nodiscard]] __device__ bool has(int i) const { return row + i / kWidth < h && column + i % kWidth < w; }
    /// The last one for those that the picture lacks.
    [[nodiscard]] __device__ int row_of(int i) const { return min(row + i / kWidth, h - 1); }
    [[nodiscard]] __device__ int column_of(int i) const { return min(column + i % kWidth, w - 1); }
    [[nodiscard]] __device__ std::int64_t in_picture(int i) const {
        return static_cast<std::int64_t>(row_of(i)) * w + column_of(i);
    }
    [[nodiscard]] __device__ std::int64_t pixel(int i) const {
        return static_cast<std::int64_t>(n) * h * w + in_picture(i);
    }
};

/// The place in `to` pixels of the centre of pixel i of `from`: a whole number and a fraction, exactly.
struct ScaledPlace {
    int whole;
    float fraction;

    __device__ ScaledPlace(std::int64_t i, std::int64_t from, std::int64_t to) {
        Quotient const q = divide((2 * i + 1) * to + from, 2 * from);  // one more than it is: never negative
        whole = static_cast<int>(q.whole) - 1;
        fraction = static_cast<float>(q.rest) / static_cast<float>(2 * from);
    }
};

/// A pixel's row in shared memory: its offsets [2S] and the weights of its samples [S], then the samples, then their
/// sums.
struct PixelSamples {
    static constexpr int kMost = 96;

    alignas(16) float numbers[5 * kMost + 4];  ///< four more, so that pixels read together do not meet in a bank

    /// Of a sample's corners: upper left, upper right, lower left, lower right.
    [[nodiscard]] __device__ float4& weights(int s) { return reinterpret_cast<float4*>(numbers)[s]; }
    [[nodiscard]] __device__ float4 const& weights(int s) const { return reinterpret_cast<float4 const*>(numbers)[s]; }
    /// Of the upper left corner's first channel in the map.
    [[nodiscard]] __device__ std::uint32_t& place(int s) {
        return reinterpret_cast<std::uint32_t*>(numbers)[4 * kMost + s];
    }
    [[nodiscard]] __device__ std::uint32_t place(int s) const {
        return reinterpret_cast<std::uint32_t const*>(numbers)[4 * kMost + s];
    }

    /// Of pixel i, by a warp.
    template <class Tile>
    __device__ void find(SampledMaps const& maps, Tile const& tile, int pixel) {
        int const lane = static_cast<int>(threadIdx.x) % 32, level_of_lane = lane / 2 % SampledMaps::kLevels;
        Pixels const& own = maps.levels[level_of_lane];
        ScaledPlace const scaled = lane % 2 == 0 ? ScaledPlace(tile.column_of(pixel), tile.w, own.w)
                                                 : ScaledPlace(tile.row_of(pixel), tile.h, own.h);
        int const count = maps.heads * SampledMaps::samples();
        constexpr int kOfLane = kMost / 32;
        float values[kOfLane][3];
#pragma unroll
        for (int i = 0; i < kOfLane; ++i) {
            int const s = min(32 * i + lane, count - 1);
            values[i][0] = numbers[2 * s], values[i][1] = numbers[2 * s + 1], values[i][2] = numbers[2 * count + s];
        }
        __syncwarp();  // samples take the place of the numbers
#pragma unroll
        for (int i = 0; i < kOfLane; ++i) {
            int const s = 32 * i + lane, level = s % SampledMaps::samples() / SampledMaps::kPoints;
            int const column = __shfl_sync(0xFFFFFFFFU, scaled.whole, 2 * level);
            int const row = __shfl_sync(0xFFFFFFFFU, scaled.whole, 2 * level + 1);
            float const right = __shfl_sync(0xFFFFFFFFU, scaled.fraction, 2 * level);
            float const below = __shfl_sync(0xFFFFFFFFU, scaled.fraction, 2 * level + 1);
            if (s >= count) continue;
            Pixels const& map = maps.levels[level];
            Corner const x_(column, right + values[i][0], static_cast<int>(map.w));
            Corner const y_(row, below + values[i][1], static_cast<int>(map.h));
            // A place that is no number gives none.
            float const weight = fmaf(0.0F, values[i][0] + values[i][1], values[i][2]);
            weights(s) = make_float4(weight * y_.first * x_.first, weight * y_.first * x_.second,
                                     weight * y_.second * x_.first, weight * y_.second * x_.second);
            std::int64_t const line = tile.n * map.h + y_.at;
            place(s) = static_cast<std::uint32_t>((line * map.w + x_.at) * map.stride);
        }
    }

    /// Of the four channels from `channel` on.
    [[nodiscard]] __device__ float4 sum(SampledMaps const& maps, int channel) const {
        int const first = channel / maps.dim * SampledMaps::samples();
        float4 sum = make_float4(0, 0, 0, 0);
#pragma unroll 1
        for (int level = 0; level < SampledMaps::kLevels; ++level) {
            Pixels const& map = maps.levels[level];
            float const* const data = map.data + channel;
            std::int64_t const right = map.w > 1 ? map.stride : 0, below = map.h > 1 ? map.w * map.stride : 0;
#pragma unroll
            for (int point = 0; point < SampledMaps::kPoints; ++point) {
                int const s = first + level * SampledMaps::kPoints + point;
                float const* const corner = data + place(s);
                float4 const weight = weights(s);
                add(sum, weight.x, corner);
                add(sum, weight.y, corner + right);
                add(sum, weight.z, corner + below);
                add(sum, weight.w, corner + below + right);
            }
        }
        return sum;
    }

private:
    /// Two neighbouring whole numbers in [0, extent), the second only where there are two, and what each of them
    /// weighs: nothing outside.
    struct Corner {
        int at;
        float first = 0, second = 0;

        __device__ Corner(int whole, float fraction, int extent) {
            constexpr float kFar = 1e6F;  // outside of every map, and still a whole number
            float const bounded = fminf(fmaxf(fraction, -kFar), kFar), floored = floorf(bounded);
            int const low = whole + static_cast<int>(floored);
            float const low_weighs = 1.0F - (bounded - floored), high_weighs = bounded - floored;
            at = max(0, min(low, extent - 2));
            if (low == at) {
                first = low_weighs;
                second = low + 1 < extent ? high_weighs : 0.0F;
            } else if (low == -1) {
                first = high_weighs;
            } else if (low == extent - 1) {
                second = low_weighs;
            }
        }
    };
    static __device__ void add(float4& sum, float weight, float const* corner) {
        float4 const v = *reinterpret_cast<float4 const*>(corner);
        sum = multiply_add(make_float4(weight, weight, weight, weight), v, sum);
    }
};

}  // namespace vitrum::cuda
