// SPDX-License-Identifier: Apache-2.0
// The host's twin of src/backends/cuda/ptx/hopper.cuh: what the emulated kernels use of it. A bulk copy has taken place
// when it returns; products, too.
#pragma once

#include <ptx/tensor_core.cuh>

namespace vitrum::cuda::hopper {

namespace emulated {

struct Barrier {
    int arrivals, left, bytes;
    std::uint32_t completions;

    void complete() {
        if (left > 0 || bytes > 0) return;
        left = arrivals;
        ++completions;
    }
};
inline std::map<std::uint32_t, Barrier> barriers;  ///< by address

[[nodiscard]] inline std::byte* shared(std::uint32_t address) {
    return static_cast<std::byte*>(emulation::dynamic_shared()) + address;
}

}  // namespace emulated

inline void init_barrier(std::uint32_t barrier, int arrivals) {
    emulated::barriers[barrier] = {arrivals, arrivals, 0, 0};
}
inline void publish_barriers() {}
inline void arrive(std::uint32_t barrier) {
    emulated::Barrier& at = emulated::barriers.at(barrier);
    --at.left;
    at.complete();
}
inline void arrive_expecting(std::uint32_t barrier, int bytes) {
    emulated::barriers.at(barrier).bytes += bytes;
    arrive(barrier);
}
inline void wait(std::uint32_t barrier, std::uint32_t parity) {
    emulation::wait_until([&] { return emulated::barriers.at(barrier).completions % 2 != parity; });
}
inline void named_barrier(int id, int threads) {
    emulation::named_barrier(id, threads);
}
inline void load_bulk(std::uint32_t to, void const* from, int bytes, std::uint32_t barrier) {
    std::memcpy(emulated::shared(to), from, static_cast<std::size_t>(bytes));
    emulated::Barrier& at = emulated::barriers.at(barrier);
    at.bytes -= bytes;
    at.complete();
}
inline void fence_shared() {}
[[nodiscard]] inline int read_thread() {
    return static_cast<int>(threadIdx.x);
}

template <int kRegisters>
void take_registers() {}
template <int kRegisters>
void give_registers() {}

inline void fence_products() {}
inline void commit_products() {}
/// All lanes of a warp have multiplied: one of them may then say that operands are no longer read.
template <int kLeft>
void wait_for_products() {
    __syncwarp();
}
template <class T, int kCount>
void settle(T (&)[kCount]) {}

inline void store_matrices_transposed(std::uint32_t row, std::uint32_t a, std::uint32_t b, std::uint32_t c,
                                      std::uint32_t d) {
    auto const rows = emulation::share(row);
    std::uint32_t const words[4] = {a, b, c, d};
    int const lane = static_cast<int>(threadIdx.x) % 32;
    for (int m = 0; m < 4; ++m) {
        for (int i = 0; i < 2; ++i) {
            auto const bits = static_cast<std::uint16_t>(words[m] >> 16 * i);
            std::uint32_t const to = rows[static_cast<std::size_t>(8 * m + lane % 4 * 2 + i)];
            std::memcpy(emulated::shared(to) + lane / 4 * 2, &bits, 2);
        }
    }
}

}  // namespace vitrum::cuda::hopper
