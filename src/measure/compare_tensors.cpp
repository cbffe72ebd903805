// SPDX-License-Identifier: Apache-2.0
#include "compare_tensors.h"

#include <algorithm>
#include <cmath>

namespace vitrum {
namespace {

double median_of(std::vector<double>& values) {
    auto const middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::ranges::nth_element(values, middle);
    return *middle;
}

struct Moments {
    double mean = 0, deviation = 0;
};

Moments moments_of(std::span<float const> values) {
    double sum = 0, squares = 0;
    for (float const value : values) sum += value;
    double const mean = sum / static_cast<double>(values.size());
    for (float const value : values) squares += (value - mean) * (value - mean);
    return {mean, std::sqrt(squares / static_cast<double>(values.size()))};
}

}  // namespace

TensorComparison compare_tensors(std::string name, std::span<float const> expected, std::span<float const> actual,
                                 double value_range) {
    TensorComparison result;
    result.name = std::move(name);
    result.count = static_cast<std::int64_t>(expected.size());
    std::vector<double> absolute, relative;
    absolute.reserve(expected.size());
    relative.reserve(expected.size());
    double squares = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        if (!std::isfinite(actual[i])) {
            ++result.non_finite;
            continue;
        }
        double const wanted = expected[i], error = std::abs(wanted - static_cast<double>(actual[i]));
        absolute.push_back(error);
        relative.push_back(error / std::max(std::abs(wanted), 1e-12));
        squares += error * error;
    }
    if (absolute.empty()) return result;
    double const finite = static_cast<double>(absolute.size());
    for (double const error : absolute) result.absolute_mean += error / finite;
    for (double const error : relative) result.relative_mean += error / finite;
    result.absolute_max = *std::ranges::max_element(absolute);
    result.relative_max = *std::ranges::max_element(relative);
    result.absolute_median = median_of(absolute);
    result.relative_median = median_of(relative);
    result.normalised = result.absolute_max == 0 ? 0 : result.absolute_max / moments_of(expected).deviation;
    result.psnr_db = 10 * std::log10(value_range * value_range / (squares / finite));
    return result;
}

bool all_within(std::span<TensorComparison const> outputs, double tolerance) {
    return std::ranges::all_of(
        outputs, [&](TensorComparison const& c) { return c.non_finite == 0 && c.normalised <= tolerance; });
}

}  // namespace vitrum
