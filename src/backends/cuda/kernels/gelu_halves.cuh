// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ptx/halves.cuh>

#include "../rounding.h"

namespace vitrum::cuda {

/// 2 · gelu(x) · y / x of x / kFactor and y. erf(x / √2) is tanh(x · (a + b·x²)) with the a and b that make GELU's
/// largest error least, 3.5e-4; float16 is off by as much from 0.7 on.
template <int kFactor>
[[nodiscard]] __device__ std::uint32_t gelu_halves(std::uint32_t x, std::uint32_t y) {
    constexpr auto both = [](float v) { return half_bits(v) * 0x10001U; };
    constexpr std::uint32_t kFirst = both(0.798569818F * kFactor);
    constexpr std::uint32_t kSecond = both(0.0351776196F * kFactor * kFactor * kFactor);
    std::uint32_t const p = multiply_add_halves(kSecond, multiply_halves(x, x), kFirst);
    return multiply_add_halves(y, tanh_halves(multiply_halves(x, p)), y);
}
/// 2 · gelu(x) / kFactor of x / kFactor.
template <int kFactor>
[[nodiscard]] __device__ std::uint32_t gelu_halves(std::uint32_t x) {
    return gelu_halves<kFactor>(x, x);
}

}  // namespace vitrum::cuda
