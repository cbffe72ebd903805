// SPDX-License-Identifier: Apache-2.0
#include "batch.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <utility>

#include "model_options.h"
#include "pipeline.h"
#include "progress.h"
#include "vitrum/error.h"

namespace vitrum::cli {
namespace {

namespace fs = std::filesystem;

class Batch {
public:
    Batch(BatchTask const& task, BatchOptions const& options, std::vector<Job> const& jobs)
        : task_(task),
          options_(options),
          jobs_(jobs),
          places_(jobs.size()),
          progress_(progress_style(options.json, options.quiet)) {
        for (Job const& job : jobs) all_weights_ += weight_of(job);
    }

    int run();

private:
    /// Where a job stands.
    struct Place {
        BatchTask::Compute compute;
        BatchTask::Write write;
        JobReport report;
        bool is_skipped = false;
        double seconds = 0;   ///< of its own stages
        double fraction = 0;  ///< computed
    };

    /// Pixels: what the time is spent on. No picture counts for one; reading it will fail, and be reported.
    static double weight_of(Job const& job) {
        return static_cast<double>(std::max<std::int64_t>(1, job.height * job.width));
    }
    [[nodiscard]] PipelineLimits limits() const;

    void read(std::size_t index);
    void compute(std::size_t index, int lane);
    void write(std::size_t index);
    void report(std::size_t index, std::exception_ptr const& failure);

    void show_progress(std::size_t index, double fraction);
    void report_done(Job const& job, Place const& place);
    void report_skipped(Job const& job);
    void report_failure(Job const& job, Error const& error);
    void warn_of_reruns();
    void note(std::string const& line) {
        if (!options_.quiet) progress_.print(line);
    }
    [[nodiscard]] std::string title(std::size_t index) const {
        std::string const name = jobs_[index].input.filename().string();
        return jobs_.size() == 1 ? name : fmt::format("{}/{} {}", index + 1, jobs_.size(), name);
    }

    BatchTask const& task_;
    BatchOptions const& options_;
    std::vector<Job> const& jobs_;
    std::vector<Place> places_;
    double all_weights_ = 0;
    std::mutex mutex_;  ///< of done_weights_ and fractions, which all lanes tell
    double done_weights_ = 0;
    ProgressLine progress_;
    int done_ = 0, skipped_ = 0, failed_ = 0;
    bool has_warned_ = false;
    int exit_code_ = 0;
};

/// Adds the time until it is left.
class StopWatch {
public:
    explicit StopWatch(double& seconds) : seconds_(seconds) {}
    ~StopWatch() { seconds_ += std::chrono::duration<double>(Clock::now() - start_).count(); }
    StopWatch(StopWatch const&) = delete;
    StopWatch& operator=(StopWatch const&) = delete;

private:
    using Clock = std::chrono::steady_clock;
    double& seconds_;
    Clock::time_point start_ = Clock::now();
};

PipelineLimits Batch::limits() const {
    constexpr int kMostWriters = 32;
    int const jobs = static_cast<int>(std::min<std::size_t>(jobs_.size(), kMostWriters));
    int const readers = std::min({options_.threads, jobs, PipelineLimits::kMostReaders});
    int const writers = std::min(options_.threads, jobs);
    PipelineLimits limits{.readers = readers, .lanes = static_cast<int>(options_.lanes), .writers = writers};
    limits.jobs = static_cast<std::size_t>(readers) + 2 * options_.lanes + static_cast<std::size_t>(writers);
    limits.bytes = options_.most_bytes;
    return limits;
}

int Batch::run() {
    std::vector<std::uint64_t> bytes;
    for (Job const& job : jobs_) bytes.push_back(static_cast<std::uint64_t>(weight_of(job) * options_.bytes_per_pixel));
    run_pipeline(
        bytes,
        {[this](std::size_t index) { read(index); }, [this](std::size_t index, int lane) { compute(index, lane); },
         [this](std::size_t index) { write(index); },
         [this](std::size_t index, std::exception_ptr const& failure) { report(index, failure); }},
        limits());
    progress_.finish();
    if (jobs_.size() > 1 && !options_.quiet) {
        fmt::print(stderr, "{} {}, {} skipped, {} failed\n", done_, task_.done_word(), skipped_, failed_);
    }
    return exit_code_;
}

void Batch::read(std::size_t index) {
    Place& place = places_[index];
    StopWatch const watch(place.seconds);
    bool const is_done = options_.skip_existing && std::ranges::all_of(task_.files_of(jobs_[index]),
                                                                       [](fs::path const& f) { return fs::exists(f); });
    if (is_done) place.is_skipped = true;
    else place.compute = task_.read(jobs_[index]);
}

void Batch::compute(std::size_t index, int lane) {
    Place& place = places_[index];
    if (place.is_skipped) return;
    StopWatch const watch(place.seconds);
    auto const progress = [&](double fraction) {
        show_progress(index, fraction);
        return true;
    };
    static_cast<void>(progress(0));
    place.write = std::exchange(place.compute, nullptr)(lane, progress);
}

void Batch::write(std::size_t index) {
    Place& place = places_[index];
    if (place.is_skipped) return;
    StopWatch const watch(place.seconds);
    place.report = std::exchange(place.write, nullptr)();
}

void Batch::report(std::size_t index, std::exception_ptr const& failure) {
    show_progress(index, 1);
    Job const& job = jobs_[index];
    Place const place = std::exchange(places_[index], {});
    try {
        if (failure) std::rethrow_exception(failure);
        if (place.is_skipped) report_skipped(job);
        else report_done(job, place);
    } catch (Error const& error) {
        report_failure(job, error);
    } catch (std::bad_alloc const&) {
        report_failure(job, Error("out of memory", ErrorKind::out_of_memory));
    } catch (fs::filesystem_error const& error) {
        report_failure(job, Error(error.what()));
    }
}

void Batch::show_progress(std::size_t index, double fraction) {
    std::scoped_lock const lock(mutex_);
    double const more = fraction - std::exchange(places_[index].fraction, fraction);
    done_weights_ += more * weight_of(jobs_[index]);
    progress_.update(done_weights_ / all_weights_, title(index));
}

void Batch::report_done(Job const& job, Place const& place) {
    JobReport const& report = place.report;
    if (report.reruns.count() > 0) warn_of_reruns();
    ++done_;
    if (options_.json) {
        Json line = {{"input", job.input.string()}, {"output", job.output.string()}, {"status", "done"}};
        line.update(report.facts);
        line["run_again"] = {{"tf32", report.reruns.in_tf32}, {"fp32", report.reruns.in_fp32}};
        line["seconds"] = place.seconds;
        print_json(line, -1);
        return;
    }
    note(fmt::format("{}{}, {:.1f} s", report.line, reruns_text(report.reruns), place.seconds));
    for (std::string const& text : report.notes) note("  note: " + text);
}

/// Once, however many pictures it is about: their lines tell how many runs.
void Batch::warn_of_reruns() {
    if (has_warned_) return;
    has_warned_ = true;
    progress_.print(
        "vitrum: warning: NaN or infinite values in the precision that was asked for; those runs were made again in a "
        "more exact one, which costs time: --precision tf32 or fp32 saves the first try");
}

void Batch::report_skipped(Job const& job) {
    ++skipped_;
    if (options_.json)
        print_json({{"input", job.input.string()}, {"output", job.output.string()}, {"status", "skipped"}}, -1);
    else note(fmt::format("{} is there already", job.output.string()));
}

void Batch::report_failure(Job const& job, Error const& error) {
    ++failed_;
    // Of several failures the graver decides: a broken result before missing memory before a bad file.
    auto const gravity = [](int code) { return code == 3 ? 3 : code == 4 ? 2 : code == 0 ? 0 : 1; };
    int code = static_cast<int>(error.kind());
    if (jobs_.size() > 1 && code == static_cast<int>(ErrorKind::usage)) code = static_cast<int>(ErrorKind::failed);
    if (gravity(code) > gravity(exit_code_)) exit_code_ = code;
    std::string const what = error.what();
    std::string const name = job.input.string();
    std::string text = what.find(name) == std::string::npos ? name + ": " + what : what;
    if (looks_like_model(job.input)) text = name + " looks like a model, not a picture; give one model, then pictures";
    if (options_.json) {
        print_json(
            {{"input", name}, {"output", job.output.string()}, {"status", "failed"}, {"error", text}, {"code", code}},
            -1);
    }
    progress_.print("vitrum: " + text);
}

}  // namespace

int run_batch(BatchTask const& task, BatchOptions const& options, std::vector<Job> const& jobs) {
    return Batch(task, options, jobs).run();
}

}  // namespace vitrum::cli
