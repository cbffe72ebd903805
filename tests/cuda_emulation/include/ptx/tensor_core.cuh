// SPDX-License-Identifier: Apache-2.0
// The host's twin of src/backends/cuda/ptx/tensor_core.cuh: same names, same layouts.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "base/dtype.h"
#include "rounding.h"
#include "vitrum/precision.h"

namespace vitrum::cuda {

struct Fp16 {
    static constexpr Precision kPrecision = Precision::fp16;
    static constexpr int kPerRegister = 2;
    [[nodiscard]] static std::uint32_t pack(float low, float high) {
        return half_bits(low) | static_cast<std::uint32_t>(half_bits(high)) << 16;
    }
    [[nodiscard]] static float2 unpack(std::uint32_t bits) {
        return {half_to_float(static_cast<std::uint16_t>(bits)), half_to_float(static_cast<std::uint16_t>(bits >> 16))};
    }
};

struct Bf16 {
    static constexpr Precision kPrecision = Precision::bf16;
    static constexpr int kPerRegister = 2;
    [[nodiscard]] static std::uint32_t pack(float low, float high) {
        return bfloat16_bits(low) | static_cast<std::uint32_t>(bfloat16_bits(high)) << 16;
    }
    [[nodiscard]] static float2 unpack(std::uint32_t bits) {
        return {std::bit_cast<float>(bits << 16), std::bit_cast<float>(bits & 0xFFFF0000U)};
    }
};

struct Tf32 {
    static constexpr Precision kPrecision = Precision::tf32;
    static constexpr int kPerRegister = 1;
    [[nodiscard]] static std::uint32_t pack(float value) { return tf32_bits(value); }
    [[nodiscard]] static std::uint32_t cut(float value) { return std::bit_cast<std::uint32_t>(value) & 0xFFFFE000U; }
    [[nodiscard]] static float unpack(std::uint32_t bits) { return std::bit_cast<float>(bits); }
};

namespace emulated {

/// The two (or one) operands of a register.
template <class Operand>
float part(std::uint32_t bits, int index) {
    if constexpr (Operand::kPerRegister == 1) return Operand::unpack(bits);
    else return index == 0 ? Operand::unpack(bits).x : Operand::unpack(bits).y;
}

struct Fragments {
    std::uint32_t a[4], b[2];
};

}  // namespace emulated

template <class Operand>
void multiply_add(float (&sums)[4], std::uint32_t const (&a)[4], std::uint32_t const (&b)[2]) {
    auto const all = emulation::share(emulated::Fragments{{a[0], a[1], a[2], a[3]}, {b[0], b[1]}});
    int const lane = static_cast<int>(threadIdx.x) % 32;
    for (int i = 0; i < 4; ++i) {
        int const row = lane / 4, column = lane % 4 * 2 + i % 2;
        double sum = sums[i];
        for (int k = 0; k < 8; ++k) {
            std::uint32_t const x = all[static_cast<std::size_t>(4 * row + k % 4)].a[i / 2 + k / 4 * 2];
            std::uint32_t const y = all[static_cast<std::size_t>(4 * column + k % 4)].b[k / 4];
            for (int j = 0; j < Operand::kPerRegister; ++j) {
                sum += static_cast<double>(emulated::part<Operand>(x, j)) * emulated::part<Operand>(y, j);
            }
        }
        sums[i] = static_cast<float>(sum);
    }
}

/// Counted from where the launch's shared memory begins.
[[nodiscard]] inline std::uint32_t shared_address(void const* p) {
    return static_cast<std::uint32_t>(static_cast<std::byte const*>(p) -
                                      static_cast<std::byte const*>(emulation::dynamic_shared()));
}

inline void load_matrices(std::uint32_t (&to)[4], void const* row) {
    auto const rows = emulation::share(row);
    int const lane = static_cast<int>(threadIdx.x) % 32;
    for (int m = 0; m < 4; ++m) {
        auto const* const from = static_cast<std::byte const*>(rows[static_cast<std::size_t>(8 * m + lane / 4)]);
        std::memcpy(&to[m], from + lane % 4 * 4, 4);
    }
}
inline void load_matrices_transposed(std::uint32_t (&to)[4], void const* row) {
    auto const rows = emulation::share(row);
    int const lane = static_cast<int>(threadIdx.x) % 32;
    for (int m = 0; m < 4; ++m) {
        std::uint16_t parts[2];
        for (int i = 0; i < 2; ++i) {
            auto const* const from =
                static_cast<std::byte const*>(rows[static_cast<std::size_t>(8 * m + lane % 4 * 2 + i)]);
            std::memcpy(&parts[i], from + lane / 4 * 2, 2);
        }
        to[m] = parts[0] | static_cast<std::uint32_t>(parts[1]) << 16;
    }
}

inline void copy_async(void* shared, void const* from) {
    emulation::copy_later(shared, from, true);
}
inline void copy_async_or_zero(void* shared, void const* from, bool exists) {
    emulation::copy_later(shared, from, exists);
}
inline void commit_copies() {
    emulation::commit_copies();
}
template <int kLeft>
void wait_for_copies() {
    emulation::wait_for_copies(kLeft);
}

[[nodiscard]] inline float exp2_approximate(float x) {
    return std::exp2(x);
}

template <class T>
[[nodiscard]] T& dynamic_shared() {
    return *static_cast<T*>(emulation::dynamic_shared());
}

}  // namespace vitrum::cuda
