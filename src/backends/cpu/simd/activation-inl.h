// SPDX-License-Identifier: Apache-2.0
#if defined(VITRUM_CPU_ACTIVATION_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef VITRUM_CPU_ACTIVATION_INL
#undef VITRUM_CPU_ACTIVATION_INL
#else
#define VITRUM_CPU_ACTIVATION_INL
#endif

#include "simd/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vitrum::cpu::HWY_NAMESPACE {

/// to[i] = f(from[i]); `count` is a multiple of kLanes. Four vectors in flight hide the polynomial's latency.
template <class F>
HWY_NOINLINE void transform(float const* from, std::int64_t count, float* to, F const& f) {
    F32 const d;
    std::int64_t i = 0;
    for (; i + 4 * kLanes <= count; i += 4 * kLanes) {
        Vf x[4];
        VITRUM_UNROLL for (int v = 0; v < 4; ++v) x[v] = f(hn::LoadU(d, from + i + v * kLanes));
        VITRUM_UNROLL for (int v = 0; v < 4; ++v) hn::StoreU(x[v], d, to + i + v * kLanes);
    }
    for (; i < count; i += kLanes) hn::StoreU(f(hn::LoadU(d, from + i)), d, to + i);
}

struct Gelu {
    HWY_INLINE Vf operator()(Vf x) const { return gelu(x); }
};

struct LeakyRelu {
    float slope;
    HWY_INLINE Vf operator()(Vf x) const { return leaky_relu(x, hn::Set(F32(), slope)); }
};

/// The activation, elementwise; `count` is a multiple of kLanes; `from` and `to` may be the same.
HWY_INLINE void activate(Activation activation, float slope, float const* from, std::int64_t count, float* to) {
    switch (activation) {
        case Activation::none:
            if (from != to) std::copy_n(from, count, to);
            return;
        case Activation::leaky_relu: return transform(from, count, to, LeakyRelu{slope});
        case Activation::gelu: return transform(from, count, to, Gelu());
    }
}

}  // namespace vitrum::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
