// SPDX-License-Identifier: Apache-2.0
#include "cases.h"

#include <algorithm>

#include "case_inputs.h"
#include "conv2d_cases.h"
#include "conv_mlp_cases.h"
#include "dense_cases.h"
#include "depthwise_cases.h"
#include "elan_cases.h"
#include "elementwise_cases.h"
#include "group_norm_cases.h"
#include "layer_norm_cases.h"
#include "mlp_cases.h"
#include "patch_merging_cases.h"
#include "position_cases.h"
#include "query_cases.h"
#include "spatial_cases.h"
#include "spectral_attention_cases.h"
#include "window_attention_cases.h"

namespace vitrum::test {
namespace {

template <class Cases>
void append(std::vector<OpCase>& all, Cases const& cases) {
    for (auto const& c : cases) all.push_back(to_case(c));
}

}  // namespace

OpCase to_case(Conv2dCase const& c) {
    double const terms = static_cast<double>(c.c_in) * c.kernel * c.kernel;
    std::vector<CaseInput> inputs(Conv2d::kInputs);
    inputs[Conv2d::kX] = activation({c.n, c.h, c.w, c.c_in}, c.x_deviation);
    inputs[Conv2d::kWeight] = matrix({c.c_out, c.c_in, c.kernel, c.kernel}, terms / (c.weight_scale * c.weight_scale));
    if (c.bias) inputs[Conv2d::kBias] = vector(c.c_out, 0, 0.5);
    auto const strided = [&](int extent) { return (extent + c.stride - 1) / c.stride; };
    if (c.residual) {
        inputs[Conv2d::kResidual] = activation({c.n, strided(c.h), strided(c.w), c.c_out}, c.residual_deviation);
    }
    return {.name = full_name<Conv2d>(c.name),
            .op = Conv2d{.kernel = c.kernel,
                         .stride = c.stride,
                         .activation = c.activation,
                         .negative_slope = c.negative_slope,
                         .residual_place = c.residual_place,
                         .pixel_shuffle = c.pixel_shuffle},
            .inputs = std::move(inputs),
            .reduction = terms};
}

OpCase to_case(WindowAttentionCase const& c) {
    using Op = WindowAttention;
    Shape const shape{c.n, c.h, c.w, c.c};
    int const side = 2 * c.window - 1;
    std::vector<CaseInput> inputs(Op::kInputs);
    inputs[Op::kX] = activation(shape, c.stream);
    double const inside = c.inside * c.inside;
    inputs[Op::kQkvWeight] = matrix({3 * c.c, c.c}, c.c / inside);
    if (c.qkv_bias) inputs[Op::kQkvBias] = vector(3 * c.c, 0, 0.5 * c.inside);
    inputs[Op::kBiasTable] = matrix({side * side, c.heads}, 1);
    inputs[Op::kProjWeight] = matrix({c.c, c.c}, c.c * inside);
    inputs[Op::kProjBias] = vector(c.c, 0, 0.5);
    if (c.norm) {
        inputs[Op::kNormWeight] = vector(c.c, 1, 0.3);
        inputs[Op::kNormBias] = vector(c.c, 0, 0.3);
    }
    inputs[Op::kResidual] = residual(c.residual, shape, Op::kX, c.stream);
    double const head_dim = static_cast<double>(c.c) / c.heads;
    return {.name = full_name<Op>(c.name),
            .op = Op{.heads = c.heads,
                     .window = c.window,
                     .shift = c.shift,
                     .scale = static_cast<float>(c.logits / inside / std::sqrt(head_dim))},
            .inputs = std::move(inputs),
            .reduction = std::max<double>(c.c, c.window * c.window),
            .amplification = c.logits};  // softmax turns an absolute error of a logit into a relative one
}

OpCase to_case(MlpCase const& c) {
    Shape const shape{c.n, c.h, c.w, c.c};
    std::vector<CaseInput> inputs(Mlp::kInputs);
    inputs[Mlp::kX] = activation(shape, c.stream);
    double const inside = c.inside * c.inside;
    inputs[Mlp::kFc1Weight] = matrix({c.hidden, c.c}, c.c / inside);
    inputs[Mlp::kFc1Bias] = vector(c.hidden, 0, 0.5 * c.inside);
    inputs[Mlp::kFc2Weight] = matrix({c.c, c.hidden}, c.hidden * inside);
    inputs[Mlp::kFc2Bias] = vector(c.c, 0, 0.5);
    if (c.norm) {
        inputs[Mlp::kNormWeight] = vector(c.c, 1, 0.3);
        inputs[Mlp::kNormBias] = vector(c.c, 0, 0.3);
    }
    inputs[Mlp::kResidual] = residual(c.residual, shape, Mlp::kX, c.stream);
    return {.name = full_name<Mlp>(c.name),
            .op = Mlp{.activation = c.activation},
            .inputs = std::move(inputs),
            .reduction = static_cast<double>(std::max(c.c, c.hidden))};
}

OpCase to_case(LayerNormCase const& c) {
    // The mean is good to ε·mean, and what is left of a value after subtracting it is of the size of the deviation.
    return {.name = full_name<LayerNorm>(c.name),
            .op = LayerNorm{.epsilon = c.epsilon},
            .inputs = {{.shape = {c.n, c.h, c.w, c.c}, .mean = c.mean, .deviation = c.deviation},
                       vector(c.c, 1, 0.3),
                       vector(c.c, 0, 0.3)},
            .reduction = static_cast<double>(c.c),
            .amplification = std::max(1.0, c.mean / c.deviation)};
}

OpCase to_case(AddCase const& c) {
    Shape const shape{c.n, c.h, c.w, c.c};
    CaseInput const a = activation(shape, c.deviation);
    CaseInput b = a;
    if (c.same) b.same_as = Add::kA;
    return {.name = full_name<Add>(c.name), .op = Add{}, .inputs = {a, b}};
}

OpCase to_case(ActivateCase const& c) {
    return {.name = full_name<Activate>(c.name),
            .op = Activate{.activation = c.activation, .negative_slope = c.negative_slope},
            .inputs = {activation({c.n, c.h, c.w, c.c}, c.deviation)}};
}

OpCase to_case(PixelShuffleCase const& c) {
    return {.name = full_name<PixelShuffle>(c.name),
            .op = PixelShuffle{.factor = c.factor},
            .inputs = {activation({c.n, c.h, c.w, c.c})}};
}

OpCase to_case(ResizeNearestCase const& c) {
    return {.name = full_name<ResizeNearest>(c.name),
            .op = ResizeNearest{.factor = c.factor},
            .inputs = {activation({c.n, c.h, c.w, c.c})}};
}

OpCase to_case(ReflectPadCase const& c) {
    return {.name = full_name<ReflectPad>(c.name),
            .op = ReflectPad{.multiple = c.multiple},
            .inputs = {activation({c.n, c.h, c.w, c.c}), vector(c.c, 2, 0.5), vector(c.c, 0, 0.5)}};
}

OpCase to_case(CropCase const& c) {
    return {.name = full_name<Crop>(c.name),
            .op = Crop{.height = c.to_h, .width = c.to_w},
            .inputs = {activation({c.n, c.h, c.w, c.c}), vector(c.c, 2, 0.5), vector(c.c, 0, 0.5)}};
}

OpCase to_case(MaxPool2dCase const& c) {
    return {.name = full_name<MaxPool2d>(c.name),
            .op = MaxPool2d{.kernel = c.kernel, .stride = c.stride},
            .inputs = {activation({c.n, c.h, c.w, c.c})}};
}

OpCase to_case(PatchMergingCase const& c) {
    return {.name = full_name<PatchMerging>(c.name),
            .op = PatchMerging{},
            .inputs = {activation({c.n, c.h, c.w, c.c}, c.stream), vector(4 * c.c, 1, 0.3), vector(4 * c.c, 0, 0.3),
                       matrix({c.out, 4 * c.c}, 4 * c.c)},
            .reduction = 4.0 * c.c};
}

OpCase to_case(GroupNormCase const& c) {
    return {.name = full_name<GroupNorm>(c.name),
            .op = GroupNorm{.groups = c.groups, .epsilon = c.epsilon},
            .inputs = {{.shape = {c.n, c.h, c.w, c.c}, .mean = c.mean, .deviation = c.deviation},
                       vector(c.c, 1, 0.3),
                       vector(c.c, 0, 0.3)},
            .reduction = static_cast<double>(c.c) / c.groups,
            .amplification = std::max(1.0, c.mean / c.deviation)};
}

std::vector<OpCase> wide_cases() {
    std::vector<OpCase> all;
    append(all, kWideWindowAttentionCases);
    append(all, kWideMlpCases);
    return all;
}

std::vector<OpCase> all_cases() {
    std::vector<OpCase> all;
    append(all, kConv2dCases);
    append(all, kWindowAttentionCases);
    append(all, kMlpCases);
    append(all, kShiftMlpCases);
    append(all, kGroupWindowAttentionCases);
    append(all, kLayerNormCases);
    append(all, kAddCases);
    append(all, kActivateCases);
    append(all, kPixelShuffleCases);
    append(all, kResizeNearestCases);
    append(all, kReflectPadCases);
    append(all, kCropCases);
    append(all, kResizeCases);
    append(all, kSinePositionCases);
    append(all, kAddPositionCases);
    append(all, kTokensCases);
    append(all, kQueryAttentionCases);
    append(all, kQueryMasksCases);
    append(all, kDeformableAttentionCases);
    append(all, kMaxPool2dCases);
    append(all, kPatchMergingCases);
    append(all, kGroupNormCases);
    append(all, kSpectralAttentionCases);
    append(all, kConvMlpCases);
    append(all, kDepthwiseConvCases);
    append(all, kShiftBackCases);
    for (OpCase& c : dense_cases()) all.push_back(std::move(c));
    return all;
}

}  // namespace vitrum::test
