// SPDX-License-Identifier: Apache-2.0
// The host's twin of src/backends/cuda/ptx/wgmma.cuh. Each warp multiplies its own sixteen rows, at once.
#pragma once

#include <ptx/hopper.cuh>

namespace vitrum::cuda::hopper {

[[nodiscard]] inline std::uint64_t matrix_descriptor(std::uint32_t address, int to_next_depth,
                                                     int to_next_eight = 128) {
    return (address & 0x3FFFF) >> 4 | static_cast<std::uint64_t>(to_next_depth >> 4) << 16 |
           static_cast<std::uint64_t>(to_next_eight >> 4) << 32;
}

[[nodiscard]] inline std::uint64_t further(std::uint64_t descriptor, int bytes) {
    return (descriptor & 0xFFFFFFFF00000000) | (static_cast<std::uint32_t>(descriptor) + (bytes >> 4));
}

namespace emulated {

/// Element k of a row of a, or of a column of b.
template <class Operand>
[[nodiscard]] float element(std::uint64_t descriptor, int row, int k) {
    auto const field = [&](int first) { return static_cast<std::uint32_t>(descriptor >> first & 0x3FFF) * 16; };
    std::byte const* const from = shared(field(0)) + k / 8 * field(16) + row / 8 * field(32) + row % 8 * 16 + k % 8 * 2;
    std::uint16_t bits;
    std::memcpy(&bits, from, 2);
    return cuda::emulated::part<Operand>(bits, 0);
}

/// left(row, k): of the warp's sixteen rows.
template <int kColumns, class Operand, class LeftElement>
void multiply(float (&sums)[kColumns / 2], LeftElement const& left, std::uint64_t b, int add) {
    int const lane = static_cast<int>(threadIdx.x) % 32;
    for (int i = 0; i < kColumns / 2; ++i) {
        int const row = lane / 4 + i % 4 / 2 * 8, column = i / 4 * 8 + lane % 4 * 2 + i % 2;
        double sum = add != 0 ? sums[i] : 0;
        for (int k = 0; k < 16; ++k) sum += static_cast<double>(left(row, k)) * element<Operand>(b, column, k);
        sums[i] = static_cast<float>(sum);
    }
}

}  // namespace emulated

template <int kColumns, class Operand = Fp16>
void begin_product(float (&sums)[kColumns / 2], std::uint32_t const* a, std::uint64_t b, int add) {
    auto const all = emulation::share(cuda::emulated::Fragments{{a[0], a[1], a[2], a[3]}, {}});
    auto const left = [&](int row, int k) {
        auto const& of = all[static_cast<std::size_t>(row % 8 * 4 + k % 8 / 2)];
        return cuda::emulated::part<Operand>(of.a[row / 8 + k / 8 * 2], k % 2);
    };
    emulated::multiply<kColumns, Operand>(sums, left, b, add);
}
template <int kColumns, class Operand = Fp16>
void begin_product(float (&sums)[kColumns / 2], std::uint64_t a, std::uint64_t b, int add) {
    int const first = static_cast<int>(threadIdx.x) % 128 / 32 * 16;
    auto const left = [&](int row, int k) { return emulated::element<Operand>(a, first + row, k); };
    emulated::multiply<kColumns, Operand>(sums, left, b, add);
}

}  // namespace vitrum::cuda::hopper
