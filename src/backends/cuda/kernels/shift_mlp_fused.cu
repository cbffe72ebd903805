// SPDX-License-Identifier: Apache-2.0
#include "shift_mlp_fused.cuh"

#include "../fused_kernels.h"
#include "shift_mlp_wide.cuh"

namespace vitrum::cuda {

void FusedShiftMlpKernel::launch(Op const&, Launch const& launch) {
    auto const in = launch.inputs;
    Pixels const x(in[Op::kX]), residual(in[Op::kResidual]);
    int const hidden = static_cast<int>(in[Op::kFc1Weight].shape[0]);
    ShiftMlpData const data{.x = x,
                            .y = Pixels(launch.outputs[0]),
                            .residual = residual,
                            .fc1 = reinterpret_cast<std::uint32_t const*>(launch.packed[0]),
                            .fc2 = reinterpret_cast<std::uint32_t const*>(launch.packed[1]),
                            .bias1 = floats(in[Op::kFc1Bias]),
                            .bias2 = floats(in[Op::kFc2Bias]),
                            .group = x.c / 5,
                            .hidden = hidden,
                            .hidden_group = hidden / 5,
                            .grid = TileGrid(x, ShiftTile::kRows, ShiftTile::kColumns)};
    launch_shift_mlp(launch.stream, data);
}

void WideShiftMlpKernel::launch(Op const&, Launch const& launch) {
    auto const in = launch.inputs;
    Pixels const x(in[Op::kX]), residual(in[Op::kResidual]);
    int const hidden = static_cast<int>(in[Op::kFc1Weight].shape[0]);
    std::int64_t const scale_at = WideShiftWeights{hidden}.halves() / 2;
    WideShiftData const data{.x = x,
                             .y = Pixels(launch.outputs[0]),
                             .residual = residual,
                             .fc1 = reinterpret_cast<uint4 const*>(launch.packed[0]),
                             .fc2 = reinterpret_cast<uint4 const*>(launch.packed[1]),
                             .inverse_scale1 = floats(launch.packed[0]) + scale_at,
                             .inverse_scale2 = floats(launch.packed[1]) + scale_at,
                             .bias1 = floats(in[Op::kFc1Bias]),
                             .bias2 = floats(in[Op::kFc2Bias]),
                             .group = x.c / 5,
                             .hidden = hidden,
                             .hidden_group = hidden / 5,
                             .grid = TileGrid(x, WideShiftTile::kRows, WideShiftTile::kColumns)};
    launch_wide_shift(launch.stream, data);
}

}  // namespace vitrum::cuda
