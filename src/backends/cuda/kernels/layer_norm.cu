// SPDX-License-Identifier: Apache-2.0
#include "layer_norm.cuh"

#include "../general_kernels.h"

namespace vitrum::cuda {
namespace {

/// A warp for a row, which stays in the first-level cache from one look to the next. Rows may be normalised in place.
__global__ void __launch_bounds__(kRowsPerBlock * 32)
    layer_norm_kernel(Matrix x, Matrix y, std::int64_t rows, int channels, Norm norm, float epsilon) {
    std::int64_t const m = static_cast<std::int64_t>(blockIdx.x) * kRowsPerBlock + threadIdx.x / 32;
    if (m >= rows) return;  // a whole warp
    int const lane = static_cast<int>(threadIdx.x) % 32;
    RawRows const raw{x, channels};
    Moments const moments = moments_of(raw, raw.row(m), channels, channels, epsilon);
    for (int c = lane * 4; c < channels; c += 128) {
        float4 const v = load4(x.at(m) + c, channels - c, x.vector);
        store4(y.at(m) + c, norm.apply(v, moments, c, channels - c), channels - c, y.vector);
    }
}

}  // namespace

void layer_norm(void* stream, Matrix const& x, Matrix const& y, std::int64_t rows, int channels,
                TensorView const& weight, TensorView const& bias, float epsilon) {
    Norm const norm{nullptr, floats(weight), floats(bias)};
    start(stream, layer_norm_kernel, divide_up(rows, kRowsPerBlock), kRowsPerBlock * 32, x, y, rows, channels, norm,
          epsilon);
}

void LayerNormKernel::launch(LayerNorm const& op, Launch const& launch) {
    Pixels const x(launch.inputs[LayerNorm::kX]), y(launch.outputs[0]);
    layer_norm(launch.stream, x, y, x.count(), x.c, launch.inputs[LayerNorm::kWeight], launch.inputs[LayerNorm::kBias],
               op.epsilon);
}

}  // namespace vitrum::cuda
