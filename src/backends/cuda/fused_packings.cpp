// SPDX-License-Identifier: Apache-2.0
// Which weights the fused kernels want repacked: host code, apart from what nvcc compiles.
#include "fused_kernels.h"
#include "pack.h"

namespace vitrum::cuda {

template <FragmentKind kKind>
std::vector<Packing> RegionAttentionKernel<kKind>::packings(GroupWindowAttention const&, Problem const& problem) {
    using Op = GroupWindowAttention;
    std::int64_t const channels = problem.inputs[Op::kX][3], columns = channels <= 64 ? 64 : 192;
    return {pack_groups(Op::kInWeight, problem.inputs[Op::kInWeight]),
            pack_fragments(Op::kOutWeight, problem.inputs[Op::kOutWeight],
                           kKind == FragmentKind::half ? FragmentKind::tf32 : kKind, columns, columns)};
}
template std::vector<Packing> RegionAttentionKernel<FragmentKind::half>::packings(GroupWindowAttention const&,
                                                                                  Problem const&);
template std::vector<Packing> RegionAttentionKernel<FragmentKind::split>::packings(GroupWindowAttention const&,
                                                                                   Problem const&);

std::vector<Packing> FusedShiftMlpKernel::packings(ShiftMlp const&, Problem const& problem) {
    return {pack_shift(ShiftMlp::kFc1Weight, problem.inputs[ShiftMlp::kFc1Weight], true),
            pack_shift(ShiftMlp::kFc2Weight, problem.inputs[ShiftMlp::kFc2Weight], false)};
}

std::vector<Packing> UpConvKernel::packings(Conv2d const&, Problem const& problem) {
    return {pack_up_conv(Conv2d::kWeight, problem.inputs[Conv2d::kWeight])};
}

std::vector<Packing> PixelConvKernel::packings(Conv2d const&, Problem const& problem) {
    return {pack_fragments(Conv2d::kWeight, problem.inputs[Conv2d::kWeight], FragmentKind::split, 64, 64)};
}

std::vector<Packing> WideShiftMlpKernel::packings(ShiftMlp const&, Problem const& problem) {
    return {pack_wide_shift(ShiftMlp::kFc1Weight, problem.inputs[ShiftMlp::kFc1Weight], true),
            pack_wide_shift(ShiftMlp::kFc2Weight, problem.inputs[ShiftMlp::kFc2Weight], false)};
}

template <FragmentKind kKind>
std::vector<Packing> FusedSpectralKernel<kKind>::packings(SpectralAttention const&, Problem const& problem) {
    using Op = SpectralAttention;
    return {pack_plain(Op::kQueryWeight, problem.inputs[Op::kQueryWeight]),
            pack_plain(Op::kKeyWeight, problem.inputs[Op::kKeyWeight]),
            pack_fragments(Op::kValueWeight, problem.inputs[Op::kValueWeight], kKind, 32, 16),
            pack_depthwise(Op::kPosition1, problem.inputs[Op::kPosition1], 32),
            pack_depthwise(Op::kPosition2, problem.inputs[Op::kPosition2], 32)};
}
template std::vector<Packing> FusedSpectralKernel<FragmentKind::tf32>::packings(SpectralAttention const&,
                                                                                Problem const&);
template std::vector<Packing> FusedSpectralKernel<FragmentKind::split>::packings(SpectralAttention const&,
                                                                                 Problem const&);

template <FragmentKind kKind>
std::vector<Packing> FusedConvMlpKernel<kKind>::packings(ConvMlp const&, Problem const& problem) {
    std::int64_t const channels = fused_channels(problem.inputs[ConvMlp::kX][3]);
    return {pack_fragments(ConvMlp::kFc1Weight, problem.inputs[ConvMlp::kFc1Weight], kKind, 32, channels),
            pack_fragments(ConvMlp::kFc2Weight, problem.inputs[ConvMlp::kFc2Weight], kKind, channels, 32),
            pack_depthwise(ConvMlp::kDepthWeight, problem.inputs[ConvMlp::kDepthWeight], 32)};
}
template std::vector<Packing> FusedConvMlpKernel<FragmentKind::half>::packings(ConvMlp const&, Problem const&);
template std::vector<Packing> FusedConvMlpKernel<FragmentKind::tf32>::packings(ConvMlp const&, Problem const&);
template std::vector<Packing> FusedConvMlpKernel<FragmentKind::split>::packings(ConvMlp const&, Problem const&);

}  // namespace vitrum::cuda
