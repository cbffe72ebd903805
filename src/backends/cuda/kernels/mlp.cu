// SPDX-License-Identifier: Apache-2.0
#include "../general_kernels.h"
#include "rows.cuh"

namespace vitrum::cuda {
namespace {

/// The moments of all pixels, and the hidden layer of as many as fit.
struct Parts {
    std::int64_t at_once, stride;
    Moments* moments;
    float* hidden;
    std::size_t bytes;

    Parts(Shape const& x, std::int64_t hidden_channels, std::byte* workspace)
        : stride(padded_channels(hidden_channels)) {
        std::int64_t const pixels = x[0] * x[1] * x[2];
        at_once = items_at_once(pixels, stride * 4);
        WorkspaceParts parts(workspace);
        moments = parts.take<Moments>(pixels);
        hidden = parts.take<float>(at_once * stride);
        bytes = parts.bytes();
    }
};

}  // namespace

template <Precision operands>
std::size_t MlpKernel<operands>::workspace_bytes(Mlp const&, Problem const& problem, int) {
    return Parts(problem.inputs[Mlp::kX], problem.inputs[Mlp::kFc1Weight][0], nullptr).bytes;
}

template <Precision operands>
void MlpKernel<operands>::launch(Mlp const& op, Launch const& launch) {
    auto const in = launch.inputs;
    Pixels const x(in[Mlp::kX]), y(launch.outputs[0]), residual(in[Mlp::kResidual]);
    int const hidden_channels = static_cast<int>(in[Mlp::kFc1Weight].shape[0]);
    Parts const parts(in[Mlp::kX].shape, hidden_channels, launch.workspace);
    Matrix const hidden(parts.hidden, parts.stride);
    Weight<operands> const fc1(launch.packed[0], hidden_channels, x.c);
    Weight<operands> const fc2(launch.packed[1], x.c, hidden_channels);
    Norm norm = prepare_norm(launch.stream, x, x.count(), x.c, in[Mlp::kNormWeight], in[Mlp::kNormBias],
                             op.norm_epsilon, parts.moments);
    for (std::int64_t first = 0; first < x.count(); first += parts.at_once) {
        std::int64_t const rows = std::min(parts.at_once, x.count() - first);
        if (norm.moments != nullptr) norm.moments = parts.moments + first;
        multiply(launch.stream, rows, rows_of(x.from(first), x.c, norm), fc1,
                 rows_to(hidden, hidden_channels, {floats(in[Mlp::kFc1Bias]), op.activation}));
        multiply(launch.stream, rows, rows_of(hidden, hidden_channels), fc2,
                 rows_to(y.from(first), x.c, {floats(in[Mlp::kFc2Bias])}, residual.from(first)));
    }
}

template struct MlpKernel<Precision::tf32>;
template struct MlpKernel<Precision::fp32>;

}  // namespace vitrum::cuda
