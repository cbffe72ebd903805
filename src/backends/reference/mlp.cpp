// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "kernels.h"
#include "math.h"

namespace vitrum::reference {
namespace {

constexpr std::int64_t kChunk = 64;  // pixels per item: a panel of weights serves all of them from the cache

std::int64_t doubles_per_worker(std::int64_t channels, std::int64_t hidden) {
    return kChunk * (channels + hidden + channels);
}

}  // namespace

std::vector<Packing> MlpKernel::packings(Mlp const&, Problem const& problem) {
    return {panel_packing(Mlp::kFc1Weight, problem.inputs[Mlp::kFc1Weight]),
            panel_packing(Mlp::kFc2Weight, problem.inputs[Mlp::kFc2Weight])};
}

std::size_t MlpKernel::workspace_bytes(Mlp const&, Problem const& problem, int threads) {
    std::int64_t const needed = doubles_per_worker(problem.inputs[Mlp::kX][3], problem.inputs[Mlp::kFc1Weight][0]);
    return static_cast<std::size_t>(threads) * scratch_doubles(needed) * sizeof(double);
}

void MlpKernel::launch(Mlp const& op, Launch const& launch) {
    auto const in = launch.inputs;
    Nhwc<float> const x = nhwc(in[Mlp::kX]);
    Nhwc<float> const y = nhwc(launch.outputs[0]);
    TensorView const& residual = in[Mlp::kResidual];
    std::int64_t const hidden = in[Mlp::kFc1Weight].shape[0];
    Linear const fc1{doubles(launch.packed[0]), floats(in[Mlp::kFc1Bias]), x.c, hidden};
    Linear const fc2{doubles(launch.packed[1]), floats(in[Mlp::kFc2Bias]), hidden, x.c};

    launch.threads->parallel_for((x.pixels() + kChunk - 1) / kChunk, [&](std::int64_t chunk, int worker) {
        std::int64_t const first = chunk * kChunk;
        std::int64_t const pixels = std::min(kChunk, x.pixels() - first);
        double* const normed = scratch_of(launch, worker, doubles_per_worker(x.c, hidden));
        double* const inner = normed + kChunk * x.c;
        double* const result = inner + kChunk * hidden;
        for (std::int64_t p = 0; p < pixels; ++p) {
            layer_norm(x.data + (first + p) * x.stride, floats(in[Mlp::kNormWeight]), floats(in[Mlp::kNormBias]), x.c,
                       op.norm_epsilon, normed + p * x.c);
        }
        fc1(normed, pixels, inner);
        std::transform(inner, inner + pixels * hidden, inner,
                       [&](double value) { return activate(op.activation, 0, value); });
        fc2(inner, pixels, result);
        for (std::int64_t p = 0; p < pixels; ++p) {
            for (std::int64_t c = 0; c < x.c; ++c) {
                double value = result[p * x.c + c];
                if (residual.data != nullptr) value += nhwc(residual).data[(first + p) * nhwc(residual).stride + c];
                y.data[(first + p) * y.stride + c] = static_cast<float>(value);
            }
        }
    });
}

}  // namespace vitrum::reference
