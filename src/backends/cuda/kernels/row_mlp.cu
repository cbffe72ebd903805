// SPDX-License-Identifier: Apache-2.0
#include "../row_kernels.h"
#include "quad_rows.cuh"

namespace vitrum::cuda {
namespace {

/// The normalised pixels, where there is a norm, and the hidden layer of as many as fit.
struct Parts {
    std::int64_t at_once;
    float *normal, *hidden;
    std::size_t bytes;

    Parts(Shape const& x, std::int64_t hidden_channels, bool has_norm, std::byte* workspace) {
        std::int64_t const pixels = x[0] * x[1] * x[2];
        at_once = items_at_once(pixels, hidden_channels * 4);
        WorkspaceParts parts(workspace);
        normal = parts.take<float>(has_norm ? pixels * x[3] : 0);
        hidden = parts.take<float>(at_once * hidden_channels);
        bytes = parts.bytes();
    }
};

}  // namespace

std::size_t RowMlpKernel::workspace_bytes(Mlp const&, Problem const& problem, int) {
    return Parts(problem.inputs[Mlp::kX], problem.inputs[Mlp::kFc1Weight][0], problem.present[Mlp::kNormWeight],
                 nullptr)
        .bytes;
}

void RowMlpKernel::launch(Mlp const& op, Launch const& launch) {
    auto const in = launch.inputs;
    Pixels const x(in[Mlp::kX]), y(launch.outputs[0]), residual(in[Mlp::kResidual]);
    int const hidden_channels = static_cast<int>(in[Mlp::kFc1Weight].shape[0]);
    bool const has_norm = in[Mlp::kNormWeight].data != nullptr;
    Parts const parts(in[Mlp::kX].shape, hidden_channels, has_norm, launch.workspace);
    Matrix const hidden(parts.hidden, hidden_channels);
    Matrix from = x;
    ScaledWeight const fc1(launch.packed[0], hidden_channels, x.c), fc2(launch.packed[1], x.c, hidden_channels);
    if (has_norm) {
        from = Matrix(parts.normal, x.c);
        layer_norm(launch.stream, x, from, x.count(), x.c, in[Mlp::kNormWeight], in[Mlp::kNormBias], op.norm_epsilon);
    }
    for (std::int64_t first = 0; first < x.count(); first += parts.at_once) {
        std::int64_t const rows = std::min(parts.at_once, x.count() - first);
        multiply(launch.stream, rows, rows_of(from.from(first), x.c), fc1,
                 rows_to(hidden, hidden_channels, {floats(in[Mlp::kFc1Bias]), op.activation}));
        multiply(launch.stream, rows, rows_of(hidden, hidden_channels), fc2,
                 rows_to(y.from(first), x.c, {floats(in[Mlp::kFc2Bias])}, residual.from(first)));
    }
}

}  // namespace vitrum::cuda
