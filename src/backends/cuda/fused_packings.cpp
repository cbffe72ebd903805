// SPDX-License-Identifier: Apache-2.0
// Which weights the fused kernels want repacked: host code, apart from what nvcc compiles.
#include "fused_kernels.h"
#include "pack.h"

namespace vitrum::cuda {

std::vector<Packing> RegionAttentionKernel::packings(Op const&, Problem const& problem) {
    return {pack_groups(Op::kInWeight, problem.inputs[Op::kInWeight]),
            pack_pixels(Op::kOutWeight, pixel_steps(problem.inputs[Op::kX][3]))};
}

std::vector<Packing> WideRegionKernel::packings(Op const&, Problem const& problem) {
    return {pack_wide_groups(Op::kInWeight, problem.inputs[Op::kInWeight]),
            pack_group_output(Op::kOutWeight, problem.inputs[Op::kOutWeight])};
}

template <int kWeightParts>
std::vector<Packing> RegionRowsKernel<kWeightParts>::packings(Op const&, Problem const&) {
    return {pack_brain_pixels(Op::kInWeight), pack_brain_pixels(Op::kOutWeight)};
}
template std::vector<Packing> RegionRowsKernel<1>::packings(Op const&, Problem const&);
template std::vector<Packing> RegionRowsKernel<2>::packings(Op const&, Problem const&);

std::vector<Packing> SectionsShiftMlpKernel::packings(ShiftMlp const&, Problem const& problem) {
    using Op = ShiftMlp;
    return {pack_sections(Op::kFc1Weight, problem.inputs[Op::kFc1Weight], true),
            pack_sections(Op::kFc2Weight, problem.inputs[Op::kFc2Weight], false),
            pack_sections_bias(Op::kFc1Bias, problem.inputs[Op::kFc1Bias])};
}

std::vector<Packing> FusedShiftMlpKernel::packings(ShiftMlp const&, Problem const& problem) {
    using Op = ShiftMlp;
    return {pack_shift(Op::kFc1Weight, problem.inputs[Op::kFc1Weight], true),
            pack_shift(Op::kFc2Weight, problem.inputs[Op::kFc2Weight], false)};
}

std::vector<Packing> BrainShiftMlpKernel::packings(Op const&, Problem const& problem) {
    return {pack_brain_shift(Op::kFc1Weight, problem.inputs[Op::kFc1Weight], true),
            pack_brain_shift(Op::kFc2Weight, problem.inputs[Op::kFc2Weight], false),
            pack_brain_shift_bias(Op::kFc1Bias, problem.inputs[Op::kFc1Bias])};
}

std::vector<Packing> UpConvKernel::packings(Conv2d const&, Problem const& problem) {
    return {pack_up_conv(Conv2d::kWeight, problem.inputs[Conv2d::kWeight])};
}

std::vector<Packing> BrainPixelConvKernel::packings(Conv2d const&, Problem const&) {
    return {pack_brain_pixels(Conv2d::kWeight)};
}

std::vector<Packing> PixelConvKernel::packings(Conv2d const&, Problem const& problem) {
    Shape const& weight = problem.inputs[Conv2d::kWeight];
    return {pack_pixels(Conv2d::kWeight, steps(weight[1], weight[0]))};
}

template <FragmentKind kKind>
std::vector<Packing> FusedSpectralKernel<kKind>::packings(SpectralAttention const&, Problem const& problem) {
    using Op = SpectralAttention;
    auto const filter = [&](int input) {
        Shape const& shape = problem.inputs[static_cast<std::size_t>(input)];
        return kKind == FragmentKind::half ? pack_scaled_depthwise(input, shape, 32) : pack_depthwise(input, shape, 32);
    };
    return {pack_plain(Op::kQueryWeight, problem.inputs[Op::kQueryWeight]),
            pack_plain(Op::kKeyWeight, problem.inputs[Op::kKeyWeight]),
            pack_fragments(Op::kValueWeight, problem.inputs[Op::kValueWeight], spectral_products(kKind), 32, 16),
            filter(Op::kPosition1), filter(Op::kPosition2)};
}
template std::vector<Packing> FusedSpectralKernel<FragmentKind::half>::packings(SpectralAttention const&,
                                                                                Problem const&);
template std::vector<Packing> FusedSpectralKernel<FragmentKind::tf32>::packings(SpectralAttention const&,
                                                                                Problem const&);
template std::vector<Packing> FusedSpectralKernel<FragmentKind::split>::packings(SpectralAttention const&,
                                                                                 Problem const&);

template <FragmentKind kKind>
std::vector<Packing> FusedConvMlpKernel<kKind>::packings(ConvMlp const&, Problem const& problem) {
    std::int64_t const channels = fused_channels(problem.inputs[ConvMlp::kX][3]);
    Shape const& filter = problem.inputs[ConvMlp::kDepthWeight];
    return {pack_fragments(ConvMlp::kFc1Weight, problem.inputs[ConvMlp::kFc1Weight], kKind, 32, channels),
            pack_fragments(ConvMlp::kFc2Weight, problem.inputs[ConvMlp::kFc2Weight], kKind, channels, 32),
            kKind == FragmentKind::half ? pack_half_depthwise(ConvMlp::kDepthWeight, filter, 32)
                                        : pack_depthwise(ConvMlp::kDepthWeight, filter, 32)};
}
template std::vector<Packing> FusedConvMlpKernel<FragmentKind::half>::packings(ConvMlp const&, Problem const&);
template std::vector<Packing> FusedConvMlpKernel<FragmentKind::tf32>::packings(ConvMlp const&, Problem const&);
template std::vector<Packing> FusedConvMlpKernel<FragmentKind::split>::packings(ConvMlp const&, Problem const&);

}  // namespace vitrum::cuda
