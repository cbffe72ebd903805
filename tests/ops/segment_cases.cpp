// SPDX-License-Identifier: Apache-2.0
// The cases of the operators of segmentation networks.
#include <algorithm>

#include "case_inputs.h"
#include "position_cases.h"
#include "query_cases.h"

namespace vitrum::test {

OpCase to_case(ResizeCase const& c) {
    return {.name = full_name<Resize>(c.name),
            .op = Resize{.height = c.to_h, .width = c.to_w},
            .inputs = {activation({c.n, c.h, c.w, c.c}), c.add ? activation({c.n, c.to_h, c.to_w, c.c}) : CaseInput{}}};
}

OpCase to_case(SinePositionCase const& c) {
    return {.name = full_name<SinePosition>(c.name),
            .op = SinePosition{.height = c.h, .width = c.w},
            .inputs = {vector(c.c, 0, 1)}};
}

OpCase to_case(AddPositionCase const& c) {
    return {.name = full_name<AddPosition>(c.name),
            .op = AddPosition{},
            .inputs = {activation({c.n, c.h, c.w, c.c}), activation({1, c.h, c.w, c.c})}};
}

OpCase to_case(TokensCase const& c) {
    return {.name = full_name<Tokens>(c.name), .op = Tokens{.batch = c.batch}, .inputs = {matrix({c.q, c.c}, 1)}};
}

OpCase to_case(QueryAttentionCase const& c) {
    using Op = QueryAttention;
    Shape const keys{c.n, c.h, c.w, c.c};
    std::vector<CaseInput> inputs(Op::kInputs);
    inputs[Op::kQueries] = activation({c.n, 1, c.q, c.c}, c.logits);
    inputs[Op::kKeys] = activation(keys);
    inputs[Op::kValues] = activation(keys);
    if (c.mask) inputs[Op::kMask] = {.shape = {c.n, c.h, c.w, c.q}, .mean = c.mask_mean};
    return {.name = full_name<Op>(c.name),
            .op = Op{.heads = c.heads},
            .inputs = std::move(inputs),
            .reduction = std::max<double>(c.c, c.h * c.w),
            .amplification = c.logits};  // softmax turns an absolute error of a logit into a relative one
}

OpCase to_case(QueryMasksCase const& c) {
    return {.name = full_name<QueryMasks>(c.name),
            .op = QueryMasks{},
            .inputs = {activation({c.n, c.h, c.w, c.c}), activation({c.n, 1, c.q, c.c})},
            .reduction = static_cast<double>(c.c)};
}

OpCase to_case(DeformableAttentionCase const& c) {
    using Op = DeformableAttention;
    Op const op{.heads = c.heads, .points = c.points};
    int const coarse_h = c.coarse_h > 0 ? c.coarse_h : c.h / c.scale;
    int const coarse_w = c.coarse_w > 0 ? c.coarse_w : c.w / c.scale;
    auto const value = [&](int factor) { return activation({c.n, coarse_h * factor, coarse_w * factor, c.c}); };
    std::vector<CaseInput> inputs(Op::kInputs);
    inputs[Op::kX] = activation({c.n, c.h, c.w, c.c});
    inputs[Op::kPosition] = activation({1, c.h, c.w, c.c});
    inputs[Op::kValue0] = value(1);
    inputs[Op::kValue1] = value(2);
    inputs[Op::kValue2] = value(4);
    // Zero weights but for the bias give whole offsets of a deviation of their own.
    inputs[Op::kOffsetWeight] = matrix({2 * op.samples(), c.c}, c.c);
    inputs[Op::kOffsetWeight].deviation *= c.offsets;
    inputs[Op::kOffsetBias] = vector(2 * op.samples(), 0, c.offsets);
    inputs[Op::kScoreWeight] = matrix({op.samples(), c.c}, c.c);
    inputs[Op::kScoreBias] = vector(op.samples(), 0, 0.5);
    inputs[Op::kProjWeight] = matrix({c.c, c.c}, c.c);
    inputs[Op::kProjBias] = vector(c.c, 0, 0.5);
    inputs[Op::kNormWeight] = vector(c.c, 1, 0.3);
    inputs[Op::kNormBias] = vector(c.c, 0, 0.3);
    // An error of an offset counts in pixels, and so grows with the offset.
    return {.name = full_name<Op>(c.name),
            .op = op,
            .inputs = std::move(inputs),
            .reduction = static_cast<double>(c.c),
            .amplification = std::max(1.0, c.offsets)};
}

}  // namespace vitrum::test
