// SPDX-License-Identifier: Apache-2.0
#include "layer_norm.cuh"

#include "../general_kernels.h"

namespace vitrum::cuda {
namespace {

/// A warp for a row, which is in its registers: up to 128 · kQuads channels. Rows may be normalised in place.
template <int kQuads>
__global__ void __launch_bounds__(kRowsPerBlock * 32)
    short_rows_kernel(Matrix x, Matrix y, std::int64_t rows, int channels, Norm norm, float epsilon) {
    std::int64_t const m = static_cast<std::int64_t>(blockIdx.x) * kRowsPerBlock + threadIdx.x / 32;
    if (m >= rows) return;  // a whole warp
    int const lane = static_cast<int>(threadIdx.x) % 32;
    float4 v[kQuads];
    Norm::Quad quads[kQuads];
    float sum = 0, squares = 0;
#pragma unroll
    for (int i = 0; i < kQuads; ++i) quads[i] = norm.quad(4 * lane + 128 * i, channels - (4 * lane + 128 * i));
    take_turn();
#pragma unroll
    for (int i = 0; i < kQuads; ++i) {
        int const c = 4 * lane + 128 * i;
        v[i] = load4(x.at(m) + c, channels - c, x.vector);
    }
#pragma unroll
    for (float4 const& four : v) sum += (four.x + four.y) + (four.z + four.w);
    float const mean = warp_sum(sum) / static_cast<float>(channels);
#pragma unroll
    for (int i = 0; i < kQuads; ++i) {
        int const width = channels - (4 * lane + 128 * i);
        float4 const d = each(v[i], [&](float value, int j) { return j < width ? value - mean : 0.0F; });
        squares += (d.x * d.x + d.y * d.y) + (d.z * d.z + d.w * d.w);
    }
    Moments const moments{mean, 1.0F / sqrtf(warp_sum(squares) / static_cast<float>(channels) + epsilon)};
#pragma unroll
    for (int i = 0; i < kQuads; ++i) {
        int const c = 4 * lane + 128 * i;
        if (c < channels) store4(y.at(m) + c, quads[i].apply(v[i], moments), channels - c, y.vector);
    }
}

/// A warp for a row, which stays in the first-level cache from one look to the next. Rows may be normalised in place.
__global__ void __launch_bounds__(kRowsPerBlock * 32)
    layer_norm_kernel(Matrix x, Matrix y, std::int64_t rows, int channels, Norm norm, float epsilon) {
    std::int64_t const m = static_cast<std::int64_t>(blockIdx.x) * kRowsPerBlock + threadIdx.x / 32;
    if (m >= rows) return;  // a whole warp
    take_turn();
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
    auto const kernel = channels <= 128   ? short_rows_kernel<1>
                        : channels <= 256 ? short_rows_kernel<2>
                        : channels <= 768 ? short_rows_kernel<6>
                                          : layer_norm_kernel;
    start_in_turn(stream, kernel, divide_up(rows, kRowsPerBlock), kRowsPerBlock * 32, x, y, rows, channels, norm,
                  epsilon);
}

void LayerNormKernel::launch(LayerNorm const& op, Launch const& launch) {
    Pixels const x(launch.inputs[LayerNorm::kX]), y(launch.outputs[0]);
    layer_norm(launch.stream, x, y, x.count(), x.c, launch.inputs[LayerNorm::kWeight], launch.inputs[LayerNorm::kBias],
               op.epsilon);
}

}  // namespace vitrum::cuda
