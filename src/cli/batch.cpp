// SPDX-License-Identifier: Apache-2.0
#include "batch.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "model_options.h"
#include "progress.h"
#include "vitrum/error.h"
#include "vitrum/image.h"

namespace vitrum::cli {
namespace {

namespace fs = std::filesystem;

class Batch {
public:
    Batch(BatchTask& task, BatchOptions const& options, std::vector<Job> const& jobs)
        : task_(task), options_(options), jobs_(jobs), progress_(progress_style(options.json, options.quiet)) {
        weigh_jobs();
    }

    int run();

private:
    void weigh_jobs();
    void attempt(std::size_t index);
    void process(std::size_t index);
    void skip(Job const& job);
    void report_failure(Job const& job, Error const& error);
    void warn_of_reruns();
    void note(std::string const& line) {
        if (!options_.quiet) progress_.print(line);
    }
    [[nodiscard]] std::string title(std::size_t index) const {
        std::string const name = jobs_[index].input.filename().string();
        return jobs_.size() == 1 ? name : fmt::format("{}/{} {}", index + 1, jobs_.size(), name);
    }

    BatchTask& task_;
    BatchOptions const& options_;
    std::vector<Job> const& jobs_;
    std::vector<double> weights_;  ///< pixels of each input: what the time is spent on
    double all_weights_ = 0, done_weights_ = 0;
    ProgressLine progress_;
    int done_ = 0, skipped_ = 0, failed_ = 0;
    bool has_warned_ = false;
    int exit_code_ = 0;
};

void Batch::weigh_jobs() {
    for (Job const& job : jobs_) {
        double weight = 1;
        try {
            ImageInfo const info = probe_image(job.input);
            weight = static_cast<double>(info.width * info.height);
        } catch (Error const&) {  // no picture, or reading it will fail, and be reported, in its turn
        }
        weights_.push_back(weight);
        all_weights_ += weight;
    }
}

int Batch::run() {
    for (std::size_t i = 0; i < jobs_.size(); ++i) {
        attempt(i);
        done_weights_ += weights_[i];
    }
    progress_.finish();
    if (jobs_.size() > 1 && !options_.quiet) {
        fmt::print(stderr, "{} {}, {} skipped, {} failed\n", done_, task_.done_word(), skipped_, failed_);
    }
    return exit_code_;
}

void Batch::attempt(std::size_t index) {
    Job const& job = jobs_[index];
    try {
        bool const is_done = std::ranges::all_of(task_.files_of(job), [](fs::path const& f) { return fs::exists(f); });
        if (options_.skip_existing && is_done) skip(job);
        else process(index);
    } catch (Error const& error) {
        report_failure(job, error);
    } catch (std::bad_alloc const&) {
        report_failure(job, Error("out of memory", ErrorKind::out_of_memory));
    } catch (fs::filesystem_error const& error) {
        report_failure(job, Error(error.what()));
    }
}

void Batch::process(std::size_t index) {
    Job const& job = jobs_[index];
    auto const start = std::chrono::steady_clock::now();
    std::string const what = title(index);
    auto const progress = [&](double fraction) {
        progress_.update((done_weights_ + fraction * weights_[index]) / all_weights_, what);
        return true;
    };
    static_cast<void>(progress(0));
    JobReport const report = task_.process(job, progress);
    if (report.reruns.count() > 0) warn_of_reruns();
    double const seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    ++done_;
    if (options_.json) {
        Json line = {{"input", job.input.string()}, {"output", job.output.string()}, {"status", "done"}};
        line.update(report.facts);
        line["run_again"] = {{"tf32", report.reruns.in_tf32}, {"fp32", report.reruns.in_fp32}};
        line["seconds"] = seconds;
        print_json(line, -1);
        return;
    }
    note(fmt::format("{}{}, {:.1f} s", report.line, reruns_text(report.reruns), seconds));
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

void Batch::skip(Job const& job) {
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

int run_batch(BatchTask& task, BatchOptions const& options, std::vector<Job> const& jobs) {
    return Batch(task, options, jobs).run();
}

}  // namespace vitrum::cli
