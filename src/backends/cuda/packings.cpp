// SPDX-License-Identifier: Apache-2.0
// Which weights the kernels want repacked: host code, apart from what nvcc compiles.
#include "general_kernels.h"
#include "pack.h"

namespace vitrum::cuda {

std::vector<Packing> packings_for(Conv2d const&, Problem const& problem, Precision operands) {
    return {pack_conv(Conv2d::kWeight, problem.inputs[Conv2d::kWeight], operands)};
}

template <Precision operands>
std::vector<Packing> PatchConvKernel<operands>::packings(Conv2d const&, Problem const& problem) {
    return {pack_patch_conv(Conv2d::kWeight, problem.inputs[Conv2d::kWeight], operands)};
}
template struct PatchConvKernel<Precision::fp16>;
template struct PatchConvKernel<Precision::tf32>;
template struct PatchConvKernel<Precision::fp32>;

std::vector<Packing> NarrowConvKernel::packings(Conv2d const&, Problem const& problem) {
    return {pack_patch_conv(Conv2d::kWeight, problem.inputs[Conv2d::kWeight], Precision::fp16)};
}

std::vector<Packing> ToColoursKernel::packings(Conv2d const&, Problem const& problem) {
    return {pack_to_colours(Conv2d::kWeight, problem.inputs[Conv2d::kWeight])};
}

std::vector<Packing> packings_for(WindowAttention const&, Problem const& problem, Precision operands) {
    return {pack_linear(WindowAttention::kQkvWeight, problem.inputs[WindowAttention::kQkvWeight], operands),
            pack_linear(WindowAttention::kProjWeight, problem.inputs[WindowAttention::kProjWeight], operands),
            pack_transposed(WindowAttention::kBiasTable, problem.inputs[WindowAttention::kBiasTable])};
}

std::vector<Packing> packings_for(Mlp const&, Problem const& problem, Precision operands) {
    return {pack_linear(Mlp::kFc1Weight, problem.inputs[Mlp::kFc1Weight], operands),
            pack_linear(Mlp::kFc2Weight, problem.inputs[Mlp::kFc2Weight], operands)};
}

std::vector<Packing> packings_for(ShiftMlp const&, Problem const& problem, Precision operands) {
    return {pack_linear(ShiftMlp::kFc1Weight, problem.inputs[ShiftMlp::kFc1Weight], operands),
            pack_linear(ShiftMlp::kFc2Weight, problem.inputs[ShiftMlp::kFc2Weight], operands)};
}

std::vector<Packing> packings_for(GroupWindowAttention const&, Problem const& problem, Precision operands) {
    return {pack_linear(GroupWindowAttention::kInWeight, problem.inputs[GroupWindowAttention::kInWeight], operands),
            pack_linear(GroupWindowAttention::kOutWeight, problem.inputs[GroupWindowAttention::kOutWeight], operands)};
}

std::vector<Packing> packings_for(DeformableAttention const&, Problem const& problem, Precision operands) {
    return {
        pack_linear(DeformableAttention::kOffsetWeight, problem.inputs[DeformableAttention::kOffsetWeight], operands),
        pack_linear(DeformableAttention::kScoreWeight, problem.inputs[DeformableAttention::kScoreWeight], operands),
        pack_linear(DeformableAttention::kProjWeight, problem.inputs[DeformableAttention::kProjWeight], operands)};
}

/// Its products are of activations only.
std::vector<Packing> packings_for(QueryMasks const&, Problem const&, Precision) {
    return {};
}

std::vector<Packing> packings_for(PatchMerging const&, Problem const& problem, Precision operands) {
    return {pack_parts(PatchMerging::kWeight, problem.inputs[PatchMerging::kWeight], 4, operands)};
}

std::vector<Packing> packings_for(SpectralAttention const&, Problem const& problem, Precision operands) {
    return {pack_linear(SpectralAttention::kQueryWeight, problem.inputs[SpectralAttention::kQueryWeight], operands),
            pack_linear(SpectralAttention::kKeyWeight, problem.inputs[SpectralAttention::kKeyWeight], operands),
            pack_linear(SpectralAttention::kValueWeight, problem.inputs[SpectralAttention::kValueWeight], operands),
            pack_depthwise(SpectralAttention::kPosition1, problem.inputs[SpectralAttention::kPosition1]),
            pack_depthwise(SpectralAttention::kPosition2, problem.inputs[SpectralAttention::kPosition2])};
}

std::vector<Packing> packings_for(ConvMlp const&, Problem const& problem, Precision operands) {
    return {pack_linear(ConvMlp::kFc1Weight, problem.inputs[ConvMlp::kFc1Weight], operands),
            pack_linear(ConvMlp::kFc2Weight, problem.inputs[ConvMlp::kFc2Weight], operands),
            pack_depthwise(ConvMlp::kDepthWeight, problem.inputs[ConvMlp::kDepthWeight])};
}

std::vector<Packing> DepthwiseConvKernel::packings(DepthwiseConv const&, Problem const& problem) {
    return {pack_depthwise(DepthwiseConv::kWeight, problem.inputs[DepthwiseConv::kWeight])};
}

}  // namespace vitrum::cuda
