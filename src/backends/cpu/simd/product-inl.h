// SPDX-License-Identifier: Apache-2.0
// The matrix product behind every operator: out[m][t] = Σ_k a[m][k] · b[k][t] with tokens t in vector lanes. No
// dimension but t is ever padded, so head sizes of 10, 15 or 30 and 180 channels cost what they weigh.
#if defined(VITRUM_CPU_PRODUCT_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef VITRUM_CPU_PRODUCT_INL
#undef VITRUM_CPU_PRODUCT_INL
#else
#define VITRUM_CPU_PRODUCT_INL
#endif

#include "pack.h"
#include "simd/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vitrum::cpu::HWY_NAMESPACE {

// A register block is kPanelRows × kVectors accumulators: 24 of 32 registers on AVX-512 and NEON, 12 of 16 else.
// Zen 4, one core, [540, 180] · [180, 64], 2026-11-21: 6 × 4, 5 × 4, 8 × 3 and 12 × 2 reach 113 to 114 GFLOP/s of
// 116, 4 × 4 reaches 91. Six divides the networks' 60, 180, 360 and 540 rows, and heads of 30.
#if HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM_A64
inline constexpr int kVectors = 4;
#else
inline constexpr int kVectors = 2;
#endif

[[nodiscard]] constexpr std::int64_t panels_of(std::int64_t rows) {
    return (rows + kPanelRows - 1) / kPanelRows;
}

/// Weights in panels of kPanelRows rows, [k][row]: the block's broadcasts read one stream.
struct PanelRows {
    float const* p;
    HWY_INLINE float at(int m) const { return p[m]; }
    HWY_INLINE void next() { p += kPanelRows; }
};

/// aᵀ in memory: row m of the product is column m, k steps over rows. For q·kᵀ.
struct ColumnsAsRows {
    float const* p;
    std::int64_t stride;
    HWY_INLINE float at(int m) const { return p[m]; }
    HWY_INLINE void next() { p += stride; }
};

/// a in memory, row by row. For v·p.
struct PlainRows {
    float const* p;
    std::int64_t stride;
    HWY_INLINE float at(int m) const { return p[m * stride]; }
    HWY_INLINE void next() { ++p; }
};

/// The right operand: `rows` rows of vectors, `stride` floats apart. With kTaps = 3 each row counts three times, at
/// t, t + 1 and t + 2: a row of a picture under a 3-wide filter.
struct Columns {
    float const* p;
    std::int64_t stride;
    std::int64_t rows;
    [[nodiscard]] HWY_INLINE Columns at(std::int64_t t) const { return {p + t, stride, rows}; }
    [[nodiscard]] HWY_INLINE float const* row() const { return p; }
    HWY_INLINE void next() { p += stride; }
};

/// The right operand with rows anywhere: each `offset` floats after its pointer.
struct ScatteredColumns {
    float const* const* p;
    std::int64_t offset;
    std::int64_t rows;
    [[nodiscard]] HWY_INLINE ScatteredColumns at(std::int64_t t) const { return {p, offset + t, rows}; }
    [[nodiscard]] HWY_INLINE float const* row() const { return *p + offset; }
    HWY_INLINE void next() { ++p; }
};

/// One register block; store(m, v, sum) takes each accumulator.
template <int kRows, int kWidth, int kTaps, class A, class B, class Store>
HWY_INLINE void multiply_block(A a, B b, Store const& store) {
    F32 const d;
    Vf sum[kRows][kWidth];
    VITRUM_UNROLL for (int m = 0; m < kRows; ++m) {
        VITRUM_UNROLL for (int v = 0; v < kWidth; ++v) sum[m][v] = hn::Zero(d);
    }
    for (std::int64_t k = 0; k < b.rows; ++k) {
        float const* HWY_RESTRICT const from = b.row();
        VITRUM_UNROLL for (int tap = 0; tap < kTaps; ++tap) {
            Vf x[kWidth];
            VITRUM_UNROLL for (int v = 0; v < kWidth; ++v) x[v] = hn::LoadU(d, from + tap + v * kLanes);
            VITRUM_UNROLL for (int m = 0; m < kRows; ++m) {
                Vf const w = hn::Set(d, a.at(m));
                VITRUM_UNROLL for (int v = 0; v < kWidth; ++v) sum[m][v] = hn::MulAdd(w, x[v], sum[m][v]);
            }
            a.next();
        }
        b.next();
    }
    VITRUM_UNROLL for (int m = 0; m < kRows; ++m) {
        VITRUM_UNROLL for (int v = 0; v < kWidth; ++v) store(m, v, sum[m][v]);
    }
}

template <int kWidth, int kTaps, class A, class B, class Store>
HWY_NOINLINE void multiply_rows(int rows, A a, B b, Store store) {
    static_assert(kPanelRows == 6);
    switch (rows) {
        case 1: return multiply_block<1, kWidth, kTaps>(a, b, store);
        case 2: return multiply_block<2, kWidth, kTaps>(a, b, store);
        case 3: return multiply_block<3, kWidth, kTaps>(a, b, store);
        case 4: return multiply_block<4, kWidth, kTaps>(a, b, store);
        case 5: return multiply_block<5, kWidth, kTaps>(a, b, store);
        default: return multiply_block<6, kWidth, kTaps>(a, b, store);
    }
}

/// At most kPanelRows rows of the product over `tokens` columns, a multiple of kLanes.
template <int kTaps = 1, class A, class Store, class B = Columns>
HWY_INLINE void multiply(int rows, A a, B b, std::int64_t tokens, Store const& store) {
    std::int64_t t = 0;
    for (; t + kVectors * kLanes <= tokens; t += kVectors * kLanes) {
        multiply_rows<kVectors, kTaps>(rows, a, b.at(t), store.at(t));
    }
    if constexpr (kVectors == 4) {
        if (t + 2 * kLanes <= tokens) {
            multiply_rows<2, kTaps>(rows, a, b.at(t), store.at(t));
            t += 2 * kLanes;
        }
    }
    if (t < tokens) multiply_rows<1, kTaps>(rows, a, b.at(t), store.at(t));
}

/// Rows of a product in channel-major scratch, plus a bias per row.
struct StoreRows {
    float* to;
    std::int64_t stride;
    float const* bias;  ///< of the first row, or null
    [[nodiscard]] HWY_INLINE StoreRows at(std::int64_t t) const { return {to + t, stride, bias}; }
    HWY_INLINE void operator()(int m, int v, Vf sum) const {
        F32 const d;
        if (bias != nullptr) sum = hn::Add(sum, hn::Set(d, bias[m]));
        hn::StoreU(sum, d, to + m * stride + v * kLanes);
    }
};

/// Rows of a product, plus a bias per row, added to what is there.
struct AddRows {
    float* to;
    std::int64_t stride;
    float const* bias;  ///< of the first row, or null
    [[nodiscard]] HWY_INLINE AddRows at(std::int64_t t) const { return {to + t, stride, bias}; }
    HWY_INLINE void operator()(int m, int v, Vf sum) const {
        StoreRows{to, stride, bias}(m, v, hn::Add(hn::LoadU(F32(), to + m * stride + v * kLanes), sum));
    }
};

/// out = weights · b + bias for packed weights of `rows` rows; finish(to, rows) sees each panel's rows while they
/// are in the first-level cache.
template <int kTaps = 1, class Finish>
HWY_INLINE void linear(float const* panels, std::int64_t rows, float const* bias, Columns b, std::int64_t tokens,
                       float* out, std::int64_t out_stride, Finish const& finish) {
    for (std::int64_t m = 0; m < rows; m += kPanelRows) {
        int const count = static_cast<int>(HWY_MIN(rows - m, kPanelRows));
        float* const to = out + m * out_stride;
        multiply<kTaps>(count, PanelRows{panels}, b, tokens,
                        StoreRows{to, out_stride, bias == nullptr ? nullptr : bias + m});
        finish(to, count);
        panels += b.rows * kTaps * kPanelRows;
    }
}

struct NoFinish {
    void operator()(float*, int) const {}
};

}  // namespace vitrum::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
