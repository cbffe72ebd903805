// SPDX-License-Identifier: Apache-2.0
#include "../../fused_kernels.h"
#include "shift_mlp_sections.cuh"
#include "shift_mlp_tile.cuh"

namespace vitrum::cuda {

void SectionsShiftMlpKernel::launch(Op const&, Launch const& launch) {
    auto const in = launch.inputs;
    Pixels const x(in[Op::kX]);
    ShiftSections const sections{in[Op::kFc1Weight].shape[0]};
    SectionsData const data{.x = x,
                            .y = Pixels(launch.outputs[0]),
                            .residual = Pixels(in[Op::kResidual]),
                            .fc1 = reinterpret_cast<uint4 const*>(launch.packed[0]),
                            .fc2 = reinterpret_cast<uint4 const*>(launch.packed[1]),
                            .inverse_scale1 = floats(launch.packed[0]) + sections.scale_word(),
                            .inverse_scale2 = floats(launch.packed[1]) + sections.scale_word(),
                            .bias1 = floats(launch.packed[2]),
                            .bias2 = floats(in[Op::kFc2Bias]),
                            .group = x.c / 5,
                            .sections = sections,
                            .grid = TileGrid(x, SectionsTile::kRows, SectionsTile::kColumns)};
    start_shared(launch.stream, sections_kernel, data.grid.count(), SectionsTile::kThreads,
                 sizeof(SectionsTile::Shared), data);
}

void FusedShiftMlpKernel::launch(Op const&, Launch const& launch) {
    auto const in = launch.inputs;
    Pixels const x(in[Op::kX]), residual(in[Op::kResidual]);
    int const hidden = static_cast<int>(in[Op::kFc1Weight].shape[0]);
    std::int64_t const scale_word = ShiftWeights{hidden}.scale_word();
    using Tile = ShiftTile;
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
    start_shared(launch.stream, shift_mlp_kernel, data.grid.count(), Tile::kThreads, sizeof(Tile::Shared), data);
}

}  // namespace vitrum::cuda
