// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "vitrum/model.h"
#include "vitrum/precision.h"

namespace vitrum {

/// How far results of a task in some precision may be from those in fp32.
struct Bar {
    std::string_view name;  ///< "" where a task's results have no measure of their own
    double limit = 0;
    bool is_least = false;  ///< the limit is the least value, not the largest

    /// The limit for a result that has to be this many times closer.
    [[nodiscard]] double closer(double times) const;
    [[nodiscard]] bool is_met(double value, double by_limit) const {
        return is_least ? value >= by_limit : value <= by_limit;
    }
};

[[nodiscard]] Bar bar_for(Task task, Precision precision);

/// The value that a bar is about: PSNR in dB of pictures clipped to 0 … range, the mean relative absolute error of
/// spectra, the mean intersection over union of masks.
[[nodiscard]] double agreement(Task task, std::span<float const> made, std::span<float const> expected, double range,
                               std::int64_t masks);

}  // namespace vitrum
