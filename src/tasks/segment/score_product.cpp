// SPDX-License-Identifier: Apache-2.0
#include "score_product.h"

// Scalable vectors have no size at compile time, and the sums below are an array of vectors.
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "segment/score_product.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace vitrum::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Twelve sums stay in registers: 12 pixels by one vector of 16 classes, 6 by two of 8, 3 by four of 4.
void multiply(float const* masks, float const* weights, std::int64_t pixels, std::int64_t queries, std::int64_t classes,
              float* scores) {
    using D = hn::CappedTag<float, static_cast<std::size_t>(kScoreClasses)>;
    constexpr D d;
    constexpr auto kLanes = static_cast<std::int64_t>(hn::MaxLanes(d));
    constexpr std::int64_t kVectors = kScoreClasses / kLanes, kRows = kVectors < 12 ? 12 / kVectors : 1;
    static_assert(kScorePixels % kRows == 0);
    for (std::int64_t c = 0; c < classes; c += kScoreClasses) {
        for (std::int64_t p = 0; p < pixels; p += kRows) {
            hn::Vec<D> sums[kRows * kVectors];
            for (auto& sum : sums) sum = hn::Zero(d);
            for (std::int64_t q = 0; q < queries; ++q) {
                for (std::int64_t v = 0; v < kVectors; ++v) {
                    auto const weight = hn::LoadU(d, weights + q * classes + c + v * kLanes);
                    for (std::int64_t r = 0; r < kRows; ++r) {
                        auto const mask = hn::Set(d, masks[(p + r) * queries + q]);
                        sums[r * kVectors + v] = hn::MulAdd(mask, weight, sums[r * kVectors + v]);
                    }
                }
            }
            for (std::int64_t i = 0; i < kRows * kVectors; ++i) {
                float* const to = scores + (p + i / kVectors) * classes + c + i % kVectors * kLanes;
                hn::StoreU(sums[i], d, to);
            }
        }
    }
}

}  // namespace vitrum::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vitrum {

HWY_EXPORT(multiply);

void multiply_scores(float const* masks, float const* weights, std::int64_t pixels, std::int64_t queries,
                     std::int64_t classes, float* scores) {
    HWY_DYNAMIC_DISPATCH(multiply)(masks, weights, pixels, queries, classes, scores);
}

}  // namespace vitrum
#endif
