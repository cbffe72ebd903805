// SPDX-License-Identifier: Apache-2.0
// 1 × 1 convolutions as products of rows.
#include "../row_kernels.h"
#include "row_product.cuh"

namespace vitrum::cuda {

std::size_t HopperRowConvKernel::workspace_bytes(Conv2d const&, Problem const& problem, int) {
    Shape const& x = problem.inputs[Conv2d::kX];
    return hopper::RowParts(x[0] * x[1] * x[2], x[3], 0, nullptr).bytes;
}

void HopperRowConvKernel::launch(Conv2d const& op, Launch const& launch) {
    auto const in = launch.inputs;
    Pixels const x(in[Conv2d::kX]), y(launch.outputs[0]), residual(in[Conv2d::kResidual]);
    hopper::RowParts const parts(x.count(), x.c, 0, launch.workspace);
    VITRUM_ASSERT(x.vector && y.vector && (residual.data == nullptr || residual.vector));
    for (std::int64_t first = 0; first < x.count(); first += parts.at_once) {
        std::int64_t const rows = std::min(parts.at_once, x.count() - first);
        hopper::prepare(launch.stream, hopper::Preparation<InOrder>{.x = x.from(first),
                                                                    .rows = rows,
                                                                    .channels = x.c,
                                                                    .map = {},
                                                                    .norm_weight = nullptr,
                                                                    .norm_bias = nullptr,
                                                                    .epsilon = 0,
                                                                    .hidden = {},
                                                                    .to = parts.x,
                                                                    .scales = parts.scales});
        hopper::multiply(
            launch.stream, rows, y.c, parts.x, parts.scales, launch.packed[0],
            hopper::PixelOutlet<InOrder>{.y = y.from(first),
                                         .residual = residual.from(first),
                                         .rows = rows,
                                         .columns = y.c,
                                         .bias = in[Conv2d::kBias].data == nullptr ? nullptr : floats(launch.packed[1]),
                                         .slope = op.activation == Activation::leaky_relu ? op.negative_slope : 1.0F,
                                         .residual_first = op.residual_place == ResidualPlace::before_activation,
                                         .map = {},
                                         .of_hidden = false,
                                         .weight = hopper::product_weight_info(launch.packed[0], y.c, x.c)});
    }
}

}  // namespace vitrum::cuda
