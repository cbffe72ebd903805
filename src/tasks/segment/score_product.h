// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace vitrum {

// What multiply_scores() works on at once: callers pad to multiples.
inline constexpr std::int64_t kScorePixels = 12, kScoreClasses = 16;

/// scores[p, c] = Σ masks[p, q] · weights[q, c], the classes padded with zero weights.
void multiply_scores(float const* masks, float const* weights, std::int64_t pixels, std::int64_t queries,
                     std::int64_t classes, float* scores);

}  // namespace vitrum
