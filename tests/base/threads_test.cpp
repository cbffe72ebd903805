// SPDX-License-Identifier: Apache-2.0
#include "base/threads.h"

#include <gtest/gtest.h>

#include <chrono>

namespace vitrum {
namespace {

TEST(ThreadPool, RunsEveryItemOnce) {
    for (int const threads : {1, 2, 3, 8}) {
        ThreadPool pool(threads);
        EXPECT_EQ(pool.size(), threads);
        for (std::int64_t const items : {0, 1, 2, 7, 1000}) {
            std::vector<std::atomic<int>> runs(static_cast<std::size_t>(items));
            pool.parallel_for(items, [&](std::int64_t item, int worker) {
                EXPECT_TRUE(0 <= worker && worker < threads);
                ++runs[static_cast<std::size_t>(item)];
            });
            for (auto const& count : runs) EXPECT_EQ(count, 1);
        }
    }
}

TEST(ThreadPool, SurvivesManyGenerations) {
    ThreadPool pool(3);
    // Plain memory: a call must see all that the call before it wrote, whoever wrote it.
    std::vector<int> values(16);
    for (int generation = 0; generation < 2000; ++generation) {
        pool.parallel_for(16, [&](std::int64_t item, int) { ++values[static_cast<std::size_t>(item)]; });
    }
    EXPECT_EQ(values, std::vector<int>(16, 2000));
}

TEST(ThreadPool, WakesWorkersThatSleep) {
    ThreadPool pool(4);
    std::int64_t sum = 0;
    for (int round = 0; round < 5; ++round) {
        std::this_thread::sleep_for(std::chrono::milliseconds(3));  // longer than a worker spins
        std::vector<std::int64_t> parts(100);
        pool.parallel_for(100, [&](std::int64_t item, int) { parts[static_cast<std::size_t>(item)] = item; });
        for (std::int64_t const part : parts) sum += part;
    }
    EXPECT_EQ(sum, 5 * 4950);
}

TEST(ThreadPool, GivesEachWorkerItsOwnIndex) {
    ThreadPool pool(4);
    std::vector<int> scratch(4);  // unguarded: two workers with one index would race here
    pool.parallel_for(10000, [&](std::int64_t, int worker) { ++scratch[static_cast<std::size_t>(worker)]; });
    EXPECT_EQ(scratch[0] + scratch[1] + scratch[2] + scratch[3], 10000);
}

TEST(ThreadPool, LetsUnevenItemsBalance) {
    ThreadPool pool(2);
    std::atomic<int> others = 0;
    // The first item waits until somebody else has run all others.
    pool.parallel_for(50, [&](std::int64_t item, int) {
        if (item != 0) ++others;
        else
            while (others < 49) std::this_thread::yield();
    });
    EXPECT_EQ(others, 49);
}

TEST(ThreadPool, EndsWithoutHavingRun) {
    for (int i = 0; i < 50; ++i) ThreadPool const pool(3);
}

TEST(AvailableCores, IsAtLeastOne) {
    EXPECT_GE(available_cores(), 1);
}

}  // namespace
}  // namespace vitrum
