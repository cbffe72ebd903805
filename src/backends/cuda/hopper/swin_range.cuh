// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "../kernels/scaled_halves.cuh"
#include "swin_tiles.cuh"

// Powers of two that keep every operand of a half-block in float16's range, whatever its weights are: its input is a
// norm, which bounds all that follows. Ordinary networks need none; what is said of one operand's precision below is
// then that of TF32, whose fraction float16 shares.

namespace vitrum::cuda::hopper {

/// Who scales vectors together: all that compute.
struct AllComputing {
    int thread, threads;

    __device__ explicit AllComputing(int groups) : thread(static_cast<int>(threadIdx.x)), threads(groups * kGroup) {}
    __device__ void sync() const { named_barrier(kAllComputing, threads); }
};
/// One warp.
struct OneWarp {
    static constexpr int threads = 32;
    int thread = static_cast<int>(threadIdx.x) % 32;

    __device__ static void sync() { __syncwarp(); }
};

/// A packed vector and where it lies in shared memory, in floats.
struct Vector {
    float const* from = nullptr;
    int at = 0, count = 0;

    [[nodiscard]] __device__ float largest() const { return from[count]; }
    __device__ void load(std::uint32_t to, std::uint32_t barrier) const {
        load_bulk(to + at * 4, from, count * 4, barrier);
    }
    template <class Team>
    __device__ void scale(float* shared, float factor, Team const& team) const {
        if (factor == 1.0F) return;
        for (int i = team.thread; i < count; i += team.threads) shared[at + i] *= factor;
    }
};

[[nodiscard]] __device__ inline SwinWeightInfo const& weight_info(std::byte const* at) {
    return *reinterpret_cast<SwinWeightInfo const*>(at);
}

/// The scales of y = residual + second(f(first(norm(x)))), where |f(v)| is no more than the largest |v|.
struct HalfBlockScales {
    float norm;    ///< of the norm, beyond kNormFactor
    float sums;    ///< of the first product's sums, which gives what it would be without scales
    float values;  ///< of f's results
    float output;  ///< of the second product's sums

    HalfBlockScales() = default;
    __device__ HalfBlockScales(Vector const& norm_weight, Vector const& norm_bias, Vector const& first_bias,
                               SwinWeightInfo const& first, SwinWeightInfo const& second, int channels) {
        // What a token's channels are before the norm's weight and bias is √channels together, and no more each.
        float const root = sqrtf(static_cast<float>(channels));
        float const weight = norm_weight.largest(), bias = norm_bias.largest();
        norm = fminf(1.0F, power_of_two_below(root * weight + bias, 15));
        sums = first.unit / (norm * kNormFactor);
        float const bound = first.row_norm * root * (weight + bias) / kNormFactor + first_bias.largest();
        values = bound < kHalfRange && bound >= 0x1p-4F ? 1.0F : power_of_two_below(bound, 15);
        output = values / second.unit;
    }
};

}  // namespace vitrum::cuda::hopper
