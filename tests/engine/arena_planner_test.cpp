// SPDX-License-Identifier: Apache-2.0
#include "arena_planner.h"

#include <gtest/gtest.h>

#include <random>

namespace vitrum {
namespace {

void expect_no_overlap(std::vector<ArenaBlock> const& blocks, ArenaPlan const& plan) {
    for (std::size_t a = 0; a < blocks.size(); ++a) {
        EXPECT_EQ(plan.offsets[a] % 64, 0U);
        EXPECT_LE(plan.offsets[a] + blocks[a].bytes, plan.bytes);
        for (std::size_t b = 0; b < a; ++b) {
            bool const together = blocks[a].first <= blocks[b].last && blocks[b].first <= blocks[a].last;
            bool const apart = plan.offsets[a] + blocks[a].bytes <= plan.offsets[b] ||
                               plan.offsets[b] + blocks[b].bytes <= plan.offsets[a];
            EXPECT_TRUE(!together || apart || blocks[a].bytes == 0 || blocks[b].bytes == 0) << a << " and " << b;
        }
    }
}

TEST(ArenaPlanner, GivesOnePlaceToBlocksThatNeverMeet) {
    EXPECT_EQ(plan_arena({{640, 0, 1}, {640, 2, 3}, {640, 4, 5}}).bytes, 640U);
}

TEST(ArenaPlanner, KeepsBlocksOfNeighbouringStepsApart) {
    // A step's output lives while its input is still read: lifetimes are inclusive.
    EXPECT_EQ(plan_arena({{64, 0, 1}, {64, 1, 2}}).bytes, 128U);
}

TEST(ArenaPlanner, ReachesTheLowerBoundOnAChain) {
    std::vector<ArenaBlock> chain;
    for (int step = 0; step < 40; ++step) chain.push_back({1024, step, step + 1});
    EXPECT_EQ(plan_arena(chain).bytes, 2048U);
}

TEST(ArenaPlanner, TakesNothingForNothing) {
    EXPECT_EQ(plan_arena({}).bytes, 0U);
}

TEST(ArenaPlanner, NeverOverlapsOnRandomPrograms) {
    std::mt19937 random(7);
    for (int round = 0; round < 50; ++round) {
        std::vector<ArenaBlock> blocks;
        for (int i = 0; i < 40; ++i) {
            int const first = static_cast<int>(random() % 60);
            blocks.push_back({random() % 5000, first, first + static_cast<int>(random() % 10)});
        }
        expect_no_overlap(blocks, plan_arena(blocks));
    }
}

constexpr int kRest = 8;

TEST(ArenaPlanner, LetsMemoryRestBetweenStepsThatMayRunSideBySide) {
    Precedence const apart(20);
    EXPECT_EQ(plan_arena({{640, 0, 1, {0, 1}}, {640, 2, 3, {2, 3}}}, apart, kRest).bytes, 1280U);
    EXPECT_EQ(plan_arena({{640, 0, 1, {0, 1}}, {640, 9, 10, {9, 10}}}, apart, kRest).bytes, 1280U);
    EXPECT_EQ(plan_arena({{640, 0, 1, {0, 1}}, {640, 10, 11, {10, 11}}}, apart, kRest).bytes, 640U);
}

TEST(ArenaPlanner, LetsMemoryRestWhereOneOfItsUsersMayStillRun) {
    std::vector<ArenaBlock> const blocks{{640, 0, 2, {0, 1, 2}}, {640, 3, 4, {3, 4}}};
    Precedence order(5);
    for (std::size_t const user : {0U, 2U}) order.order(user, 3);
    EXPECT_EQ(plan_arena(blocks, order, kRest).bytes, 1280U);
    order.order(1, 3);
    EXPECT_EQ(plan_arena(blocks, order, kRest).bytes, 640U);
}

TEST(ArenaPlanner, TakesNoMoreForAChainWhoseStepsMayRunSideBySide) {
    std::vector<ArenaBlock> chain;
    Precedence order(41);
    for (int step = 0; step < 40; ++step) {
        chain.push_back({1024, step, step + 1, {step, step + 1}});
        order.order(static_cast<std::size_t>(step), static_cast<std::size_t>(step) + 1);
    }
    EXPECT_EQ(plan_arena(chain, order, kRest).bytes, 2048U);
}

TEST(ArenaPlanner, KeepsApartWhatLivesTogetherWhereStepsRunSideBySide) {
    std::mt19937 random(8);
    for (int round = 0; round < 50; ++round) {
        Precedence order(80);
        for (std::size_t later = 1; later < 80; ++later) order.order(random() % later, later);
        std::vector<ArenaBlock> blocks;
        for (int i = 0; i < 40; ++i) {
            int const first = static_cast<int>(random() % 60), last = first + static_cast<int>(random() % 10);
            blocks.push_back({random() % 5000, first, last, {first, last}});
        }
        expect_no_overlap(blocks, plan_arena(blocks, order, kRest));
    }
}

}  // namespace
}  // namespace vitrum
