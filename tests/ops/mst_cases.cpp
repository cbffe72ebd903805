// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "case_inputs.h"
#include "conv_mlp_cases.h"
#include "depthwise_cases.h"
#include "spectral_attention_cases.h"

namespace vitrum::test {

OpCase to_case(SpectralAttentionCase const& c) {
    using Op = SpectralAttention;
    Shape const shape{c.n, c.h, c.w, c.c};
    std::vector<CaseInput> inputs(Op::kInputs);
    inputs[Op::kX] = {.shape = shape, .mean = c.mean, .deviation = c.stream};
    for (int const input : {Op::kQueryWeight, Op::kKeyWeight, Op::kValueWeight, Op::kProjWeight}) {
        inputs[static_cast<std::size_t>(input)] = matrix({c.c, c.c}, c.c);
    }
    inputs[Op::kRescale] = {
        .shape = {c.heads, 1, 1}, .role = Role::weight, .mean = c.rescale, .deviation = 0.3 * c.rescale};
    inputs[Op::kProjBias] = vector(c.c, 0, 0.5);
    inputs[Op::kPosition1] = inputs[Op::kPosition2] = matrix({c.c, 1, 3, 3}, 9);
    if (c.guide) inputs[Op::kGuide] = {.shape = shape, .mean = 1, .deviation = 0.5};
    inputs[Op::kResidual] = residual(c.residual, shape, Op::kX, c.stream);
    return {.name = full_name<Op>(c.name),
            .op = Op{.heads = c.heads},
            .inputs = std::move(inputs),
            .reduction = static_cast<double>(c.c),
            // Softmax turns an absolute error of a logit into a relative one; a common part of the features cancels.
            .amplification = std::max(1.0, c.rescale) * (1 + c.mean)};
}

OpCase to_case(ConvMlpCase const& c) {
    using Op = ConvMlp;
    Shape const shape{c.n, c.h, c.w, c.c};
    std::vector<CaseInput> inputs(Op::kInputs);
    inputs[Op::kX] = activation(shape, c.stream);
    inputs[Op::kFc1Weight] = matrix({c.hidden, c.c, 1, 1}, c.c);
    inputs[Op::kDepthWeight] = matrix({c.hidden, 1, 3, 3}, 9);
    inputs[Op::kFc2Weight] = matrix({c.c, c.hidden, 1, 1}, c.hidden);
    if (c.norm) {
        inputs[Op::kNormWeight] = vector(c.c, 1, 0.3);
        inputs[Op::kNormBias] = vector(c.c, 0, 0.3);
    }
    inputs[Op::kResidual] = residual(c.residual, shape, Op::kX, c.stream);
    return {.name = full_name<Op>(c.name),
            .op = Op{},
            .inputs = std::move(inputs),
            .reduction = static_cast<double>(std::max(c.c, c.hidden))};
}

OpCase to_case(DepthwiseConvCase const& c) {
    using Op = DepthwiseConv;
    Shape const shape{c.n, c.h, c.w, c.c};
    std::vector<CaseInput> inputs(Op::kInputs);
    inputs[Op::kX] = activation(shape, c.deviation);
    inputs[Op::kWeight] = matrix({c.c, 1, c.kernel, c.kernel}, c.kernel * c.kernel);
    if (c.bias) inputs[Op::kBias] = vector(c.c, 0, 0.5);
    if (c.gated) inputs[Op::kGated] = activation(shape);
    return {.name = full_name<Op>(c.name),
            .op = Op{.kernel = c.kernel},
            .inputs = std::move(inputs),
            .reduction = static_cast<double>(c.kernel) * c.kernel,
            .amplification = c.gated ? std::max(1.0, c.deviation / 4) : 1};  // a sigmoid's slope is at most 1/4
}

OpCase to_case(ShiftBackCase const& c) {
    return {.name = full_name<ShiftBack>(c.name),
            .op = ShiftBack{.step = c.step, .full_rows = c.full_rows, .height = c.h, .width = c.to_w},
            .inputs = {activation({c.n, c.h, c.w, c.c})}};
}

}  // namespace vitrum::test
