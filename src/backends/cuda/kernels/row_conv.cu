// SPDX-License-Identifier: Apache-2.0
// 1 × 1 convolutions as products of scaled rows.
#include "../row_kernels.h"
#include "quad_rows.cuh"

namespace vitrum::cuda {

void RowConvKernel::launch(Conv2d const& op, Launch const& launch) {
    auto const in = launch.inputs;
    Pixels const x(in[Conv2d::kX]), y(launch.outputs[0]), residual(in[Conv2d::kResidual]);
    bool const is_first = op.residual_place == ResidualPlace::before_activation;
    Finish const finish{floats(in[Conv2d::kBias]), op.activation, op.negative_slope, is_first};
    multiply(launch.stream, x.count(), rows_of(x, x.c), ScaledWeight(launch.packed[0], y.c, x.c),
             rows_to(y, y.c, finish, residual));
}

}  // namespace vitrum::cuda
