// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels.h"

namespace vitrum::reference {

void MaxPool2dKernel::launch(MaxPool2d const& op, Launch const& launch) {
    Nhwc<float> const x = nhwc(launch.inputs[MaxPool2d::kX]);
    Nhwc<float> const y = nhwc(launch.outputs[0]);
    launch.threads->parallel_for(y.pixels(), [&](std::int64_t pixel, int) {
        std::int64_t const n = pixel / (y.h * y.w);
        std::int64_t const top = pixel / y.w % y.h * op.stride - op.padding();
        std::int64_t const left = pixel % y.w * op.stride - op.padding();
        for (std::int64_t c = 0; c < y.c; ++c) {
            float largest = -std::numeric_limits<float>::infinity();
            for (std::int64_t i = std::max<std::int64_t>(0, top); i < std::min(x.h, top + op.kernel); ++i) {
                for (std::int64_t j = std::max<std::int64_t>(0, left); j < std::min(x.w, left + op.kernel); ++j) {
                    float const value = x.pixel(n, i, j)[c];
                    if (value > largest || std::isnan(value)) largest = value;  // and NaN is larger than all
                }
            }
            y.data[pixel * y.stride + c] = largest;
        }
    });
}

}  // namespace vitrum::reference
