// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "kernels.h"
#include "math.h"

namespace vitrum::reference {

void GroupNormKernel::launch(GroupNorm const& op, Launch const& launch) {
    Nhwc<float> const x = nhwc(launch.inputs[GroupNorm::kX]);
    Nhwc<float> const y = nhwc(launch.outputs[0]);
    float const* const weight = floats(launch.inputs[GroupNorm::kWeight]);
    float const* const bias = floats(launch.inputs[GroupNorm::kBias]);
    std::int64_t const channels = x.c / op.groups;
    std::int64_t const pixels = x.h * x.w;

    launch.threads->parallel_for(x.n * op.groups, [&](std::int64_t item, int) {
        std::int64_t const n = item / op.groups;
        std::int64_t const first = item % op.groups * channels;
        auto const sum = [&](auto const& term) {
            double total = 0;
            for (std::int64_t p = 0; p < pixels; ++p) {
                for (std::int64_t c = first; c < first + channels; ++c) total += term(x.pixel(n, 0, p)[c]);
            }
            return total / static_cast<double>(pixels * channels);
        };
        double const mean = sum([](double value) { return value; });
        double const variance = sum([&](double value) { return (value - mean) * (value - mean); });
        double const factor = 1 / std::sqrt(variance + op.epsilon);
        for (std::int64_t p = 0; p < pixels; ++p) {
            for (std::int64_t c = first; c < first + channels; ++c) {
                double const value = (x.pixel(n, 0, p)[c] - mean) * factor * weight[c] + bias[c];
                y.pixel(n, 0, p)[c] = static_cast<float>(value);
            }
        }
    });
}

}  // namespace vitrum::reference
