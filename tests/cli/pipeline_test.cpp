// SPDX-License-Identifier: Apache-2.0
#include "pipeline.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace vitrum::cli {
namespace {

using Bytes = std::vector<std::uint64_t>;

void nothing(std::size_t) {}
void compute_nothing(std::size_t, int) {}
void report_nothing(std::size_t, std::exception_ptr const&) {}

std::string text_of(std::exception_ptr const& failure) {
    if (!failure) return "";
    try {
        std::rethrow_exception(failure);
    } catch (std::exception const& error) {
        return error.what();
    }
}

/// Keeps a stage busy for a time that differs from job to job.
void take_time(std::size_t job) {
    std::this_thread::sleep_for(std::chrono::microseconds(job * 7919 % 500));
}

TEST(Pipeline, ReportsInOrderWhatWentThroughAllStages) {
    constexpr std::size_t kJobs = 200;
    std::vector<int> done(kJobs, 0);
    std::vector<std::size_t> reported;
    PipelineStages const stages{.read =
                                    [&](std::size_t job) {
                                        take_time(job);
                                        done[job] = 1;
                                    },
                                .compute =
                                    [&](std::size_t job, int) {
                                        take_time(job + 1);
                                        done[job] = done[job] * 10 + 2;
                                    },
                                .write =
                                    [&](std::size_t job) {
                                        take_time(job + 2);
                                        done[job] = done[job] * 10 + 3;
                                    },
                                .report =
                                    [&](std::size_t job, std::exception_ptr const& failure) {
                                        EXPECT_EQ(done[job], 123);
                                        EXPECT_FALSE(failure);
                                        reported.push_back(job);
                                    }};
    run_pipeline(Bytes(kJobs, 1), stages, {.readers = 3, .lanes = 2, .writers = 4, .jobs = 16});
    ASSERT_EQ(reported.size(), kJobs);
    for (std::size_t i = 0; i < kJobs; ++i) EXPECT_EQ(reported[i], i);
}

TEST(Pipeline, NoJobsAreNothingToDo) {
    run_pipeline({}, {nothing, compute_nothing, nothing, report_nothing}, {});
}

/// Three jobs, each in another stage, each waiting for the others: without overlap this never ends.
TEST(Pipeline, StagesOfDifferentJobsRunAtTheSameTime) {
    std::latch all_three(3);
    auto const meet_in = [&](std::size_t mine) {
        return [&, mine](std::size_t job) {
            if (job == mine) all_three.arrive_and_wait();
        };
    };
    auto const compute = meet_in(1);
    run_pipeline(Bytes(3, 1), {meet_in(2), [&](std::size_t job, int) { compute(job); }, meet_in(0), report_nothing},
                 {.jobs = 3});
}

TEST(Pipeline, LanesComputeSideBySideAndEachOneJobAtATime) {
    constexpr int kLanes = 3;
    std::latch all_lanes(kLanes);
    std::vector<std::atomic<int>> inside(kLanes);
    std::atomic<bool> shared = false;
    auto const compute = [&](std::size_t job, int lane) {
        auto& mine = inside[static_cast<std::size_t>(lane)];
        if (++mine > 1) shared = true;
        if (job < kLanes) all_lanes.arrive_and_wait();
        take_time(job);
        --mine;
    };
    run_pipeline(Bytes(60, 1), {nothing, compute, nothing, report_nothing}, {.lanes = kLanes, .jobs = 8});
    EXPECT_FALSE(shared);
}

/// The most jobs and bytes that were read and not reported at any time.
struct Most {
    std::size_t jobs = 0;
    std::uint64_t bytes = 0;
};
Most most_under_way(Bytes const& bytes, PipelineLimits const& limits) {
    std::mutex mutex;
    Most now, most;
    auto const read = [&](std::size_t job) {
        std::scoped_lock const lock(mutex);
        ++now.jobs;
        now.bytes += bytes[job];
        most = {std::max(most.jobs, now.jobs), std::max(most.bytes, now.bytes)};
    };
    auto const report = [&](std::size_t job, std::exception_ptr const&) {
        take_time(job);
        std::scoped_lock const lock(mutex);
        --now.jobs;
        now.bytes -= bytes[job];
    };
    run_pipeline(bytes, {read, compute_nothing, nothing, report}, limits);
    return most;
}

TEST(Pipeline, HoldsNoMoreThanItMay) {
    PipelineLimits limits{.readers = 4, .lanes = 2, .writers = 4, .jobs = 5};
    EXPECT_LE(most_under_way(Bytes(100, 1), limits).jobs, 5U);
    limits.jobs = 1;
    EXPECT_EQ(most_under_way(Bytes(100, 1), limits).jobs, 1U);
    limits = {.readers = 4, .writers = 4, .jobs = 50, .bytes = 30};
    EXPECT_LE(most_under_way(Bytes(100, 7), limits).bytes, 28U);
    Most const one_large = most_under_way({10, 10, 99, 10, 10}, limits);
    EXPECT_EQ(one_large.bytes, 99U) << "what is larger than the limit goes alone";
}

TEST(Pipeline, AFailureSkipsTheStagesThatAreLeftOfItsJobAlone) {
    std::vector<std::string> stages_of(4);
    auto const stage = [&](std::size_t failing, char const* name) {
        return [&, failing, name](std::size_t job) {
            stages_of[job] += name;
            if (job == failing) throw std::runtime_error(std::string("in ") + name);
        };
    };
    auto const compute = stage(1, "c");
    std::vector<std::string> reports;
    run_pipeline(Bytes(4, 1),
                 {stage(0, "r"), [&](std::size_t job, int) { compute(job); }, stage(2, "w"),
                  [&](std::size_t, std::exception_ptr const& failure) { reports.push_back(text_of(failure)); }},
                 {.jobs = 4});
    EXPECT_EQ(stages_of, (std::vector<std::string>{"r", "rc", "rcw", "rcw"}));
    EXPECT_EQ(reports, (std::vector<std::string>{"in r", "in c", "in w", ""}));
}

TEST(Pipeline, AReportThatThrowsEndsIt) {
    std::atomic<int> computed = 0;
    auto const compute = [&](std::size_t job, int) {
        take_time(job);
        ++computed;
    };
    auto const report = [](std::size_t job, std::exception_ptr const&) {
        if (job == 2) throw std::runtime_error("enough");
    };
    EXPECT_THROW(run_pipeline(Bytes(1000, 1), {nothing, compute, nothing, report}, {.lanes = 2, .jobs = 4}),
                 std::runtime_error);
    EXPECT_LT(computed, 20);
}

}  // namespace
}  // namespace vitrum::cli
