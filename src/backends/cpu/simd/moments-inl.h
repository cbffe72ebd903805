// SPDX-License-Identifier: Apache-2.0
// S = Σ x·xᵀ over pixels, channels in vector lanes.
#if defined(VITRUM_CPU_MOMENTS_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef VITRUM_CPU_MOMENTS_INL
#undef VITRUM_CPU_MOMENTS_INL
#else
#define VITRUM_CPU_MOMENTS_INL
#endif

#include "scratch.h"
#include "simd/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vitrum::cpu::HWY_NAMESPACE {

/// Pixels whose products are summed in float32 before float64 takes them. Rounding errors of so short sums are
/// independent and average out, so that the total of 250,000 pixels is good to 1e-8.
inline constexpr std::int64_t kShortSum = 64;

/// `count` pixels of `channels` channels, `stride` floats apart; whole vectors may be read.
struct PixelRun {
    float const* data;
    std::int64_t count, stride, channels;
};

/// Rows i … i + kRows − 1 and kWidth vectors from column j of S, added to `total`.
template <int kRows, int kWidth>
HWY_INLINE void add_products(PixelRun const& x, std::int64_t i, std::int64_t j, double* total,
                             std::int64_t total_stride) {
    F32 const d;
    Vf sum[kRows][kWidth];
    VITRUM_UNROLL for (int m = 0; m < kRows; ++m) {
        VITRUM_UNROLL for (int v = 0; v < kWidth; ++v) sum[m][v] = hn::Zero(d);
    }
    float const* HWY_RESTRICT from = x.data;
    for (std::int64_t p = 0; p < x.count; ++p, from += x.stride) {
        Vf b[kWidth];
        VITRUM_UNROLL for (int v = 0; v < kWidth; ++v) b[v] = hn::LoadU(d, from + j + v * kLanes);
        VITRUM_UNROLL for (int m = 0; m < kRows; ++m) {
            Vf const a = hn::Set(d, from[i + m]);
            VITRUM_UNROLL for (int v = 0; v < kWidth; ++v) sum[m][v] = hn::MulAdd(a, b[v], sum[m][v]);
        }
    }
    HWY_ALIGN float lanes[kLanes];
    VITRUM_UNROLL for (int m = 0; m < kRows; ++m) {
        VITRUM_UNROLL for (int v = 0; v < kWidth; ++v) {
            hn::Store(sum[m][v], d, lanes);
            double* const to = total + (i + m) * total_stride + j + v * kLanes;
            for (std::int64_t l = 0; l < kLanes; ++l) to[l] += static_cast<double>(lanes[l]);
        }
    }
}

template <int kWidth>
HWY_NOINLINE void add_rows(int rows, PixelRun const& x, std::int64_t i, std::int64_t j, double* total,
                           std::int64_t total_stride) {
    switch (rows) {
        case 1: return add_products<1, kWidth>(x, i, j, total, total_stride);
        case 2: return add_products<2, kWidth>(x, i, j, total, total_stride);
        case 3: return add_products<3, kWidth>(x, i, j, total, total_stride);
        case 4: return add_products<4, kWidth>(x, i, j, total, total_stride);
        case 5: return add_products<5, kWidth>(x, i, j, total, total_stride);
        default: return add_products<6, kWidth>(x, i, j, total, total_stride);
    }
}

/// total[i][j] += Σ x_i · x_j over a short run, for j >= i at least: S is symmetric.
static HWY_NOINLINE HWY_MAYBE_UNUSED void add_moments(PixelRun const& x, double* total, std::int64_t total_stride) {
    for (std::int64_t i = 0; i < x.channels; i += 6) {
        int const rows = static_cast<int>(std::min<std::int64_t>(6, x.channels - i));
        std::int64_t j = i / kLanes * kLanes;
        for (; j + 2 * kLanes <= round_up(x.channels, kLanes); j += 2 * kLanes) {
            add_rows<2>(rows, x, i, j, total, total_stride);
        }
        if (j < x.channels) add_rows<1>(rows, x, i, j, total, total_stride);
    }
}

}  // namespace vitrum::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
