// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

// Arithmetic on two float16 numbers in a register, each rounded once.

namespace vitrum::cuda {

[[nodiscard]] __device__ inline std::uint32_t multiply_halves(std::uint32_t a, std::uint32_t b) {
    std::uint32_t y;
    asm("mul.rn.f16x2 %0, %1, %2;" : "=r"(y) : "r"(a), "r"(b));
    return y;
}
/// a · b + c
[[nodiscard]] __device__ inline std::uint32_t multiply_add_halves(std::uint32_t a, std::uint32_t b, std::uint32_t c) {
    std::uint32_t y;
    asm("fma.rn.f16x2 %0, %1, %2, %3;" : "=r"(y) : "r"(a), "r"(b), "r"(c));
    return y;
}
[[nodiscard]] __device__ inline std::uint32_t least_halves(std::uint32_t a, std::uint32_t b) {
    std::uint32_t y;
    asm("min.f16x2 %0, %1, %2;" : "=r"(y) : "r"(a), "r"(b));
    return y;
}
/// Off by less than 2^-10.9.
[[nodiscard]] __device__ inline std::uint32_t tanh_halves(std::uint32_t x) {
    std::uint32_t y;
    asm("tanh.approx.f16x2 %0, %1;" : "=r"(y) : "r"(x));
    return y;
}

}  // namespace vitrum::cuda
