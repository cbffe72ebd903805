// SPDX-License-Identifier: Apache-2.0
#include "step_needs.h"

#include <algorithm>

#include "precedence.h"

namespace vitrum {
namespace {

/// Bytes [begin, end) of the arena.
struct MemoryRange {
    std::size_t begin = 0, end = 0;
};

/// What a step touches.
struct StepMemory {
    std::vector<MemoryRange> reads, writes;

    explicit StepMemory(Step const& step) {
        for (Operand const& input : step.inputs) add(reads, input);
        for (Operand const& output : step.outputs) add(writes, output);
        add(writes, step.workspace_offset, step.selection.workspace_bytes);
    }

private:
    static void add(std::vector<MemoryRange>& ranges, Operand const& operand) {
        if (operand.kind != Operand::Kind::arena) return;
        TensorView const& view = operand.view;
        auto const count = static_cast<std::size_t>(view.shape.rank() == 0 ? 1 : view.shape[0] * view.strides[0]);
        add(ranges, operand.offset, count * size_of(view.dtype));
    }
    static void add(std::vector<MemoryRange>& ranges, std::size_t begin, std::size_t bytes) {
        if (bytes > 0) ranges.push_back({begin, begin + bytes});
    }
};

bool meet(std::vector<MemoryRange> const& a, std::vector<MemoryRange> const& b) {
    return std::ranges::any_of(a, [&](MemoryRange const& x) {
        return std::ranges::any_of(b, [&](MemoryRange const& y) { return x.begin < y.end && y.begin < x.end; });
    });
}

bool collide(StepMemory const& a, StepMemory const& b) {
    return meet(a.writes, b.writes) || meet(a.writes, b.reads) || meet(a.reads, b.writes);
}

}  // namespace

void find_needs(Program& program) {
    std::vector<Step*> steps;
    std::vector<StepMemory> memory;
    for (Step& step : program.steps) {
        if (step.once) continue;
        steps.push_back(&step);
        memory.emplace_back(step);
    }
    Precedence order(steps.size());
    std::vector<bool> is_last(steps.size(), true);
    for (std::size_t step = 0; step < steps.size(); ++step) {
        for (std::size_t earlier = step; earlier-- > 0;) {
            if (order.precedes(earlier, step) || !collide(memory[step], memory[earlier])) continue;
            steps[step]->needs.push_back(earlier);
            order.order(earlier, step);
            is_last[earlier] = false;
        }
    }
    program.is_chain = true;
    for (std::size_t step = 0; step < steps.size(); ++step) {
        if (is_last[step]) program.last_steps.push_back(step);
        auto const& needs = steps[step]->needs;
        program.is_chain &= step == 0 || (needs.size() == 1 && needs.front() == step - 1);
    }
}

}  // namespace vitrum
