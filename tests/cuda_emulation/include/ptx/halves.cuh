// SPDX-License-Identifier: Apache-2.0
// The host's twin of src/backends/cuda/ptx/halves.cuh.
#pragma once

#include <ptx/tensor_core.cuh>

namespace vitrum::cuda {

namespace emulated {

/// f of the numbers at the same place of each register.
template <class F, class... Bits>
std::uint32_t each_half(F const& f, Bits... bits) {
    return Fp16::pack(f(Fp16::unpack(bits).x...), f(Fp16::unpack(bits).y...));
}

}  // namespace emulated

[[nodiscard]] inline std::uint32_t multiply_halves(std::uint32_t a, std::uint32_t b) {
    return emulated::each_half([](float x, float y) { return x * y; }, a, b);
}
[[nodiscard]] inline std::uint32_t multiply_add_halves(std::uint32_t a, std::uint32_t b, std::uint32_t c) {
    return emulated::each_half([](float x, float y, float z) { return std::fma(x, y, z); }, a, b, c);
}
[[nodiscard]] inline std::uint32_t least_halves(std::uint32_t a, std::uint32_t b) {
    return emulated::each_half([](float x, float y) { return std::fmin(x, y); }, a, b);
}
[[nodiscard]] inline std::uint32_t tanh_halves(std::uint32_t x) {
    return emulated::each_half([](float v) { return std::tanh(v); }, x);
}

}  // namespace vitrum::cuda
