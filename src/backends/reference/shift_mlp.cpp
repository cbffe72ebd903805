// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "kernels.h"
#include "math.h"

namespace vitrum::reference {
namespace {

using Op = ShiftMlp;

/// Where a channel of the shifted picture comes from, relative to the pixel.
struct Offset {
    std::int64_t row, column;
};

Offset offset_of(std::int64_t channel, std::int64_t channels) {
    std::int64_t const group = channels / 5;
    if (channel < group) return {0, 1};
    if (channel < 2 * group) return {0, -1};
    if (channel < 3 * group) return {1, 0};
    if (channel < 4 * group) return {-1, 0};
    return {0, 0};
}

/// One pixel of shift(x): each channel from its own neighbour, zero outside. at(n, row, column) gives a pixel of x.
template <class At>
void shifted_pixel(Nhwc<float> const& extents, std::int64_t p, std::int64_t channels, At const& at, double* to) {
    std::int64_t const n = p / (extents.h * extents.w);
    for (std::int64_t c = 0; c < channels; ++c) {
        Offset const offset = offset_of(c, channels);
        std::int64_t const row = p / extents.w % extents.h + offset.row;
        std::int64_t const column = p % extents.w + offset.column;
        bool const inside = row >= 0 && row < extents.h && column >= 0 && column < extents.w;
        to[c] = inside ? static_cast<double>(at(n, row, column)[c]) : 0.0;
    }
}

/// The hidden layer of all pixels, then each worker's shifted pixel and result.
struct Workspace {
    std::int64_t hidden_doubles, worker_doubles;

    Workspace(Shape const& x, std::int64_t hidden)
        : hidden_doubles(x[0] * x[1] * x[2] * hidden), worker_doubles(std::max(x[3], hidden) + x[3]) {}
};

}  // namespace

std::vector<Packing> ShiftMlpKernel::packings(Op const&, Problem const& problem) {
    return {panel_packing(Op::kFc1Weight, problem.inputs[Op::kFc1Weight]),
            panel_packing(Op::kFc2Weight, problem.inputs[Op::kFc2Weight])};
}

std::size_t ShiftMlpKernel::workspace_bytes(Op const&, Problem const& problem, int threads) {
    Workspace const needed(problem.inputs[Op::kX], problem.inputs[Op::kFc1Weight][0]);
    return (scratch_doubles(needed.hidden_doubles) +
            static_cast<std::size_t>(threads) * scratch_doubles(needed.worker_doubles)) *
           sizeof(double);
}

void ShiftMlpKernel::launch(Op const&, Launch const& launch) {
    auto const& in = launch.inputs;
    Nhwc<float> const x = nhwc(in[Op::kX]);
    Nhwc<float> const y = nhwc(launch.outputs[0]);
    std::int64_t const hidden = in[Op::kFc1Weight].shape[0];
    Workspace const needed(in[Op::kX].shape, hidden);
    auto* const hidden_layer = reinterpret_cast<double*>(launch.workspace);
    Launch workers = launch;
    workers.workspace += scratch_doubles(needed.hidden_doubles) * sizeof(double);

    Linear const fc1{doubles(launch.packed[0]), floats(in[Op::kFc1Bias]), x.c, hidden};
    launch.threads->parallel_for(x.pixels(), [&](std::int64_t p, int worker) {
        double* const shifted = scratch_of(workers, worker, needed.worker_doubles);
        shifted_pixel(
            x, p, x.c, [&](std::int64_t n, std::int64_t row, std::int64_t column) { return x.pixel(n, row, column); },
            shifted);
        double* const to = hidden_layer + p * hidden;
        fc1(shifted, 1, to);
        for (std::int64_t c = 0; c < hidden; ++c) to[c] = to[c] < 0 ? 0.0 : to[c];
    });

    Linear const fc2{doubles(launch.packed[1]), floats(in[Op::kFc2Bias]), hidden, x.c};
    float const* const residual = floats(in[Op::kResidual]);
    launch.threads->parallel_for(x.pixels(), [&](std::int64_t p, int worker) {
        double* const shifted = scratch_of(workers, worker, needed.worker_doubles);
        double* const result = shifted + std::max(x.c, hidden);
        shifted_pixel(
            x, p, hidden,
            [&](std::int64_t n, std::int64_t row, std::int64_t column) {
                return hidden_layer + ((n * x.h + row) * x.w + column) * hidden;
            },
            shifted);
        fc2(shifted, 1, result);
        for (std::int64_t c = 0; c < x.c; ++c) {
            double const added = residual == nullptr ? 0.0 : residual[p * in[Op::kResidual].strides[2] + c];
            y.data[p * y.stride + c] = static_cast<float>(result[c] + added);
        }
    });
}

}  // namespace vitrum::reference
