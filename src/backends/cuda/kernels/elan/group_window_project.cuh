// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "regions.cuh"
#include "split_halves.cuh"

// The first half of ELAN's attention inside a region of 16 × 16 pixels: a group's queries and values, from x to
// operands in shared memory. softmax(q·qᵀ) has no scale, and its logits reach hundreds; with queries of two float16 a
// logit's error is 2^-22 of its terms. x, q and v are scaled to float16's range.

namespace vitrum::cuda {

/// kSteps: of 16 channels of a group; kTiles: of 8, with one more column that sums probabilities.
template <int kSteps_, int kTiles_>
struct Region {
    static constexpr int kSteps = kSteps_, kTiles = kTiles_, kPairs = (kTiles + 1) / 2;
    static constexpr int kQueryParts = 2, kValueParts = 2;
    static constexpr int kWarps = kSteps == 2 ? 8 : 16, kThreads = kWarps * 32;
    static constexpr int kBlocks = kSteps > 2 ? 1 : 2;  ///< of a multiprocessor
    static constexpr int kKeyTiles = 4;                 ///< at a time
    struct Shared {
        uint4 keys[kRegionTokens / 8][kSteps][32];                  ///< of 8 tokens: high and low parts
        uint4 values[kRegionTokens / 16][kValueParts][kPairs][32];  ///< of 16 tokens × 16 channels
        float key_scales[8], largest_values[8];                     ///< of 32 tokens; what undoes the scale

        /// A word of a key by itself: parts of a larger load would be moved to their places before each product.
        [[nodiscard]] __device__ std::uint32_t word(int tile, int step, int k, int lane) const {
            return reinterpret_cast<std::uint32_t const volatile*>(&keys[tile][step][lane])[k];
        }
        [[nodiscard]] __device__ float value_scale() const {
            float largest = 0;
#pragma unroll
            for (float const v : largest_values) largest = fmaxf(largest, v);
            return power_of_two_below(largest, 12);
        }
    };
};

/// Queries and values of 32 tokens by one warp.
template <class Region>
class RegionProjection {
public:
    static constexpr int kSteps = Region::kSteps, kTiles = Region::kTiles;
    /// Transposed, channels in rows: so they are the right operand of the product with probabilities.
    struct Values {
        float v[kSteps][4][4];
    };

    __device__ RegionProjection(RegionData const& data, RegionPlace const& place, typename Region::Shared& shared,
                                int part)
        : d_(data), place_(place), shared_(shared), part_(part) {
#pragma unroll
        for (int i = 0; i < 4; ++i) pixels_[i] = place.pixel(part * 32 + i * 8 + place.g);
    }

    /// To shared memory, as keys.
    __device__ void project_queries() {
        Queries queries = {};
        if (d_.query.data != nullptr) load(queries);
        else multiply(queries);
        publish(queries);
    }

    /// Without the scale that all of a region's values share: other warps' largest are known after a barrier.
    __device__ void project_values(Values& values) {
        multiply(values);
        float largest = 0;
#pragma unroll
        for (int n = 0; n < 16 * kSteps; ++n) largest = fmaxf(largest, fabsf(values.v[n / 16][n / 4 % 4][n % 4]));
        largest = warp_max(largest);
        if (place_.lane == 0) shared_.largest_values[part_] = largest;
    }

    /// Values to shared memory, scaled.
    __device__ void publish(Values const& values) {
        float const scale = shared_.value_scale();
#pragma unroll
        for (int n = 0; n < 2 * Region::kPairs; ++n) {
            int const m = n % 2, c = n / 2;
            SplitLeft<Region::kValueParts> words;
#pragma unroll
            for (int i = 0; i < 4; ++i) {  // two tiles of channels of two tiles of tokens
                float const(&v)[4] = values.v[c][2 * m + i % 2];
                int const channel = 16 * c + i / 2 * 8 + place_.g;
                bool const is_one = channel == d_.dim;  // sums probabilities
                words.set(i, is_one ? 1.0F : v[i / 2 * 2] * scale, is_one ? 1.0F : v[i / 2 * 2 + 1] * scale);
            }
#pragma unroll
            for (int part = 0; part < Region::kValueParts; ++part) {
                auto const& a = words.a[part];
                shared_.values[2 * part_ + m][part][c][place_.lane] = make_uint4(a[0], a[1], a[2], a[3]);
            }
        }
    }

private:
    /// Register i of tile j of 16 tokens: token row i / 2, channel 8 j + 2 t + i % 2.
    struct Queries {
        float v[2][2 * kSteps][4];
    };

    /// The weights of a group, in units of 16 of its channels.
    [[nodiscard]] __device__ uint4 const* weights(bool of_values) const {
        constexpr int kParts = GroupWeights::kParts;
        bool const has_query = d_.query.data != nullptr;
        int const units = place_.group * (has_query ? 1 : 2) + (of_values && !has_query ? 1 : 0);
        return d_.weights + static_cast<std::int64_t>(units) * kSteps * d_.steps * kParts * kWarpLanes + place_.lane;
    }
    [[nodiscard]] __device__ float const* bias(bool of_values) const {
        if (d_.query.data != nullptr) return d_.bias + place_.group * d_.dim;
        return d_.bias + (2 * place_.group + (of_values ? 1 : 0)) * d_.dim;
    }

    __device__ void load_x(int s, float4 (&x)[4]) const {
        QuadAt at[4];
        int const channel = 16 * s + 4 * place_.t;
#pragma unroll
        for (int i = 0; i < 4; ++i) at[i] = {d_.x.at(pixels_[i]) + channel, d_.x.c - channel};
        load_quads(x, at, d_.x);
    }
    /// product(step, x · scale as left operands) for all steps; `sums` are lowered with the scale where x would leave
    /// the range. Returns what undoes the scales.
    template <int kParts, int kSums, class Product>
    __device__ float for_each_step(float* sums, Product const& product) const {
        float scale = 0;
        float4 next[4];
        load_x(0, next);
#pragma unroll 1
        for (int s = 0; s < d_.steps; ++s) {
            float largest = 0;
#pragma unroll
            for (float4 const& v : next) largest = fmaxf(largest, largest_of(v));
            fit_scale(scale, largest, [&](float factor) {
#pragma unroll
                for (int i = 0; i < kSums; ++i) sums[i] *= factor;
            });
            SplitLeft<kParts> left[2];
#pragma unroll
            for (int i = 0; i < 4; ++i) left[i / 2].set_quad(i % 2, next[i], scale);
            if (s + 1 < d_.steps) load_x(s + 1, next);
            product(s, left);
        }
        return reinterpret_cast<float const*>(d_.weights)[d_.scale_word] / scale;
    }

    __device__ void multiply(Queries& queries) const {
        constexpr int kParts = Region::kQueryParts;
        uint4 const* const from = weights(false);
        float const factor =
            for_each_step<kParts, 16 * kSteps>(&queries.v[0][0][0], [&](int s, SplitLeft<kParts> const(&x)[2]) {
#pragma unroll
                for (int u = 0; u < kSteps; ++u) {
                    SplitRight<kParts> const w(from + (u * d_.steps + s) * GroupWeights::kParts * kWarpLanes,
                                               kWarpLanes);
#pragma unroll
                    for (int m = 0; m < 2; ++m) {
                        if (2 * u + 1 < kTiles) multiply_add(queries.v[m][2 * u], queries.v[m][2 * u + 1], x[m], w);
                        else multiply_add_first(queries.v[m][2 * u], x[m], w);
                    }
                }
            });
        float const* const added = bias(false);
#pragma unroll
        for (int n = 0; n < 8 * kSteps; ++n) {
            int const j = n / 4, i = n % 4, channel = 8 * j + 2 * place_.t + i % 2;
            float const b = channel < d_.dim ? added[channel] : 0.0F;
#pragma unroll
            for (int m = 0; m < 2; ++m) queries.v[m][j][i] = fmaf(queries.v[m][j][i], factor, b);
        }
    }
    __device__ void load(Queries& queries) const {
        bool const is_paired = d_.query.vector && d_.dim % 2 == 0;
#pragma unroll
        for (int n = 0; n < 8 * kSteps; ++n) {
            int const i = n % 4, j = n / 4, channel = 8 * j + 2 * place_.t;
            float const* const row = d_.query.at(pixels_[i]) + place_.group * d_.dim;
            float(&to)[4] = queries.v[i / 2][j];
            bool const has_first = channel < d_.dim, has_second = channel + 1 < d_.dim;
            float2 v = make_float2(0, 0);
            if (is_paired) v = *reinterpret_cast<float2 const*>(row + (has_first ? channel : 0));
            else v = make_float2(row[has_first ? channel : 0], row[has_second ? channel + 1 : 0]);
            to[i % 2 * 2] = has_first ? v.x : 0.0F;
            to[i % 2 * 2 + 1] = has_second ? v.y : 0.0F;
        }
    }
    /// After a power of two of this warp's own.
    __device__ void publish(Queries const& queries) {
        float largest = 0;
#pragma unroll
        for (int n = 0; n < 16 * kSteps; ++n) {
            largest = fmaxf(largest, fabsf(queries.v[n / (8 * kSteps)][n / 4 % (2 * kSteps)][n % 4]));
        }
        float const scale = power_of_two_below(warp_max(largest), 8);
        if (place_.lane == 0) shared_.key_scales[part_] = 1.0F / scale;
#pragma unroll
        for (int n = 0; n < 4 * kSteps; ++n) {
            int const i = n / kSteps, u = n % kSteps, m = i / 2, r = i % 2;
            float const(&a)[4] = queries.v[m][2 * u];
            float const(&b)[4] = queries.v[m][2 * u + 1];
            SplitPair const first(a[2 * r] * scale, a[2 * r + 1] * scale),
                second(b[2 * r] * scale, b[2 * r + 1] * scale);
            shared_.keys[4 * part_ + i][u][place_.lane] = make_uint4(first.high, second.high, first.low, second.low);
        }
    }

    __device__ void multiply(Values& values) const {
        constexpr int kParts = Region::kValueParts;
        uint4 const* const from = weights(true);
#pragma unroll
        for (int n = 0; n < 16 * kSteps; ++n) values.v[n / 16][n / 4 % 4][n % 4] = 0;
        float const factor =
            for_each_step<kParts, 16 * kSteps>(&values.v[0][0][0], [&](int s, SplitLeft<kParts> const(&x)[2]) {
#pragma unroll
                for (int c = 0; c < kSteps; ++c) {
                    SplitRight<kParts> const w(from + (c * d_.steps + s) * GroupWeights::kParts * kWarpLanes,
                                               kWarpLanes);
                    multiply_transposed(values.v[c], w, x);
                }
            });
        float const* const added = bias(true);
#pragma unroll
        for (int n = 0; n < 16 * kSteps; ++n) {
            int const i = n % 4, channel = 16 * (n / 16) + i / 2 * 8 + place_.g;
            float& v = values.v[n / 16][n / 4 % 4][i];
            v = fmaf(v, factor, channel < d_.dim ? added[channel] : 0.0F);
        }
    }
    /// 16 channels of 32 tokens, the weight on the left.
    template <int kParts>
    static __device__ void multiply_transposed(float (&sums)[4][4], SplitRight<kParts> const& w,
                                               SplitLeft<kParts> const (&x)[2]) {
#pragma unroll
        for (int n = 0; n < 4; ++n) {
            auto const right = [&](int part, int i) { return x[n / 2].a[part][2 * i + n % 2]; };
            std::uint32_t const high[4] = {w.v[0].x, w.v[0].y, w.v[0].z, w.v[0].w};
            if constexpr (kParts == 2) {
                std::uint32_t const low[4] = {w.v[1].x, w.v[1].y, w.v[1].z, w.v[1].w};
                multiply_add<Fp16>(sums[n], low, {right(0, 0), right(0, 1)});
                multiply_add<Fp16>(sums[n], high, {right(1, 0), right(1, 1)});
            }
            multiply_add<Fp16>(sums[n], high, {right(0, 0), right(0, 1)});
        }
    }

    RegionData const& d_;
    RegionPlace const& place_;
    typename Region::Shared& shared_;
    int part_;                ///< of the region's 32 tokens each
    std::int64_t pixels_[4];  ///< of tokens g, g + 8, g + 16, g + 24
};

}  // namespace vitrum::cuda
