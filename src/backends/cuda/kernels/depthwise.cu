// SPDX-License-Identifier: Apache-2.0
#include "depthwise.cuh"

#include "../general_kernels.h"

namespace vitrum::cuda {

void DepthwiseConvKernel::launch(DepthwiseConv const& op, Launch const& launch) {
    auto const in = launch.inputs;
    Pixels const x(in[Op::kX]), y(launch.outputs[0]), gated(in[Op::kGated]);
    DepthwiseQuad const quad{x,
                             y,
                             floats(launch.packed[0]),
                             floats(in[Op::kBias]),
                             x.c,
                             op.kernel,
                             x.h,
                             x.w,
                             0,
                             x.h,
                             0,
                             x.h,
                             Activation::none,
                             gated};
    for_each(launch.stream, quad.items(x.n), quad);
}

}  // namespace vitrum::cuda
