// SPDX-License-Identifier: Apache-2.0
// Rows of a ring under a depthwise 3 × 3 filter, columns in vector lanes.
#if defined(VITRUM_CPU_DEPTHWISE_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef VITRUM_CPU_DEPTHWISE_INL
#undef VITRUM_CPU_DEPTHWISE_INL
#else
#define VITRUM_CPU_DEPTHWISE_INL
#endif

#include "bands.h"
#include "simd/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vitrum::cpu::HWY_NAMESPACE {

/// The rows above, at and below an output row, at its first column.
struct ThreeRows {
    float const* at[3];

    ThreeRows(RowRing const& ring, std::int64_t row, std::int64_t column)
        : at{ring.row(row - 1) + column, ring.row(row) + column, ring.row(row + 1) + column} {}
};

/// kCount vectors of sums; the caller's store(t, sum) takes each.
template <int kCount, class Store>
HWY_INLINE void filter_vectors(ThreeRows const& rows, std::int64_t offset, float const* weight, Store const& store) {
    F32 const d;
    Vf sum[kCount];
    VITRUM_UNROLL for (int v = 0; v < kCount; ++v) sum[v] = hn::Zero(d);
    VITRUM_UNROLL for (int row = 0; row < 3; ++row) {
        float const* const from = rows.at[row] + offset - 1;
        VITRUM_UNROLL for (int tap = 0; tap < 3; ++tap) {
            Vf const w = hn::Set(d, weight[3 * row + tap]);
            VITRUM_UNROLL for (int v = 0; v < kCount; ++v) {
                sum[v] = hn::MulAdd(w, hn::LoadU(d, from + tap + v * kLanes), sum[v]);
            }
        }
    }
    VITRUM_UNROLL for (int v = 0; v < kCount; ++v) store(v * kLanes, sum[v]);
}

/// For each channel c and column t < columns (whole vectors): store(c, t, filtered value).
template <class Store>
HWY_INLINE void filter_rows(ThreeRows const& rows, std::int64_t channels, std::int64_t stride, float const* weights,
                            std::int64_t columns, Store const& store) {
    for (std::int64_t c = 0; c < channels; ++c) {
        float const* const weight = weights + c * 9;
        std::int64_t t = 0;
        for (; t + 4 * kLanes <= columns; t += 4 * kLanes) {
            filter_vectors<4>(rows, c * stride + t, weight,
                              [&](std::int64_t v, Vf sum) HWY_ATTR { store(c, t + v, sum); });
        }
        for (; t < columns; t += kLanes) {
            filter_vectors<1>(rows, c * stride + t, weight,
                              [&](std::int64_t v, Vf sum) HWY_ATTR { store(c, t + v, sum); });
        }
    }
}

/// The four rows behind two output rows, at their first column.
struct FourRows {
    float const* at[4];

    FourRows(RowRing const& ring, std::int64_t row, std::int64_t column)
        : at{ring.row(row - 1) + column, ring.row(row) + column, ring.row(row + 1) + column,
             ring.row(row + 2) + column} {}
};

/// kCount vectors of two output rows, which share most of what they load: that, unaligned for two taps of three, is
/// what bounds a filter.
template <int kCount, class Store>
HWY_INLINE void filter_two_vectors(FourRows const& rows, std::int64_t offset, float const* weight, Store const& store) {
    F32 const d;
    Vf sum[2][kCount];
    VITRUM_UNROLL for (int v = 0; v < kCount; ++v) sum[0][v] = sum[1][v] = hn::Zero(d);
    VITRUM_UNROLL for (int row = 0; row < 4; ++row) {
        float const* const from = rows.at[row] + offset - 1;
        VITRUM_UNROLL for (int tap = 0; tap < 3; ++tap) {
            VITRUM_UNROLL for (int v = 0; v < kCount; ++v) {
                Vf const x = hn::LoadU(d, from + tap + v * kLanes);
                if (row < 3) sum[0][v] = hn::MulAdd(hn::Set(d, weight[3 * row + tap]), x, sum[0][v]);
                if (row > 0) sum[1][v] = hn::MulAdd(hn::Set(d, weight[3 * row - 3 + tap]), x, sum[1][v]);
            }
        }
    }
    VITRUM_UNROLL for (int v = 0; v < kCount; ++v) store(0, v * kLanes, sum[0][v]);
    VITRUM_UNROLL for (int v = 0; v < kCount; ++v) store(1, v * kLanes, sum[1][v]);
}

/// For both rows, each channel c and column t < columns (whole vectors): store(row, c, t, filtered value).
template <class Store>
HWY_INLINE void filter_two_rows(FourRows const& rows, std::int64_t channels, std::int64_t stride, float const* weights,
                                std::int64_t columns, Store const& store) {
    for (std::int64_t c = 0; c < channels; ++c) {
        float const* const weight = weights + c * 9;
        std::int64_t t = 0;
        for (; t + 2 * kLanes <= columns; t += 2 * kLanes) {
            filter_two_vectors<2>(rows, c * stride + t, weight,
                                  [&](int row, std::int64_t v, Vf sum) HWY_ATTR { store(row, c, t + v, sum); });
        }
        for (; t < columns; t += kLanes) {
            filter_two_vectors<1>(rows, c * stride + t, weight,
                                  [&](int row, std::int64_t v, Vf sum) HWY_ATTR { store(row, c, t + v, sum); });
        }
    }
}

}  // namespace vitrum::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
