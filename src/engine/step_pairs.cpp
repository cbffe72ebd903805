// SPDX-License-Identifier: Apache-2.0
#include "step_pairs.h"

#include <algorithm>

namespace vitrum {
namespace {

Problem problem_of(Step const& step, Precision precision) {
    Problem problem;
    problem.precision = precision;
    for (Operand const& input : step.inputs) {
        bool const is = input.kind != Operand::Kind::absent;
        problem.inputs.push_back(is ? input.view.shape : Shape());
        problem.present.push_back(is);
    }
    for (Operand const& output : step.outputs) problem.outputs.push_back(output.view.shape);
    return problem;
}

/// Whether all that the step reads beside weights is that one value.
bool reads_alone(Step const& step, ValueId value) {
    for (std::size_t i = 0; i < step.inputs.size(); ++i) {
        if (step.inputs[i].kind == Operand::Kind::arena && step.node->inputs[i] != value) return false;
    }
    return true;
}

/// Whether the second step makes of the first one's output, in the same place, what others see of both. That nobody
/// else reads what lies between follows from the place: the arena gives it to the second's output only where it dies
/// there.
bool follows(Step const& first, Step const& second) {
    if (first.outputs.size() != 1 || second.outputs.size() != 1 || first.once != second.once) return false;
    Operand const &between = first.outputs.front(), &made = second.outputs.front();
    return reads_alone(first, first.node->inputs.front()) && reads_alone(second, first.node->outputs.front()) &&
           second.node->inputs.front() == first.node->outputs.front() && between.offset == made.offset &&
           between.view.shape == made.view.shape && between.view.strides == made.view.strides;
}

}  // namespace

void find_pairs(Program& program, Backend const& backend) {
    for (std::size_t i = 1; i < program.steps.size(); ++i) {
        Step &first = program.steps[i - 1], &second = program.steps[i];
        bool const is_second = i > 1 && program.steps[i - 2].pair.launch != nullptr;
        if (is_second || !follows(first, second)) continue;
        Problem const of_first = problem_of(first, program.precision),
                      of_second = problem_of(second, program.precision);
        first.pair =
            backend.pair({first.node->op, of_first, first.selection}, {second.node->op, of_second, second.selection});
    }
}

}  // namespace vitrum
