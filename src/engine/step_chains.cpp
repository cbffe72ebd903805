// SPDX-License-Identifier: Apache-2.0
#include "step_chains.h"

#include <algorithm>
#include <iterator>

#include "base/check.h"

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
    if (first.outputs.size() != 1 || second.outputs.size() != 1 || first.once || second.once) return false;
    Operand const &between = first.outputs.front(), &made = second.outputs.front();
    return reads_alone(first, first.node->inputs.front()) && reads_alone(second, first.node->outputs.front()) &&
           second.node->inputs.front() == first.node->outputs.front() && between.offset == made.offset &&
           between.view.shape == made.view.shape && between.view.strides == made.view.strides;
}

/// The backend's kernel for steps from the first of these on.
ChainKernel kernel_for(std::span<Step const> steps, Precision precision, Backend const& backend) {
    std::vector<Problem> problems;
    for (Step const& step : steps) problems.push_back(problem_of(step, precision));
    std::vector<Chosen> chosen;
    for (std::size_t i = 0; i < steps.size(); ++i) {
        chosen.push_back({steps[i].node->op, problems[i], steps[i].selection});
    }
    ChainKernel const kernel = backend.chain(chosen);
    VITRUM_ASSERT(kernel.steps != 1 && kernel.steps <= std::min(steps.size(), ChainKernel::kMostSteps));
    return kernel;
}

/// The needs of steps that one kernel does, of which the first is that number of the run.
void join_needs(std::span<Step> steps, std::size_t number) {
    std::vector<std::size_t> all;
    for (Step& step : steps) {
        std::ranges::copy_if(step.needs, std::back_inserter(all), [&](std::size_t need) { return need < number; });
        step.needs = {number};
    }
    std::ranges::sort(all, std::ranges::greater());
    all.erase(std::unique(all.begin(), all.end()), all.end());  // clang 14 lacks the newer one
    steps.front().needs = std::move(all);
}

}  // namespace

void find_chains(Program& program, Backend const& backend, std::size_t whole) {
    std::span<Step> const steps(program.steps.data(), whole);
    std::size_t number = 0;  // of the steps of a run
    for (std::size_t first = 0; first < whole;) {
        std::size_t end = first + 1;
        while (end < whole && follows(steps[end - 1], steps[end])) ++end;
        auto const run = steps.subspan(first, end - first);
        if (run.size() > 1) run.front().chain = kernel_for(run, program.precision, backend);
        std::size_t const done = std::max<std::size_t>(run.front().chain.steps, 1);
        if (done > 1 && backend.memory() != nullptr) join_needs(run.first(done), number);
        if (!run.front().once) number += done;
        first += done;
    }
}

}  // namespace vitrum
