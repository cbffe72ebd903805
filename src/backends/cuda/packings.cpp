// SPDX-License-Identifier: Apache-2.0
// Which weights the kernels want repacked: host code, apart from what nvcc compiles.
#include "kernels.h"
#include "pack.h"

namespace vitrum::cuda {

std::vector<Packing> Conv2dKernel::packings(Conv2d const&, Problem const& problem) {
    return {pack_conv(Conv2d::kWeight, problem.inputs[Conv2d::kWeight])};
}

std::vector<Packing> WindowAttentionKernel::packings(WindowAttention const&, Problem const& problem) {
    return {pack_linear(WindowAttention::kQkvWeight, problem.inputs[WindowAttention::kQkvWeight]),
            pack_linear(WindowAttention::kProjWeight, problem.inputs[WindowAttention::kProjWeight]),
            pack_transposed(WindowAttention::kBiasTable, problem.inputs[WindowAttention::kBiasTable])};
}

std::vector<Packing> MlpKernel::packings(Mlp const&, Problem const& problem) {
    return {pack_linear(Mlp::kFc1Weight, problem.inputs[Mlp::kFc1Weight]),
            pack_linear(Mlp::kFc2Weight, problem.inputs[Mlp::kFc2Weight])};
}

std::vector<Packing> ShiftMlpKernel::packings(ShiftMlp const&, Problem const& problem) {
    return {pack_linear(ShiftMlp::kFc1Weight, problem.inputs[ShiftMlp::kFc1Weight]),
            pack_linear(ShiftMlp::kFc2Weight, problem.inputs[ShiftMlp::kFc2Weight])};
}

std::vector<Packing> GroupWindowAttentionKernel::packings(GroupWindowAttention const&, Problem const& problem) {
    return {pack_linear(GroupWindowAttention::kInWeight, problem.inputs[GroupWindowAttention::kInWeight]),
            pack_linear(GroupWindowAttention::kOutWeight, problem.inputs[GroupWindowAttention::kOutWeight])};
}

std::vector<Packing> DeformableAttentionKernel::packings(DeformableAttention const&, Problem const& problem) {
    return {pack_linear(DeformableAttention::kOffsetWeight, problem.inputs[DeformableAttention::kOffsetWeight]),
            pack_linear(DeformableAttention::kScoreWeight, problem.inputs[DeformableAttention::kScoreWeight]),
            pack_linear(DeformableAttention::kProjWeight, problem.inputs[DeformableAttention::kProjWeight])};
}

std::vector<Packing> PatchMergingKernel::packings(PatchMerging const&, Problem const& problem) {
    return {pack_parts(PatchMerging::kWeight, problem.inputs[PatchMerging::kWeight], 4)};
}

std::vector<Packing> SpectralAttentionKernel::packings(SpectralAttention const&, Problem const& problem) {
    return {pack_linear(SpectralAttention::kQueryWeight, problem.inputs[SpectralAttention::kQueryWeight]),
            pack_linear(SpectralAttention::kKeyWeight, problem.inputs[SpectralAttention::kKeyWeight]),
            pack_linear(SpectralAttention::kValueWeight, problem.inputs[SpectralAttention::kValueWeight]),
            pack_depthwise(SpectralAttention::kPosition1, problem.inputs[SpectralAttention::kPosition1]),
            pack_depthwise(SpectralAttention::kPosition2, problem.inputs[SpectralAttention::kPosition2])};
}

std::vector<Packing> ConvMlpKernel::packings(ConvMlp const&, Problem const& problem) {
    return {pack_linear(ConvMlp::kFc1Weight, problem.inputs[ConvMlp::kFc1Weight]),
            pack_linear(ConvMlp::kFc2Weight, problem.inputs[ConvMlp::kFc2Weight]),
            pack_depthwise(ConvMlp::kDepthWeight, problem.inputs[ConvMlp::kDepthWeight])};
}

std::vector<Packing> DepthwiseConvKernel::packings(DepthwiseConv const&, Problem const& problem) {
    return {pack_depthwise(DepthwiseConv::kWeight, problem.inputs[DepthwiseConv::kWeight])};
}

}  // namespace vitrum::cuda
