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

/// The rows behind kRows output rows, from the one above the first to the one below the last, at their first column.
template <int kRows>
struct RowsBehind {
    float const* at[kRows + 2];

    RowsBehind(RowRing const& ring, std::int64_t row, std::int64_t column) {
        for (int i = 0; i < kRows + 2; ++i) at[i] = ring.row(row - 1 + i) + column;
    }
};

/// kCount vectors of each output row; the caller's store(row, t, sum) takes each. Two rows share most of what they
/// load: that, unaligned for two taps of three, is what bounds a filter.
template <int kRows, int kCount, class Store>
HWY_INLINE void filter_vectors(RowsBehind<kRows> const& rows, std::int64_t offset, float const* weight,
                               Store const& store) {
    F32 const d;
    Vf sum[kRows][kCount];
    VITRUM_UNROLL for (int y = 0; y < kRows; ++y) {
        VITRUM_UNROLL for (int v = 0; v < kCount; ++v) sum[y][v] = hn::Zero(d);
    }
    VITRUM_UNROLL for (int row = 0; row < kRows + 2; ++row) {
        float const* const from = rows.at[row] + offset - 1;
        VITRUM_UNROLL for (int tap = 0; tap < 3; ++tap) {
            VITRUM_UNROLL for (int v = 0; v < kCount; ++v) {
                Vf const x = hn::LoadU(d, from + tap + v * kLanes);
                VITRUM_UNROLL for (int y = 0; y < kRows; ++y) {
                    if (row < y || row > y + 2) continue;
                    sum[y][v] = hn::MulAdd(hn::Set(d, weight[3 * (row - y) + tap]), x, sum[y][v]);
                }
            }
        }
    }
    VITRUM_UNROLL for (int y = 0; y < kRows; ++y) {
        VITRUM_UNROLL for (int v = 0; v < kCount; ++v) store(y, v * kLanes, sum[y][v]);
    }
}

/// For each output row, channel c and column t < columns (whole vectors): store(row, c, t, filtered value).
template <int kRows, class Store>
HWY_INLINE void filter_rows(RowsBehind<kRows> const& rows, std::int64_t channels, std::int64_t stride,
                            float const* weights, std::int64_t columns, Store const& store) {
    constexpr int kCount = 4 / kRows;  // four sums hide the latency of their chains
    for (std::int64_t c = 0; c < channels; ++c) {
        float const* const weight = weights + c * 9;
        auto const store_at = [&](std::int64_t t) HWY_ATTR {
            return [&store, c, t](int row, std::int64_t v, Vf sum) HWY_ATTR { store(row, c, t + v, sum); };
        };
        std::int64_t t = 0;
        for (; t + kCount * kLanes <= columns; t += kCount * kLanes) {
            filter_vectors<kRows, kCount>(rows, c * stride + t, weight, store_at(t));
        }
        for (; t < columns; t += kLanes) filter_vectors<kRows, 1>(rows, c * stride + t, weight, store_at(t));
    }
}

}  // namespace vitrum::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
