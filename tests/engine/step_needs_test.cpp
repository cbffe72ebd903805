// SPDX-License-Identifier: Apache-2.0
#include "step_needs.h"

#include <gtest/gtest.h>

#include <random>

#include "precedence.h"

namespace vitrum {
namespace {

Operand floats_at(std::size_t offset, std::int64_t count) {
    return {Operand::Kind::arena, nhwc_view(nullptr, {1, 1, 1, count}, count), offset};
}

/// Reads and writes sixteen floats at these places.
Step step_on(std::vector<std::size_t> const& reads, std::vector<std::size_t> const& writes) {
    Step step;
    for (std::size_t const at : reads) step.inputs.push_back(floats_at(at, 16));
    for (std::size_t const at : writes) step.outputs.push_back(floats_at(at, 16));
    return step;
}

using Needs = std::vector<std::size_t>;

TEST(StepNeeds, AreWhatOthersWrote) {
    Program program;
    program.steps = {step_on({}, {0}), step_on({0}, {64}), step_on({0}, {128}), step_on({64, 128}, {192})};
    find_needs(program);
    EXPECT_EQ(program.steps[0].needs, Needs{});
    EXPECT_EQ(program.steps[1].needs, Needs{0});
    EXPECT_EQ(program.steps[2].needs, Needs{0}) << "the second branch waits for the first";
    EXPECT_EQ(program.steps[3].needs, (Needs{2, 1}));
    EXPECT_EQ(program.last_steps, Needs{3});
}

TEST(StepNeeds, AreWhoeverStillReadsOrWritesMemoryThatIsGivenOn) {
    Program program;
    program.steps = {step_on({0}, {64}), step_on({128}, {32}), step_on({192}, {64})};
    find_needs(program);
    EXPECT_EQ(program.steps[1].needs, Needs{0});
    EXPECT_EQ(program.steps[2].needs, Needs{1}) << "writes half of what the second wrote, and all of the first's";
    EXPECT_EQ(program.last_steps, Needs{2});
}

TEST(StepNeeds, KnowWorkspaces) {
    Program program;
    program.steps = {step_on({0}, {64}), step_on({128}, {192})};
    program.steps[0].selection.workspace_bytes = 4;
    program.steps[0].workspace_offset = 192 + 60;
    find_needs(program);
    EXPECT_EQ(program.steps[1].needs, Needs{0});
}

TEST(StepNeeds, CountWithoutWhatIsDoneOnce) {
    Program program;
    program.steps = {step_on({}, {0}), step_on({}, {64}), step_on({64, 0}, {128}), step_on({128}, {192})};
    program.steps[0].once = program.steps[1].once = true;
    find_needs(program);
    EXPECT_EQ(program.steps[2].needs, Needs{});
    EXPECT_EQ(program.steps[3].needs, Needs{0});
    EXPECT_EQ(program.last_steps, Needs{1});
}

bool meet(std::vector<Operand> const& a, std::vector<Operand> const& b) {
    for (Operand const& x : a) {
        for (Operand const& y : b) {
            if (x.offset < y.offset + 64 && y.offset < x.offset + 64) return true;
        }
    }
    return false;
}

TEST(StepNeeds, PutAllThatMeetInOrderAndNothingTwice) {
    std::mt19937 random(3);
    for (int round = 0; round < 50; ++round) {
        Program program;
        auto const place = [&] { return random() % 40 * 32; };
        for (int i = 0; i < 70; ++i) program.steps.push_back(step_on({place(), place()}, {place()}));
        find_needs(program);
        Precedence order(program.steps.size());
        for (std::size_t later = 0; later < program.steps.size(); ++later) {
            Step const& step = program.steps[later];
            for (std::size_t const needed : step.needs) {
                EXPECT_FALSE(order.precedes(needed, later)) << "waits for " << needed << " twice";
                order.order(needed, later);
            }
            for (std::size_t earlier = 0; earlier < later; ++earlier) {
                Step const& other = program.steps[earlier];
                bool const collide = meet(step.outputs, other.outputs) || meet(step.outputs, other.inputs) ||
                                     meet(step.inputs, other.outputs);
                EXPECT_TRUE(!collide || order.precedes(earlier, later)) << earlier << " and " << later;
            }
        }
    }
}

}  // namespace
}  // namespace vitrum
