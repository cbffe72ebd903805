// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <numbers>

#include "kernels.h"
#include "math.h"

namespace vitrum::reference {
namespace {

/// Channel c of the `channels` that tell index i of `size` apart.
double sine_position(std::int64_t i, std::int64_t size, std::int64_t c, std::int64_t channels) {
    double const angle = 2 * std::numbers::pi * static_cast<double>(i + 1) / (static_cast<double>(size) + 1e-6);
    double const exponent = static_cast<double>(c / 2 * 2) / static_cast<double>(channels);
    double const scaled = angle / std::pow(10000.0, exponent);
    return c % 2 == 0 ? std::sin(scaled) : std::cos(scaled);
}

}  // namespace

void SinePositionKernel::launch(SinePosition const&, Launch const& launch) {
    Nhwc<float> const y = nhwc(launch.outputs[0]);
    float const* const level = floats(launch.inputs[SinePosition::kLevel]);
    std::int64_t const half = y.c / 2;
    launch.threads->parallel_for(y.pixels(), [&](std::int64_t pixel, int) {
        float* const to = y.data + pixel * y.stride;
        for (std::int64_t c = 0; c < half; ++c) {
            to[c] = static_cast<float>(sine_position(pixel / y.w, y.h, c, half) + level[c]);
            to[half + c] = static_cast<float>(sine_position(pixel % y.w, y.w, c, half) + level[half + c]);
        }
    });
}

void AddPositionKernel::launch(AddPosition const&, Launch const& launch) {
    Nhwc<float> const x = nhwc(launch.inputs[AddPosition::kX]);
    Nhwc<float> const position = nhwc(launch.inputs[AddPosition::kPosition]);
    Nhwc<float> const y = nhwc(launch.outputs[0]);
    launch.threads->parallel_for(y.pixels(), [&](std::int64_t pixel, int) {
        float const* const add = position.data + pixel % position.pixels() * position.stride;
        for (std::int64_t c = 0; c < y.c; ++c) y.data[pixel * y.stride + c] = x.data[pixel * x.stride + c] + add[c];
    });
}

void TokensKernel::launch(Tokens const&, Launch const& launch) {
    float const* const table = floats(launch.inputs[Tokens::kTable]);
    Nhwc<float> const y = nhwc(launch.outputs[0]);
    launch.threads->parallel_for(y.pixels(), [&](std::int64_t pixel, int) {
        std::copy_n(table + pixel % y.w * y.c, y.c, y.data + pixel * y.stride);
    });
}

}  // namespace vitrum::reference
