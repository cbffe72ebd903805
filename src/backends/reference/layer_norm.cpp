// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "kernels.h"
#include "math.h"

namespace vitrum::reference {

std::size_t LayerNormKernel::workspace_bytes(LayerNorm const&, Problem const& problem, int threads) {
    std::int64_t const channels = problem.inputs[LayerNorm::kX][3];
    return static_cast<std::size_t>(threads) * scratch_doubles(channels) * sizeof(double);
}

void LayerNormKernel::launch(LayerNorm const& op, Launch const& launch) {
    Nhwc<float> const x = nhwc(launch.inputs[LayerNorm::kX]);
    Nhwc<float> const y = nhwc(launch.outputs[0]);
    float const* const weight = floats(launch.inputs[LayerNorm::kWeight]);
    float const* const bias = floats(launch.inputs[LayerNorm::kBias]);
    launch.threads->parallel_for(x.pixels(), [&](std::int64_t pixel, int worker) {
        double* const normed = scratch_of(launch, worker, x.c);
        layer_norm(x.data + pixel * x.stride, weight, bias, x.c, op.epsilon, normed);
        std::transform(normed, normed + x.c, y.data + pixel * y.stride,
                       [](double value) { return static_cast<float>(value); });
    });
}

}  // namespace vitrum::reference
