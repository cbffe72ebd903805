// SPDX-License-Identifier: Apache-2.0
#include "pipeline.h"

#include <array>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace vitrum::cli {
namespace {

enum Stage : std::size_t { kRead, kCompute, kWrite, kReport };

class Pipeline {
public:
    Pipeline(std::span<std::uint64_t const> bytes, PipelineStages const& stages, PipelineLimits const& limits)
        : bytes_(bytes), stages_(stages), limits_(limits), jobs_(bytes.size()) {}

    void run() {
        std::vector<std::jthread> threads;
        auto const start = [&](Stage stage, int count) {
            for (int worker = 0; worker < count; ++worker) {
                threads.emplace_back([=, this](std::stop_token const& stop) { work(stop, stage, worker); });
            }
        };
        start(kRead, limits_.readers);
        start(kCompute, limits_.lanes);
        start(kWrite, limits_.writers);
        try {
            while (reported_ < jobs_.size()) report_next();
        } catch (...) {
            for (std::jthread& thread : threads) thread.request_stop();  // all, before the first is joined
            throw;
        }
    }

private:
    struct Job {
        Stage stage = kRead;  ///< it is in, or waits for
        bool waits = true;
        std::exception_ptr failure;
    };

    /// The first job that waits for a stage. The lock is held.
    [[nodiscard]] std::optional<std::size_t> waiting_for(Stage stage) const {
        if (stage == kRead) return may_begin() ? std::optional(begun_) : std::nullopt;
        for (std::size_t job = reported_; job < begun_; ++job) {
            if (jobs_[job].stage == stage && jobs_[job].waits) return job;
        }
        return std::nullopt;
    }
    [[nodiscard]] bool may_begin() const {
        if (begun_ == jobs_.size()) return false;
        bool const fits = begun_ - reported_ < limits_.jobs && bytes_held_ + bytes_[begun_] <= limits_.bytes;
        return fits || begun_ == reported_;
    }

    void work(std::stop_token const& stop, Stage stage, int worker) {
        for (std::unique_lock lock(mutex_);;) {
            std::optional<std::size_t> job;
            changed_[stage].wait(lock, stop, [&] { return (job = waiting_for(stage)).has_value(); });
            if (stop.stop_requested()) return;
            jobs_[*job].waits = false;
            if (stage == kRead) bytes_held_ += bytes_[begun_++];
            lock.unlock();
            std::exception_ptr failure;
            try {
                run_stage(stage, *job, worker);
            } catch (...) {
                failure = std::current_exception();
            }
            lock.lock();
            Stage const next = failure ? kReport : static_cast<Stage>(stage + 1);
            jobs_[*job] = {next, true, std::move(failure)};
            changed_[next].notify_one();
        }
    }

    void run_stage(Stage stage, std::size_t job, int worker) const {
        if (stage == kRead) stages_.read(job);
        else if (stage == kCompute) stages_.compute(job, worker);
        else stages_.write(job);
    }

    void report_next() {
        std::unique_lock lock(mutex_);
        Job& job = jobs_[reported_];
        changed_[kReport].wait(lock, [&] { return job.stage == kReport; });
        std::exception_ptr const failure = std::exchange(job.failure, nullptr);
        lock.unlock();
        stages_.report(reported_, failure);
        lock.lock();
        bytes_held_ -= bytes_[reported_++];
        changed_[kRead].notify_all();
    }

    std::span<std::uint64_t const> bytes_;
    PipelineStages const& stages_;
    PipelineLimits const& limits_;
    std::mutex mutex_;                                    ///< of everything below
    std::array<std::condition_variable_any, 4> changed_;  ///< a job waits for that stage
    std::vector<Job> jobs_;
    std::size_t begun_ = 0, reported_ = 0;  ///< of the jobs, which do both in their order
    std::uint64_t bytes_held_ = 0;
};

}  // namespace

void run_pipeline(std::span<std::uint64_t const> bytes, PipelineStages const& stages, PipelineLimits const& limits) {
    Pipeline(bytes, stages, limits).run();
}

}  // namespace vitrum::cli
