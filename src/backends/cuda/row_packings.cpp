// SPDX-License-Identifier: Apache-2.0
// Which weights the kernels of scaled rows want repacked: host code, apart from what nvcc compiles.
#include "pack.h"
#include "pack_scaled.h"
#include "row_kernels.h"

namespace vitrum::cuda {

std::vector<Packing> RowConvKernel::packings(Conv2d const&, Problem const& problem) {
    return {pack_scaled(Conv2d::kWeight, problem.inputs[Conv2d::kWeight])};
}

std::vector<Packing> RowMlpKernel::packings(Mlp const&, Problem const& problem) {
    return {pack_scaled(Mlp::kFc1Weight, problem.inputs[Mlp::kFc1Weight]),
            pack_scaled(Mlp::kFc2Weight, problem.inputs[Mlp::kFc2Weight])};
}

std::vector<Packing> RowWindowKernel::packings(Op const&, Problem const& problem) {
    return {pack_scaled(Op::kQkvWeight, problem.inputs[Op::kQkvWeight]),
            pack_scaled(Op::kProjWeight, problem.inputs[Op::kProjWeight]),
            pack_transposed(Op::kBiasTable, problem.inputs[Op::kBiasTable])};
}

std::vector<Packing> FusedDeformableKernel::packings(Op const&, Problem const& problem) {
    return {pack_scaled(Op::kOffsetWeight, problem.inputs[Op::kOffsetWeight]),
            pack_scaled(Op::kScoreWeight, problem.inputs[Op::kScoreWeight]),
            pack_scaled(Op::kProjWeight, problem.inputs[Op::kProjWeight])};
}

}  // namespace vitrum::cuda
