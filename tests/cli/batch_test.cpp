// SPDX-License-Identifier: Apache-2.0
#include "batch.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <latch>
#include <new>
#include <sstream>

#include "vitrum/error.h"

namespace vitrum::cli {
namespace {

namespace fs = std::filesystem;

struct Printed {
    std::string out, err;
    int exit_code = 0;
};

Printed run(BatchTask const& task, BatchOptions const& options, std::vector<Job> const& jobs) {
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    int const exit_code = run_batch(task, options, jobs);
    return {testing::internal::GetCapturedStdout(), testing::internal::GetCapturedStderr(), exit_code};
}

int count(std::string const& text, std::string const& part) {
    int found = 0;
    for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
    return found;
}

constexpr std::uint64_t kRoom = 1 << 20;

/// Says of every picture that some of its runs were made again.
class RepeatingTask final : public BatchTask {
public:
    explicit RepeatingTask(Reruns reruns) : reruns_(reruns) {}
    [[nodiscard]] Compute read(Job const&) const override {
        return [this](int, Progress const&) -> Write {
            return [this] { return JobReport{"a line", {}, Json::object(), reruns_}; };
        };
    }
    [[nodiscard]] std::string done_word() const override { return "done"; }

private:
    Reruns reruns_;
};

TEST(Batch, RunsThatWereMadeAgainAreWarnedOfOnceAndToldWithEachPicture) {
    auto const run_two = [](Reruns reruns, BatchOptions const& options) {
        return run(RepeatingTask(reruns), options, {{"a.png", "b.png"}, {"c.png", "d.png"}});
    };
    std::string const text = run_two({2, 0}, {}).err;
    EXPECT_EQ(count(text, "warning"), 1) << text;
    EXPECT_EQ(count(text, "a line, 2 runs again in tf32"), 2) << text;

    Printed const json = run_two({2, 1}, {.json = true});
    EXPECT_EQ(count(json.out, R"("run_again":{"tf32":2,"fp32":1})"), 2) << json.out;
    EXPECT_EQ(count(json.err, "warning"), 1) << json.err;
    EXPECT_EQ(count(run_two({1, 0}, {.quiet = true}).err, "warning"), 1) << "quiet is about progress";
    EXPECT_EQ(count(run_two({}, {}).err, "warning"), 0);
}

/// Fails where the input's name says so.
class FailingTask final : public BatchTask {
public:
    [[nodiscard]] Compute read(Job const& job) const override {
        std::string const name = job.input.string();
        fail_in("read", name);
        return [this, name](int, Progress const& progress) -> Write {
            static_cast<void>(progress(0.5));
            fail_in("compute", name);
            return [this, name] {
                fail_in("write", name);
                return JobReport{"made of " + name, {}, Json::object()};
            };
        };
    }
    [[nodiscard]] std::string done_word() const override { return "made"; }

private:
    static void fail_in(std::string const& stage, std::string const& name) {
        if (name.starts_with(stage)) throw Error("cannot " + stage);
        if (name.starts_with("memory in " + stage)) throw std::bad_alloc();
        if (name.starts_with("bug in " + stage)) throw std::logic_error("a bug");
    }
};

TEST(Batch, ReportsEachInputInItsTurnWhereverOthersFail) {
    std::vector<Job> const jobs = {{"a", "1"},         {"read b", "2"},  {"c", "3"},
                                   {"compute d", "4"}, {"write e", "5"}, {"f", "6"}};
    for (BatchOptions const& options : {BatchOptions{}, BatchOptions{.threads = 4, .lanes = 3, .most_bytes = kRoom}}) {
        Printed const printed = run(FailingTask(), options, jobs);
        EXPECT_EQ(printed.exit_code, 1);
        EXPECT_EQ(printed.err,
                  "made of a, 0.0 s\nvitrum: read b: cannot read\nmade of c, 0.0 s\nvitrum: compute d: cannot compute\n"
                  "vitrum: write e: cannot write\nmade of f, 0.0 s\n3 made, 0 skipped, 3 failed\n");
    }
}

TEST(Batch, MissingMemoryIsTheGraverFailureInEveryStage) {
    for (char const* const stage : {"read", "compute", "write"}) {
        std::vector<Job> const jobs = {{"read a", "1"}, {std::string("memory in ") + stage, "2"}, {"write c", "3"}};
        EXPECT_EQ(run(FailingTask(), {.most_bytes = kRoom}, jobs).exit_code, 4) << stage;
    }
}

TEST(Batch, ABugEndsIt) {
    for (char const* const stage : {"read", "compute", "write"}) {
        std::vector<Job> const jobs = {{"a", "1"}, {std::string("bug in ") + stage, "2"}, {"c", "3"}};
        EXPECT_THROW(static_cast<void>(run_batch(FailingTask(), {.quiet = true, .most_bytes = kRoom}, jobs)),
                     std::logic_error);
    }
}

TEST(Batch, SkipsInItsTurnWhatIsThere) {
    fs::path const there = fs::temp_directory_path() / ("vitrum_batch_test_" + std::to_string(getpid()));
    std::ofstream(there) << "x";
    BatchOptions const options{.skip_existing = true, .json = true, .most_bytes = kRoom};
    Printed const printed = run(FailingTask(), options, {{"a", "none"}, {"read b", there}, {"c", "none"}});
    fs::remove(there);
    EXPECT_EQ(printed.exit_code, 0);
    std::istringstream lines(printed.out);
    std::string states;
    for (std::string line; std::getline(lines, line);) states += Json::parse(line)["status"].get<std::string>() + " ";
    EXPECT_EQ(states, "done skipped done ");
}

/// Three inputs that wait for each other, each in another stage.
class MeetingTask final : public BatchTask {
public:
    [[nodiscard]] Compute read(Job const& job) const override {
        if (job.input == "c") met_.arrive_and_wait();
        return [this, job](int, Progress const&) -> Write {
            if (job.input == "b") met_.arrive_and_wait();
            return [this, job] {
                if (job.input == "a") met_.arrive_and_wait();
                return JobReport{"", {}, Json::object()};
            };
        };
    }
    [[nodiscard]] std::string done_word() const override { return "met"; }

private:
    mutable std::latch met_{3};
};

TEST(Batch, ReadsAndWritesWhileItComputes) {
    Printed const printed = run(MeetingTask(), {.most_bytes = kRoom}, {{"a", "1"}, {"b", "2"}, {"c", "3"}});
    EXPECT_EQ(printed.exit_code, 0);
}

/// Counts the inputs between reading and writing.
class CountingTask final : public BatchTask {
public:
    [[nodiscard]] Compute read(Job const&) const override {
        most_ = std::max(most_.load(), ++held_);
        return [this](int, Progress const&) -> Write {
            return [this] {
                --held_;
                return JobReport{"", {}, Json::object()};
            };
        };
    }
    [[nodiscard]] std::string done_word() const override { return "counted"; }
    [[nodiscard]] int most() const { return most_; }

private:
    mutable std::atomic<int> held_ = 0, most_ = 0;
};

TEST(Batch, OneAfterTheOtherWhereNothingMayBeHeldBeside) {
    CountingTask const task;
    std::vector<Job> const jobs(30, {"a", "b", 10, 10});
    static_cast<void>(
        run(task, {.quiet = true, .threads = 4, .lanes = 2, .bytes_per_pixel = 6, .most_bytes = 0}, jobs));
    EXPECT_EQ(task.most(), 1);
}

}  // namespace
}  // namespace vitrum::cli
