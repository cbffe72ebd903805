// SPDX-License-Identifier: Apache-2.0
// Mlps as two products of rows: the hidden layer goes from one to the other as float16 operands, in registers where
// there are rows enough.
#include "../row_kernels.h"
#include "resident_pair.cuh"

namespace vitrum::cuda {
namespace {

/// Both layers' packed weights and biases.
struct Layers {
    std::int64_t channels, hidden_channels;
    std::byte const *fc1, *fc2;
    SwinWeightInfo const *fc1_info, *fc2_info;
    float const *fc1_bias, *fc2_bias;
    hopper::Hidden hidden;

    explicit Layers(Launch const& launch)
        : channels(launch.inputs[Mlp::kX].shape[3]),
          hidden_channels(launch.inputs[Mlp::kFc1Weight].shape[0]),
          fc1(launch.packed[0]),
          fc2(launch.packed[1]),
          fc1_info(hopper::product_weight_info(fc1, hidden_channels, channels)),
          fc2_info(hopper::product_weight_info(fc2, channels, hidden_channels)),
          fc1_bias(floats(launch.packed[2])),
          fc2_bias(floats(launch.packed[3])),
          hidden{fc1_info, fc1_bias + round_up(hidden_channels, kProductColumns)} {}

    [[nodiscard]] hopper::PixelOutlet<InOrder> outlet(Matrix const& y, Matrix const& residual,
                                                      std::int64_t rows) const {
        return {.y = y,
                .residual = residual,
                .rows = rows,
                .columns = static_cast<int>(channels),
                .bias = fc2_bias,
                .slope = 1.0F,
                .residual_first = false,
                .map = {},
                .of_hidden = true,
                .weight = fc2_info};
    }
};

bool is_one_kernel(Shape const& x, std::int64_t hidden_channels, bool has_norm) {
    return !has_norm && hopper::is_pair(x[0] * x[1] * x[2], x[3], hidden_channels);
}

void multiply_at_once(Mlp const& op, Launch const& launch, Layers const& layers) {
    auto const in = launch.inputs;
    Pixels const x(in[Mlp::kX]), y(launch.outputs[0]), residual(in[Mlp::kResidual]);
    hopper::multiply_pair(launch.stream,
                          {.source = {.x = x, .rows = x.count(), .channels = x.c, .hidden = layers.hidden},
                           .first = layers.fc1,
                           .second = layers.fc2,
                           .first_info = layers.fc1_info,
                           .first_bias = layers.fc1_bias,
                           .chunks = static_cast<int>(layers.hidden_channels) / kProductColumns,
                           .activation = op.activation},
                          layers.outlet(y, residual, x.count()));
}

}  // namespace

std::size_t HopperRowMlpKernel::workspace_bytes(Mlp const&, Problem const& problem, int) {
    Shape const& x = problem.inputs[Mlp::kX];
    std::int64_t const hidden_channels = problem.inputs[Mlp::kFc1Weight][0];
    if (is_one_kernel(x, hidden_channels, problem.present[Mlp::kNormWeight])) return 0;
    return hopper::RowParts(x[0] * x[1] * x[2], x[3], hidden_channels, nullptr).bytes;
}

void HopperRowMlpKernel::launch(Mlp const& op, Launch const& launch) {
    auto const in = launch.inputs;
    Pixels const x(in[Mlp::kX]), y(launch.outputs[0]), residual(in[Mlp::kResidual]);
    bool const has_norm = in[Mlp::kNormWeight].data != nullptr;
    Layers const layers(launch);
    VITRUM_ASSERT(x.vector && y.vector && (residual.data == nullptr || residual.vector));
    if (is_one_kernel(in[Mlp::kX].shape, layers.hidden_channels, has_norm)) return multiply_at_once(op, launch, layers);
    hopper::RowParts const parts(x.count(), x.c, layers.hidden_channels, launch.workspace);
    for (std::int64_t first = 0; first < x.count(); first += parts.at_once) {
        std::int64_t const rows = std::min(parts.at_once, x.count() - first);
        hopper::prepare(launch.stream,
                        hopper::Preparation<InOrder>{.x = x.from(first),
                                                     .rows = rows,
                                                     .channels = x.c,
                                                     .map = {},
                                                     .norm_weight = has_norm ? floats(launch.packed[4]) : nullptr,
                                                     .norm_bias = has_norm ? floats(launch.packed[5]) : nullptr,
                                                     .epsilon = op.norm_epsilon,
                                                     .hidden = layers.hidden,
                                                     .to = parts.x,
                                                     .scales = parts.scales});
        hopper::multiply(launch.stream, rows, static_cast<int>(parts.hidden.depth), parts.x, parts.scales, layers.fc1,
                         hopper::HiddenOutlet{parts.hidden, layers.fc1_info, layers.fc1_bias, op.activation});
        hopper::multiply(launch.stream, rows, x.c, parts.hidden, parts.scales, layers.fc2,
                         layers.outlet(y.from(first), residual.from(first), rows));
    }
}

}  // namespace vitrum::cuda
