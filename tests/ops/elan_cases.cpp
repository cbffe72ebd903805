// SPDX-License-Identifier: Apache-2.0
#include "elan_cases.h"

#include <algorithm>

#include "case_inputs.h"

namespace vitrum::test {

OpCase to_case(ShiftMlpCase const& c) {
    using Op = ShiftMlp;
    Shape const shape{c.n, c.h, c.w, c.c};
    std::vector<CaseInput> inputs(Op::kInputs);
    inputs[Op::kX] = activation(shape, c.stream);
    inputs[Op::kFc1Weight] = matrix({c.hidden, c.c}, c.c);
    inputs[Op::kFc1Bias] = vector(c.hidden, 0, 0.5);
    inputs[Op::kFc2Weight] = matrix({c.c, c.hidden}, c.hidden);
    inputs[Op::kFc2Bias] = vector(c.c, 0, 0.5);
    inputs[Op::kResidual] = residual(c.residual, shape, Op::kX, c.stream);
    return {.name = full_name<Op>(c.name),
            .op = Op{},
            .inputs = std::move(inputs),
            .reduction = static_cast<double>(std::max(c.c, c.hidden))};
}

OpCase to_case(GroupWindowAttentionCase const& c) {
    using Op = GroupWindowAttention;
    Shape const shape{c.n, c.h, c.w, c.c};
    // A logit is a sum of C/3 products of two normal values: the query's deviation decides about its own.
    double const dim = static_cast<double>(c.c) / Op::kGroups;
    double const query = std::sqrt(c.logits / std::sqrt(dim));
    std::vector<CaseInput> inputs(Op::kInputs);
    inputs[Op::kX] = activation(shape, c.query ? 1 : query);
    inputs[Op::kInWeight] = matrix({c.query ? c.c : 2 * c.c, c.c}, c.c);
    inputs[Op::kInBias] = vector(c.query ? c.c : 2 * c.c, 0, 0.3);
    inputs[Op::kOutWeight] = matrix({c.c, c.c}, c.c);
    inputs[Op::kOutBias] = vector(c.c, 0, 0.5);
    if (c.query) inputs[Op::kQuery] = activation(shape, query);
    inputs[Op::kResidual] = residual(c.residual, shape, Op::kX, c.stream);
    int const window = *std::max_element(c.windows.begin(), c.windows.end());
    return {.name = full_name<Op>(c.name),
            .op = Op{.windows = c.windows, .shifted = c.shifted},
            .inputs = std::move(inputs),
            .reduction = std::max<double>(c.c, window * window),
            // softmax turns an absolute error of a logit into a relative one; a query's logit with itself is larger
            // than with others by the root of the channels.
            .amplification = std::max(1.0, c.logits) * std::max(1.0, std::sqrt(dim) / 2)};
}

}  // namespace vitrum::test
