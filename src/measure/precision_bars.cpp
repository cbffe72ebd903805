// SPDX-License-Identifier: Apache-2.0
#include "precision_bars.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace vitrum {
namespace {

double psnr_db(std::span<float const> made, std::span<float const> expected, double range) {
    double squares = 0;
    for (std::size_t i = 0; i < made.size(); ++i) {
        double const error = std::clamp<double>(made[i], 0, range) - std::clamp<double>(expected[i], 0, range);
        squares += error * error;
    }
    return 10 * std::log10(range * range * static_cast<double>(made.size()) / squares);
}

/// Of the numbers that are not nearly black, where an error of any size would be a large one.
double mrae(std::span<float const> made, std::span<float const> expected, double range) {
    double const black = 0.01 * range;
    double sum = 0;
    for (std::size_t i = 0; i < made.size(); ++i) {
        double const e = expected[i];
        sum += std::fabs(made[i] - e) / std::max(std::fabs(e), black);
    }
    return sum / static_cast<double>(made.size());
}

/// Of pixels of `masks` logits each: a mask is where its logit is positive. Masks that both lack do not count.
double mean_iou(std::span<float const> made, std::span<float const> expected, std::int64_t masks) {
    auto const count = static_cast<std::size_t>(masks);
    std::vector<std::int64_t> both(count), either(count);
    for (std::size_t i = 0; i < made.size(); ++i) {
        bool const a = made[i] > 0, b = expected[i] > 0;
        both[i % count] += static_cast<std::int64_t>(a && b);
        either[i % count] += static_cast<std::int64_t>(a || b);
    }
    double sum = 0;
    int present = 0;
    for (std::size_t m = 0; m < count; ++m) {
        if (either[m] == 0) continue;
        sum += static_cast<double>(both[m]) / static_cast<double>(either[m]);
        ++present;
    }
    return present == 0 ? 1 : sum / present;
}

}  // namespace

double Bar::closer(double times) const {
    if (name == "PSNR dB") return limit + 20 * std::log10(times);
    return is_least ? 1 - (1 - limit) / times : limit / times;
}

Bar bar_for(Task task, Precision precision) {
    bool const is_tf32 = precision == Precision::tf32, is_bf16 = precision == Precision::bf16;
    switch (task) {
        case Task::restore: return {"PSNR dB", is_bf16 ? 50.0 : 60.0, true};
        case Task::spectral: return {"MRAE", is_tf32 ? 1e-3 : is_bf16 ? 2e-2 : 5e-3, false};
        case Task::segment: return {"IoU", is_tf32 ? 0.999 : is_bf16 ? 0.98 : 0.995, true};
        case Task::tensors: break;
    }
    return {};
}

double agreement(Task task, std::span<float const> made, std::span<float const> expected, double range,
                 std::int64_t masks) {
    switch (task) {
        case Task::restore: return psnr_db(made, expected, range);
        case Task::spectral: return mrae(made, expected, range);
        case Task::segment: return mean_iou(made, expected, masks);
        case Task::tensors: break;
    }
    return 0;
}

}  // namespace vitrum
