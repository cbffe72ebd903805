// SPDX-License-Identifier: Apache-2.0
#include "engine/normalised_error.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace vitrum {

double normalised_error(std::span<float const> made, std::span<float const> expected) {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    double sum = 0, squares = 0, largest = 0;
    for (std::size_t i = 0; i < made.size(); ++i) {
        double const e = static_cast<double>(expected[i]), difference = std::fabs(static_cast<double>(made[i]) - e);
        if (!std::isfinite(difference)) return kInfinity;
        sum += e;
        squares += e * e;
        largest = std::max(largest, difference);
    }
    auto const count = static_cast<double>(expected.size());
    double const variance = squares / count - sum / count * (sum / count);
    return variance > 0 ? largest / std::sqrt(variance) : kInfinity;
}

}  // namespace vitrum
