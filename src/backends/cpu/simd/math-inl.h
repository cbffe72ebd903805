// SPDX-License-Identifier: Apache-2.0
// Elementary functions on vectors of float32. Coefficients: weighted minimax fits in float64 (Lawson's iteration),
// errors measured on random arguments with float32 Horner and fused multiply-adds.
#if defined(VITRUM_CPU_MATH_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef VITRUM_CPU_MATH_INL
#undef VITRUM_CPU_MATH_INL
#else
#define VITRUM_CPU_MATH_INL
#endif

#include "hwy/highway.h"

// Loops over registers must unroll completely, or the arrays of vectors live in memory.
#if defined(__clang__)
#define VITRUM_UNROLL _Pragma("clang loop unroll(full)")
#else
#define VITRUM_UNROLL _Pragma("GCC unroll 16")
#endif

HWY_BEFORE_NAMESPACE();
namespace vitrum::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using F32 = hn::ScalableTag<float>;
using Vf = hn::Vec<F32>;
inline constexpr std::int64_t kLanes = hn::MaxLanes(F32());

/// Horner's rule, coefficient `kFrom` and up.
template <std::size_t kFrom = 0, std::size_t kCount>
HWY_INLINE Vf polynomial(Vf x, float const (&coefficients)[kCount]) {
    Vf const own = hn::Set(F32(), coefficients[kFrom]);
    if constexpr (kFrom + 1 == kCount) {
        return own;
    } else {
        return hn::MulAdd(polynomial<kFrom + 1>(x, coefficients), x, own);
    }
}

/// 2^x for −126 <= x <= 0, relative error <= 1.7e-7.
HWY_INLINE Vf exp2_bounded(Vf x) {
    F32 const d;
    hn::RebindToSigned<F32> const di;
    static constexpr float kCoefficients[] = {1.0F,          0.693147004F,   0.240222424F,
                                              0.0555073358F, 0.00967151299F, 0.00132647273F};
    // Adding 1.5 · 2^23 leaves the nearest integer in the low bits of the sum.
    Vf const magic = hn::Set(d, 12582912.0F);
    Vf const rounded = hn::Add(x, magic);
    Vf const fraction = hn::Sub(x, hn::Sub(rounded, magic));
    auto const exponent = hn::ShiftLeft<23>(hn::BitCast(di, rounded));
    return hn::BitCast(d, hn::Add(hn::BitCast(di, polynomial(fraction, kCoefficients)), exponent));
}

/// 2^x for x <= 0; below −126 it stays at 2^−126, which softmax cannot tell from 0.
HWY_INLINE Vf exp2_nonpositive(Vf x) {
    return exp2_bounded(hn::Max(x, hn::Set(F32(), -126.0F)));
}

/// x · Φ(x) = max(x, 0) − |x| · Φ(−|x|) with Φ(−a) = 2^P(a). Absolute error <= 3e-7 for |x| <= 7, relative error
/// near 0 <= 2.3e-7. log2 Φ(−a) is nearly quadratic, so that P needs degree 7 where Φ itself needs 26, and small
/// tails keep their digits; from a = 6 on |x| · Φ(−|x|) is held at its 6e-9.
HWY_INLINE Vf gelu(Vf x) {
    F32 const d;
    static constexpr float kCoefficients[] = {-0.999999821F,  -1.15111494F,     -0.459120303F,    -0.0527846888F,
                                              0.00750828069F, -0.000494709122F, -3.24785724e-05F, 6.11925225e-06F};
    // The variable operand comes second: on x86 that is what Min and Max return for NaN.
    Vf const a = hn::Min(hn::Set(d, 6.0F), hn::Abs(x));
    return hn::NegMulAdd(a, exp2_bounded(polynomial(a, kCoefficients)), hn::Max(hn::Zero(d), x));
}

/// 1 / (1 + e^−x), relative error <= 4e-7 down to 2^−126.
HWY_INLINE Vf sigmoid(Vf x) {
    F32 const d;
    Vf const one = hn::Set(d, 1.0F);
    Vf const power = exp2_nonpositive(hn::Mul(hn::Abs(x), hn::Set(d, -1.44269504F)));
    return hn::Div(hn::IfThenElse(hn::Lt(x, hn::Zero(d)), power, one), hn::Add(one, power));
}

/// x for x >= 0, x · slope otherwise.
HWY_INLINE Vf leaky_relu(Vf x, Vf slope) {
    return hn::IfThenElse(hn::Lt(x, hn::Zero(F32())), hn::Mul(x, slope), x);
}

}  // namespace vitrum::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
