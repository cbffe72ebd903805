// SPDX-License-Identifier: Apache-2.0
#include "shift_mlp_brains.cuh"

#include "../../fused_kernels.h"

namespace vitrum::cuda {

void BrainShiftMlpKernel::launch(Op const&, Launch const& launch) {
    auto const in = launch.inputs;
    Pixels const x(in[Op::kX]);
    int const hidden = static_cast<int>(in[Op::kFc1Weight].shape[0]);
    BrainShiftData const data{.x = x,
                              .y = Pixels(launch.outputs[0]),
                              .residual = Pixels(in[Op::kResidual]),
                              .fc1 = reinterpret_cast<uint4 const*>(launch.packed[0]),
                              .fc2 = reinterpret_cast<uint4 const*>(launch.packed[1]),
                              .bias1 = floats(launch.packed[2]),
                              .bias2 = floats(in[Op::kFc2Bias]),
                              .group = x.c / 5,
                              .hidden = hidden,
                              .hidden_group = hidden / 5,
                              .grid = TileGrid(x, BrainShiftTile::kRows, BrainShiftTile::kColumns)};
    start_shared(launch.stream, brain_shift_kernel, data.grid.count(), BrainShiftTile::kThreads,
                 sizeof(BrainShiftTile::Shared), data);
}

}  // namespace vitrum::cuda
