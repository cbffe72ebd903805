// SPDX-License-Identifier: Apache-2.0
#include "layer_norm.cuh"

#include "../general_kernels.h"

namespace vitrum::cuda {
namespace {

struct Normalise {
    Matrix x, y;
    Norm norm;
    int channels;

    __device__ void operator()(std::int64_t i) const {
        Quotient const at = divide(i, (channels + 3) / 4);
        int const c = static_cast<int>(at.rest) * 4;
        float4 const v = load4(x.at(at.whole) + c, channels - c, x.vector);
        store4(y.at(at.whole) + c, norm.apply(v, norm.moments[at.whole], c, channels - c), channels - c, y.vector);
    }
};

}  // namespace

void layer_norm(void* stream, Matrix const& x, Matrix const& y, std::int64_t rows, int channels,
                TensorView const& weight, TensorView const& bias, float epsilon, Moments* moments) {
    Norm const norm = prepare_norm(stream, x, rows, channels, weight, bias, epsilon, moments);
    for_each(stream, rows * ((channels + 3) / 4), Normalise{x, y, norm, channels});
}

std::size_t LayerNormKernel::workspace_bytes(LayerNorm const&, Problem const& problem, int) {
    Shape const& x = problem.inputs[LayerNorm::kX];
    WorkspaceParts parts(nullptr);
    parts.take<Moments>(x[0] * x[1] * x[2]);
    return parts.bytes();
}

void LayerNormKernel::launch(LayerNorm const& op, Launch const& launch) {
    Pixels const x(launch.inputs[LayerNorm::kX]), y(launch.outputs[0]);
    layer_norm(launch.stream, x, y, x.count(), x.c, launch.inputs[LayerNorm::kWeight], launch.inputs[LayerNorm::kBias],
               op.epsilon, reinterpret_cast<Moments*>(launch.workspace));
}

}  // namespace vitrum::cuda
