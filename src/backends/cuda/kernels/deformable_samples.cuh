// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "fragments.cuh"

// The samples of a pixel in deformable attention: where they are is found once, for all channels of a head.

namespace vitrum::cuda {

struct SampledMaps {
    static constexpr int kLevels = DeformableAttention::kLevels, kPoints = 4;
    static constexpr std::int64_t kMostNumbers = std::int64_t{1} << 31;  ///< of a map: see SampleList::places

    Pixels levels[kLevels];
    int heads, dim;  ///< channels of a head

    /// Of a head.
    [[nodiscard]] __host__ __device__ static constexpr int samples() { return kLevels * kPoints; }
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

/// A warp's pixel: its samples, in shared memory.
struct SampleList {
    static constexpr int kMost = 96;

    float4 weights[kMost];  ///< of the corners: upper left, upper right, lower left, lower right
    uint4 places[kMost];    ///< of their first channel in the map

    /// `values`: the pixel's offsets [2S], then weights of its samples [S].
    __device__ void fill(SampledMaps const& maps, Place const& at, Pixels const& x, float const* values) {
        int const lane = static_cast<int>(threadIdx.x) % 32, level_of_lane = lane / 2 % SampledMaps::kLevels;
        Pixels const& own = maps.levels[level_of_lane];
        ScaledPlace const scaled = lane % 2 == 0 ? ScaledPlace(at.column, x.w, own.w) : ScaledPlace(at.row, x.h, own.h);
        int const count = maps.heads * SampledMaps::samples();
        __syncwarp();  // the last pixel's samples were read
#pragma unroll
        for (int i = 0; i < kMost; i += 32) {
            int const s = i + lane, level = s % SampledMaps::samples() / SampledMaps::kPoints;
            int const column = __shfl_sync(0xFFFFFFFFU, scaled.whole, 2 * level);
            int const row = __shfl_sync(0xFFFFFFFFU, scaled.whole, 2 * level + 1);
            float const right = __shfl_sync(0xFFFFFFFFU, scaled.fraction, 2 * level);
            float const below = __shfl_sync(0xFFFFFFFFU, scaled.fraction, 2 * level + 1);
            if (s >= count) continue;
            Pixels const& map = maps.levels[level];
            Corner const x_(column, right + values[2 * s], static_cast<int>(map.w));
            Corner const y_(row, below + values[2 * s + 1], static_cast<int>(map.h));
            float const weight = values[2 * count + s];
            weights[s] = make_float4(weight * y_.first * x_.first, weight * y_.first * x_.second,
                                     weight * y_.second * x_.first, weight * y_.second * x_.second);
            auto const stride = static_cast<std::uint32_t>(map.stride),
                       line = static_cast<std::uint32_t>(map.w) * stride;
            std::uint32_t const place = static_cast<std::uint32_t>(at.n * map.h) * line + y_.at * line + x_.at * stride;
            std::uint32_t const right_by = x_.step * stride, below_by = y_.step * line;
            places[s] = make_uint4(place, place + right_by, place + below_by, place + right_by + below_by);
        }
        __syncwarp();
    }

    /// The lane's quads, at channels 4 · lane, 128 + 4 · lane, ….
    template <int kQuads>
    __device__ void sum(SampledMaps const& maps, int channels, float4 (&sums)[kQuads]) const {
        int const lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
        for (int i = 0; i < kQuads; ++i) {
            sums[i] = make_float4(0, 0, 0, 0);
            int const channel = 128 * i + 4 * lane;
            if (channel >= channels) continue;
            int const first = channel / maps.dim * SampledMaps::samples();
#pragma unroll
            for (int level = 0; level < SampledMaps::kLevels; ++level) {
                float const* const map = maps.levels[level].data + channel;
#pragma unroll
                for (int point = 0; point < SampledMaps::kPoints; ++point) {
                    int const s = first + level * SampledMaps::kPoints + point;
                    uint4 const place = places[s];
                    float4 const weight = weights[s];
                    add(sums[i], weight.x, map + place.x);
                    add(sums[i], weight.y, map + place.y);
                    add(sums[i], weight.z, map + place.z);
                    add(sums[i], weight.w, map + place.w);
                }
            }
        }
    }

private:
    /// Two neighbouring whole numbers in [0, extent), and what each of them weighs: none outside.
    struct Corner {
        std::uint32_t at, step;
        float first, second;

        __device__ Corner(int whole, float fraction, int extent) {
            constexpr float kFar = 1e6F;  // outside of every map, and still a whole number
            float const bounded = fminf(fmaxf(fraction, -kFar), kFar), floored = floorf(bounded);
            int const low = whole + static_cast<int>(floored);
            first = low >= 0 && low < extent ? 1.0F - (bounded - floored) : 0.0F;
            second = low >= -1 && low < extent - 1 ? bounded - floored : 0.0F;
            at = static_cast<std::uint32_t>(max(0, min(low, extent - 1)));
            step = static_cast<std::uint32_t>(max(0, min(low + 1, extent - 1))) - at;
        }
    };
    static __device__ void add(float4& sum, float weight, float const* corner) {
        float4 const v = *reinterpret_cast<float4 const*>(corner);
        sum = multiply_add(make_float4(weight, weight, weight, weight), v, sum);
    }
};

}  // namespace vitrum::cuda
