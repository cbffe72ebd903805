// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "kernels.h"
#include "math.h"

namespace vitrum::reference {
namespace {

/// The two source indices behind an output index, and the second one's share.
struct Taps {
    std::int64_t first, second;
    double share;

    Taps(std::int64_t index, std::int64_t from, std::int64_t to) {
        double const scale = static_cast<double>(from) / static_cast<double>(to);
        double const at = std::max(0.0, (static_cast<double>(index) + 0.5) * scale - 0.5);
        first = std::min(static_cast<std::int64_t>(at), from - 1);
        second = std::min(first + 1, from - 1);
        share = at - static_cast<double>(first);
    }
};

}  // namespace

void ResizeKernel::launch(Resize const&, Launch const& launch) {
    Nhwc<float> const x = nhwc(launch.inputs[Resize::kX]);
    Nhwc<float> const y = nhwc(launch.outputs[0]);
    TensorView const& add = launch.inputs[Resize::kAdd];
    launch.threads->parallel_for(y.pixels(), [&](std::int64_t pixel, int) {
        std::int64_t const n = pixel / (y.h * y.w);
        Taps const rows(pixel / y.w % y.h, x.h, y.h);
        Taps const columns(pixel % y.w, x.w, y.w);
        auto const across = [&](std::int64_t row, std::int64_t c) {
            double const left = x.pixel(n, row, columns.first)[c];
            return left + columns.share * (x.pixel(n, row, columns.second)[c] - left);
        };
        for (std::int64_t c = 0; c < y.c; ++c) {
            double const upper = across(rows.first, c);
            double value = upper + rows.share * (across(rows.second, c) - upper);
            if (add.data != nullptr) value += nhwc(add).data[pixel * nhwc(add).stride + c];
            y.data[pixel * y.stride + c] = static_cast<float>(value);
        }
    });
}

}  // namespace vitrum::reference
