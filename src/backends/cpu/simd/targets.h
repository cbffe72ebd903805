// SPDX-License-Identifier: Apache-2.0
#pragma once

// Include before any Highway header. One target per vector width is enough; scalable vectors (SVE, RISC-V) have no
// size at compile time, and the micro-kernel keeps arrays of vectors. Targets that Highway 1.0.3 does not name yet
// are given by their bits, which are stable: SSE2 (14), AVX3_ZEN4 (6), AVX3_SPR (4), AVX10.2 (3).
#define HWY_DISABLED_TARGETS                                                                                           \
    (HWY_SSSE3 | HWY_AVX3_DL | (1LL << 14) | (1LL << 6) | (1LL << 4) | (1LL << 3) | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | \
     HWY_SVE2_128 | HWY_RVV)

// The table of a kernel: FUNC is a function of the target's namespace that returns its Entry.
#define VITRUM_CPU_TABLE(OP, FUNC)                                                              \
    {                                                                                           \
        call_entry<OP>(HWY_CHOOSE_FALLBACK(FUNC)), call_entry<OP>(VITRUM_CPU_CHOOSE_128(FUNC)), \
            call_entry<OP>(HWY_CHOOSE_AVX2(FUNC)), call_entry<OP>(HWY_CHOOSE_AVX3(FUNC)),       \
    }
#if defined(__aarch64__)
#define VITRUM_CPU_CHOOSE_128(FUNC) HWY_CHOOSE_NEON(FUNC)
#else
#define VITRUM_CPU_CHOOSE_128(FUNC) HWY_CHOOSE_SSE4(FUNC)
#endif

#include "simd/isa.h"

namespace vitrum::cpu {

// By overload, since GCC's sanitizers do not let constant expressions compare a function with null.
template <class O>
constexpr Entry<O> call_entry(Entry<O> (*entry)()) {
    return entry();
}
template <class O>
constexpr Entry<O> call_entry(std::nullptr_t) {
    return {};
}

}  // namespace vitrum::cpu
