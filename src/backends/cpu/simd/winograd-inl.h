// SPDX-License-Identifier: Apache-2.0
// Winograd's minimal filtering of rows (Lavin and Gray, CVPR 2016): sums of input rows under sums of a filter's rows
// give sums of output rows. Along rows only: columns are lanes, and one dimension rounds less than two.
#if defined(VITRUM_CPU_WINOGRAD_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef VITRUM_CPU_WINOGRAD_INL
#undef VITRUM_CPU_WINOGRAD_INL
#else
#define VITRUM_CPU_WINOGRAD_INL
#endif

#include "simd/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vitrum::cpu::HWY_NAMESPACE {

/// F(4, 3): four output rows of three filter rows from six products in place of twelve. The points 0, ±1, 1/2, −2, ∞
/// (Barabasz et al., ACM TOMS 2020) round half as much as the usual ±2: of normal 31 and 60 channels the worst output
/// is off by 3.8e-6 and 5.9e-6, with ±2 by 6.1e-6 and 1.1e-5, in straight sums without Winograd by 3.0e-6 and 4.0e-6.
struct FourRowsOfThree {
    static constexpr int kFilter = 3, kGiven = 6, kMade = 4;

    static HWY_INLINE void mix_filter(Vf const (&g)[kFilter], Vf (&y)[kGiven]) {
        F32 const d;
        auto const third = [&](Vf sum) HWY_ATTR { return hn::Mul(sum, hn::Set(d, 1.0F / 3)); };
        auto const fifteenth = [&](float first, float second, float last) HWY_ATTR {
            Vf const sum = hn::MulAdd(hn::Set(d, second), g[1], hn::Mul(hn::Set(d, last), g[2]));
            return hn::Mul(hn::MulAdd(hn::Set(d, first), g[0], sum), hn::Set(d, 1.0F / 15));
        };
        Vf const outer = hn::Add(g[0], g[2]);
        y[0] = g[0];
        y[1] = third(hn::Add(g[1], outer));
        y[2] = third(hn::Sub(g[1], outer));
        y[3] = fifteenth(-16, -8, -4);
        y[4] = fifteenth(1, -2, 4);
        y[5] = g[2];
    }

    static HWY_INLINE void mix(Vf const (&x)[kGiven], Vf (&y)[kGiven]) {
        F32 const d;
        Vf const half = hn::Set(d, 0.5F), more = hn::Set(d, 1.5F), two = hn::Set(d, 2.0F), most = hn::Set(d, 2.5F);
        Vf const odd = hn::Sub(x[3], x[1]), even = hn::Sub(x[4], x[2]);
        y[0] = hn::MulAdd(more, odd, hn::NegMulAdd(two, x[2], hn::Add(x[0], x[4])));
        y[1] = hn::MulAdd(half, x[2], hn::MulAdd(most, x[3], hn::Sub(x[4], x[1])));
        y[2] = hn::MulAdd(half, x[3], hn::NegMulAdd(most, x[2], hn::Add(x[4], x[1])));
        y[3] = hn::MulAdd(two, odd, even);
        y[4] = hn::NegMulAdd(half, odd, even);
        y[5] = hn::MulAdd(more, even, hn::NegMulAdd(two, x[3], hn::Add(x[1], x[5])));
    }

    static HWY_INLINE void unmix(Vf const (&p)[kGiven], Vf bias, Vf (&y)[kMade]) {
        F32 const d;
        Vf const sum = hn::Add(hn::Add(p[1], p[2]), bias), difference = hn::Add(hn::Sub(p[1], p[2]), bias);
        auto const plus = [&](Vf start, float third, float fourth) HWY_ATTR {
            return hn::MulAdd(hn::Set(d, third), p[3], hn::MulAdd(hn::Set(d, fourth), p[4], start));
        };
        y[0] = hn::Add(hn::Add(p[0], sum), hn::Add(p[3], p[4]));
        y[1] = plus(difference, 0.5F, -2.0F);
        y[2] = plus(sum, 0.25F, 4.0F);
        y[3] = hn::Add(plus(difference, 0.125F, -8.0F), p[5]);
    }
};

/// F(3, 2): three output rows of two filter rows from four products in place of six. The points 0, ±1, ∞ need sums
/// alone, and shorter ones: of normal 124 and 248 channels the root mean square of the error is 2.7e-7 and 3.7e-7, in
/// straight sums 4.0e-7 and 5.7e-7; F(4, 2) would save 6 % of the products and has 5.2e-7 and 7.3e-7.
struct ThreeRowsOfTwo {
    static constexpr int kFilter = 2, kGiven = 4, kMade = 3;

    static HWY_INLINE void mix_filter(Vf const (&g)[kFilter], Vf (&y)[kGiven]) {
        Vf const half = hn::Set(F32(), 0.5F);
        y[0] = g[0];
        y[1] = hn::Mul(half, hn::Add(g[0], g[1]));
        y[2] = hn::Mul(half, hn::Sub(g[0], g[1]));
        y[3] = g[1];
    }

    static HWY_INLINE void mix(Vf const (&x)[kGiven], Vf (&y)[kGiven]) {
        y[0] = hn::Sub(x[0], x[2]);
        y[1] = hn::Add(x[1], x[2]);
        y[2] = hn::Sub(x[2], x[1]);
        y[3] = hn::Sub(x[3], x[1]);
    }

    static HWY_INLINE void unmix(Vf const (&p)[kGiven], Vf bias, Vf (&y)[kMade]) {
        Vf const sum = hn::Add(hn::Add(p[1], p[2]), bias);
        y[0] = hn::Add(p[0], sum);
        y[1] = hn::Add(hn::Sub(p[1], p[2]), bias);
        y[2] = hn::Add(p[3], sum);
    }
};

/// Rows of a patch become their mixtures, in place; `row_floats` is a multiple of kLanes.
template <class Rows>
HWY_INLINE void mix_rows(float* patch, std::int64_t row_floats) {
    F32 const d;
    for (std::int64_t at = 0; at < row_floats; at += kLanes) {
        Vf x[Rows::kGiven], y[Rows::kGiven];
        VITRUM_UNROLL for (int i = 0; i < Rows::kGiven; ++i) x[i] = hn::LoadU(d, patch + i * row_floats + at);
        Rows::mix(x, y);
        VITRUM_UNROLL for (int i = 0; i < Rows::kGiven; ++i) hn::StoreU(y[i], d, patch + i * row_floats + at);
    }
}

/// The rows [kFilter][row_floats] of a filter become their mixtures [kGiven][row_floats]; a row has at least kLanes
/// floats.
template <class Rows>
HWY_INLINE void mix_filter_rows(float const* from, std::int64_t row_floats, float* to) {
    F32 const d;
    for (std::int64_t next = 0; next < row_floats; next += kLanes) {
        std::int64_t const at = HWY_MIN(next, row_floats - kLanes);
        Vf g[Rows::kFilter], y[Rows::kGiven];
        VITRUM_UNROLL for (int i = 0; i < Rows::kFilter; ++i) g[i] = hn::LoadU(d, from + i * row_floats + at);
        Rows::mix_filter(g, y);
        VITRUM_UNROLL for (int i = 0; i < Rows::kGiven; ++i) hn::StoreU(y[i], d, to + i * row_floats + at);
    }
}

}  // namespace vitrum::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
