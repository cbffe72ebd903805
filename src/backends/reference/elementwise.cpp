// SPDX-License-Identifier: Apache-2.0
#include "kernels.h"
#include "math.h"

namespace vitrum::reference {

void AddKernel::launch(Add const&, Launch const& launch) {
    Nhwc<float> const a = nhwc(launch.inputs[Add::kA]);
    Nhwc<float> const b = nhwc(launch.inputs[Add::kB]);
    Nhwc<float> const y = nhwc(launch.outputs[0]);
    launch.threads->parallel_for(y.pixels(), [&](std::int64_t pixel, int) {
        for (std::int64_t c = 0; c < y.c; ++c) {
            y.data[pixel * y.stride + c] = a.data[pixel * a.stride + c] + b.data[pixel * b.stride + c];
        }
    });
}

void ActivateKernel::launch(Activate const& op, Launch const& launch) {
    Nhwc<float> const x = nhwc(launch.inputs[Activate::kX]);
    Nhwc<float> const y = nhwc(launch.outputs[0]);
    launch.threads->parallel_for(y.pixels(), [&](std::int64_t pixel, int) {
        for (std::int64_t c = 0; c < y.c; ++c) {
            double const value = activate(op.activation, op.negative_slope, x.data[pixel * x.stride + c]);
            y.data[pixel * y.stride + c] = static_cast<float>(value);
        }
    });
}

}  // namespace vitrum::reference
