// SPDX-License-Identifier: Apache-2.0
// Mlps as two products of rows: the hidden layer goes from one to the other as float16 operands.
#include "../row_kernels.h"
#include "row_product.cuh"

namespace vitrum::cuda {
namespace {

/// Operands of as many pixels as fit, and of their hidden layer.
struct Parts {
    std::int64_t at_once;
    hopper::RowOperands x, hidden;
    hopper::RowScales* scales;
    std::size_t bytes;

    Parts(Shape const& shape, std::int64_t hidden_channels, std::byte* workspace)
        : x{nullptr, ProductWeights(0, shape[3]).depth}, hidden{nullptr, ProductWeights(0, hidden_channels).depth} {
        std::int64_t const pixels = shape[0] * shape[1] * shape[2];
        at_once = round_up(items_at_once(pixels, (x.depth + hidden.depth) * 2), 2 * kProductRows);
        WorkspaceParts parts(workspace);
        x.data = parts.take<std::byte>(hopper::RowOperands::bytes(std::min(at_once, pixels), x.depth));
        hidden.data = parts.take<std::byte>(hopper::RowOperands::bytes(std::min(at_once, pixels), hidden.depth));
        scales = parts.take<hopper::RowScales>(at_once);
        bytes = parts.bytes();
    }
};

}  // namespace

std::size_t HopperRowMlpKernel::workspace_bytes(Mlp const&, Problem const& problem, int) {
    return Parts(problem.inputs[Mlp::kX], problem.inputs[Mlp::kFc1Weight][0], nullptr).bytes;
}

void HopperRowMlpKernel::launch(Mlp const& op, Launch const& launch) {
    auto const in = launch.inputs;
    Pixels const x(in[Mlp::kX]), y(launch.outputs[0]), residual(in[Mlp::kResidual]);
    std::int64_t const hidden_channels = in[Mlp::kFc1Weight].shape[0];
    bool const has_norm = in[Mlp::kNormWeight].data != nullptr;
    Parts const parts(in[Mlp::kX].shape, hidden_channels, launch.workspace);
    SwinWeightInfo const* const fc1_info = hopper::product_weight_info(launch.packed[0], hidden_channels, x.c);
    float const* const fc1_bias = floats(launch.packed[2]);
    VITRUM_ASSERT(x.vector && y.vector && (residual.data == nullptr || residual.vector));
    for (std::int64_t first = 0; first < x.count(); first += parts.at_once) {
        std::int64_t const rows = std::min(parts.at_once, x.count() - first);
        hopper::prepare(launch.stream, hopper::Preparation<InOrder>{
                                           .x = x.from(first),
                                           .rows = rows,
                                           .channels = x.c,
                                           .map = {},
                                           .norm_weight = has_norm ? floats(launch.packed[4]) : nullptr,
                                           .norm_bias = has_norm ? floats(launch.packed[5]) : nullptr,
                                           .epsilon = op.norm_epsilon,
                                           .hidden = {fc1_info, fc1_bias + round_up(hidden_channels, kProductColumns)},
                                           .to = parts.x,
                                           .scales = parts.scales});
        hopper::multiply(launch.stream, rows, static_cast<int>(parts.hidden.depth), parts.x, launch.packed[0],
                         hopper::HiddenOutlet{parts.hidden, parts.scales, fc1_info, fc1_bias, op.activation});
        hopper::multiply(launch.stream, rows, x.c, parts.hidden, launch.packed[1],
                         hopper::PixelOutlet<InOrder>{
                             .y = y.from(first),
                             .residual = residual.from(first),
                             .rows = rows,
                             .columns = x.c,
                             .bias = floats(launch.packed[3]),
                             .slope = 1.0F,
                             .residual_first = false,
                             .map = {},
                             .scales = &parts.scales->hidden,
                             .weight = hopper::product_weight_info(launch.packed[1], x.c, parts.hidden.depth)});
    }
}

}  // namespace vitrum::cuda
