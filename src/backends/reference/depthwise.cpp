// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "kernels.h"
#include "math.h"

namespace vitrum::reference {
namespace {

using Op = DepthwiseConv;

double convolve(Op const& op, Launch const& launch, std::int64_t n, std::int64_t row, std::int64_t column,
                std::int64_t c) {
    Nhwc<float> const x = nhwc(launch.inputs[Op::kX]);
    float const* const bias = floats(launch.inputs[Op::kBias]);
    float const* const weight = floats(launch.inputs[Op::kWeight]) + c * op.kernel * op.kernel;
    double sum = bias == nullptr ? 0.0 : bias[c];
    for (std::int64_t tap = 0; tap < op.kernel * op.kernel; ++tap) {
        std::int64_t const i = row + tap / op.kernel - op.kernel / 2;
        std::int64_t const j = column + tap % op.kernel - op.kernel / 2;
        bool const inside = 0 <= i && i < x.h && 0 <= j && j < x.w;
        if (inside) sum += static_cast<double>(x.pixel(n, i, j)[c]) * weight[tap];  // outside is zero
    }
    return sum;
}

}  // namespace

void DepthwiseConvKernel::launch(Op const& op, Launch const& launch) {
    Nhwc<float> const y = nhwc(launch.outputs[0]);
    TensorView const& gated = launch.inputs[Op::kGated];
    launch.threads->parallel_for(y.n * y.h, [&](std::int64_t item, int) {
        std::int64_t const n = item / y.h;
        std::int64_t const row = item % y.h;
        for (std::int64_t column = 0; column < y.w; ++column) {
            for (std::int64_t c = 0; c < y.c; ++c) {
                double value = convolve(op, launch, n, row, column, c);
                if (gated.data != nullptr) {
                    value = nhwc(gated).pixel(n, row, column)[c] * (1 + 1 / (1 + std::exp(-value)));
                }
                y.pixel(n, row, column)[c] = static_cast<float>(value);
            }
        }
    });
}

}  // namespace vitrum::reference
