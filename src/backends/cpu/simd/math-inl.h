// SPDX-License-Identifier: Apache-2.0
// Elementary functions on vectors of float32. Coefficients: weighted minimax fits in float64 (Lawson's iteration,
// linear programming), errors measured on random arguments with float32 Horner and fused multiply-adds.
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

// What Highway's Max and Min give for NaN depends on the target. On x86 it is the second operand; elsewhere the number,
// and NaN would be lost.

/// The larger of the two, NaN where x is.
HWY_INLINE Vf at_least(Vf limit, Vf x) {
#if HWY_TARGET <= HWY_SSE4
    return hn::Max(limit, x);
#else
    return hn::IfThenElse(hn::Lt(x, limit), limit, x);
#endif
}

/// The smaller of the two, NaN where x is.
HWY_INLINE Vf at_most(Vf limit, Vf x) {
#if HWY_TARGET <= HWY_SSE4
    return hn::Min(limit, x);
#else
    return hn::IfThenElse(hn::Gt(x, limit), limit, x);
#endif
}

/// 2^x for −126 <= x <= 0, relative error <= 1.7e-7; of NaN: NaN.
HWY_INLINE Vf exp2_bounded(Vf x) {
    F32 const d;
    hn::RebindToSigned<F32> const di;
    static constexpr float kCoefficients[] = {1.0F,          0.693147004F,   0.240222424F,
                                              0.0555073358F, 0.00967151299F, 0.00132647273F};
    // Adding 1.5 · 2^23 leaves the nearest integer in the low bits of the sum, adding 127 to it what the exponent's
    // bits of that power of two are. A product keeps NaN; adding to the polynomial's exponent would not keep every NaN.
    Vf const magic = hn::Set(d, 12582912.0F + 127.0F);
    Vf const rounded = hn::Add(x, magic);
    Vf const fraction = hn::Sub(x, hn::Sub(rounded, magic));
    Vf const whole = hn::BitCast(d, hn::ShiftLeft<23>(hn::BitCast(di, rounded)));
    return hn::Mul(polynomial(fraction, kCoefficients), whole);
}

/// 2^x for x <= 0; below −126 it stays at 2^−126, which softmax cannot tell from 0.
HWY_INLINE Vf exp2_nonpositive(Vf x) {
    return exp2_bounded(at_least(hn::Set(F32(), -126.0F), x));
}

#if HWY_TARGET <= HWY_AVX3
// Sixteen lanes hold a table of sixteen floats, and looking one up costs no multiply-add: half as many of those as
// below, where they and not the shuffles are what runs out.

/// Φ(−a) for 0 <= a <= 5.99, absolute error · a <= 1.5e-7, relative error below 1 <= 5e-7: a polynomial in the distance
/// from the middle of each sixteenth of [0, 6].
HWY_INLINE Vf normal_tail(Vf a) {
    F32 const d;
    hn::RebindToSigned<F32> const di;
    alignas(64) static constexpr float kCoefficients[5][16] = {
        {0.425634325F, 0.286887705F, 0.174250722F, 0.094675757F, 0.045753628F, 0.0195800774F, 0.00739460485F,
         0.00245789997F, 0.00071754196F, 0.000183670025F, 4.11675719e-05F, 8.07100241e-06F, 1.38283531e-06F,
         2.0690328e-07F, 2.70181051e-08F, 3.07759906e-09F},
        {-0.146995276F, -0.127712339F, -0.0964031592F, -0.0632233173F, -0.0360237509F, -0.0178329647F, -0.00766969053F,
         -0.00286581181F, -0.000930311391F, -0.0002623701F, -6.42834857e-05F, -1.36828448e-05F, -2.53009762e-06F,
         -4.06418451e-07F, -5.67120111e-08F, -6.87432911e-09F},
        {0.00516763935F, 0.0134696225F, 0.0169451665F, 0.0155582121F, 0.0113978451F, 0.00689634914F, 0.00350542017F,
         0.00151139731F, 0.000556087121F, 0.000175293302F, 4.74738736e-05F, 1.1068445e-05F, 2.22492395e-06F,
         3.86047532e-07F, 5.78700892e-08F, 7.50009388e-09F},
        {0.00330308382F, 0.0020382239F, 0.000280921056F, -0.00105670665F, -0.00154891226F, -0.00135590625F,
         -0.000889282848F, -0.000466821453F, -0.000201924238F, -7.31045729e-05F, -2.23631068e-05F, -5.81638778e-06F,
         -1.29177613e-06F, -2.45752119e-07F, -4.01428935e-08F, -5.64053249e-09F},
        {-0.000177745082F, -0.000421116769F, -0.000417192496F, -0.000230995094F, -2.0824049e-05F, 0.000100073696F,
         0.000119999437F, 8.67650015e-05F, 4.67788414e-05F, 2.00660324e-05F, 7.05313869e-06F, 2.06472828e-06F,
         5.08473363e-07F, 1.06052077e-07F, 1.88226768e-08F, 2.8528071e-09F}};
    Vf const magic = hn::Set(d, 12582912.0F);  // 1.5 · 2^23: the nearest integer in the low bits of the sum
    Vf const place = hn::MulAdd(a, hn::Set(d, 16.0F / 6.0F), hn::Set(d, -0.5F));
    Vf const rounded = hn::Add(place, magic);
    Vf const distance = hn::Sub(place, hn::Sub(rounded, magic));
    auto const row = hn::IndicesFromVec(d, hn::And(hn::BitCast(di, rounded), hn::Set(di, 15)));
    auto const look_up = [&](int k) HWY_ATTR { return hn::TableLookupLanes(hn::Load(d, kCoefficients[k]), row); };
    Vf sum = look_up(4);
    VITRUM_UNROLL for (int k = 3; k >= 0; --k) sum = hn::MulAdd(sum, distance, look_up(k));
    return sum;
}
inline constexpr float kNormalEnd = 5.99F;
#else
/// Φ(−a) for 0 <= a <= 6 as 2^P(a), absolute error · a <= 3e-7, relative error near 0 <= 2.3e-7. log2 Φ(−a) is nearly
/// quadratic, so that P needs degree 7 where Φ itself needs 26, and small tails keep their digits.
HWY_INLINE Vf normal_tail(Vf a) {
    static constexpr float kCoefficients[] = {-0.999999821F,  -1.15111494F,     -0.459120303F,    -0.0527846888F,
                                              0.00750828069F, -0.000494709122F, -3.24785724e-05F, 6.11925225e-06F};
    return exp2_bounded(polynomial(a, kCoefficients));
}
inline constexpr float kNormalEnd = 6.0F;
#endif

/// x · Φ(x) = max(x, 0) − |x| · Φ(−|x|), absolute error <= 3e-7 for |x| <= 7, relative error near 0 <= 5e-7. From the
/// end of the range on Φ(−|x|) is held at its 1e-9, so that no infinity is lost: of −∞ it is −∞, of ∞ NaN.
HWY_INLINE Vf gelu(Vf x) {
    F32 const d;
    Vf const a = hn::Abs(x);
    return hn::NegMulAdd(a, normal_tail(at_most(hn::Set(d, kNormalEnd), a)), at_least(hn::Zero(d), x));
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
