// SPDX-License-Identifier: Apache-2.0
#include "../fused_kernels.h"
#include "shift_mlp_tile.cuh"

namespace vitrum::cuda {

template <int kParts>
void FusedShiftMlpKernel<kParts>::launch(Op const&, Launch const& launch) {
    auto const in = launch.inputs;
    Pixels const x(in[Op::kX]), residual(in[Op::kResidual]);
    int const hidden = static_cast<int>(in[Op::kFc1Weight].shape[0]);
    std::int64_t const scale_word = ShiftWeights{hidden, pixel_steps(x.c), kParts}.scale_word();
    using Tile = ShiftTile<kParts == 1 ? 12 : 4, kParts>;
    ShiftMlpData const data{.x = x,
                            .y = Pixels(launch.outputs[0]),
                            .residual = residual,
                            .fc1 = reinterpret_cast<uint4 const*>(launch.packed[0]),
                            .fc2 = reinterpret_cast<uint4 const*>(launch.packed[1]),
                            .inverse_scale1 = floats(launch.packed[0]) + scale_word,
                            .inverse_scale2 = floats(launch.packed[1]) + scale_word,
                            .bias1 = floats(in[Op::kFc1Bias]),
                            .bias2 = floats(in[Op::kFc2Bias]),
                            .group = x.c / 5,
                            .hidden = hidden,
                            .hidden_group = hidden / 5,
                            .grid = TileGrid(x, Tile::kRows, Tile::kColumns)};
    launch_shift_mlp<Tile>(launch.stream, data);
}

template void FusedShiftMlpKernel<1>::launch(Op const& op, Launch const& launch);
template void FusedShiftMlpKernel<2>::launch(Op const& op, Launch const& launch);

}  // namespace vitrum::cuda
