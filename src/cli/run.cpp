// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <chrono>
#include <memory>

#include "command.h"
#include "interrupt.h"
#include "jobs.h"
#include "progress.h"
#include "run_options.h"
#include "text.h"
#include "vitrum/error.h"

namespace vitrum::cli {
namespace {

namespace fs = std::filesystem;

/// One call of `vitrum run`: the pictures in turn, each reported as it is done.
class Batch {
public:
    Batch(RunOptions const& options, std::vector<Job> jobs, Engine const& engine)
        : options_(options),
          restore_(restore_options(options)),
          jobs_(std::move(jobs)),
          session_(engine),
          progress_(progress_style(options.json, options.quiet)) {
        weigh_jobs();
    }

    int run();

private:
    void weigh_jobs();
    void process(Job const& job);
    void skip(Job const& job);
    void report_done(Job const& job, Image const& picture, RestoreReport const& result, SaveReport const& saved,
                     double seconds);
    void report_failure(Job const& job, Error const& error);
    void note(std::string const& line) {
        if (!options_.quiet) progress_.print(line);
    }

    RunOptions const& options_;
    RestoreOptions restore_;
    std::vector<Job> jobs_;
    std::vector<double> weights_;  ///< pixels of each input: what the time is spent on
    double all_weights_ = 0, done_weights_ = 0;
    Session session_;
    ProgressLine progress_;
    int done_ = 0, skipped_ = 0, failed_ = 0;
    int exit_code_ = 0;
};

void Batch::weigh_jobs() {
    for (Job const& job : jobs_) {
        double weight = 1;
        try {
            ImageInfo const info = probe_image(job.input);
            weight = static_cast<double>(info.width * info.height);
        } catch (Error const&) {  // reading it will fail, and be reported, in its turn
        }
        weights_.push_back(weight);
        all_weights_ += weight;
    }
}

int Batch::run() {
    for (std::size_t i = 0; i < jobs_.size(); ++i) {
        std::string const what = jobs_.size() == 1
                                     ? jobs_[i].input.filename().string()
                                     : fmt::format("{}/{} {}", i + 1, jobs_.size(), jobs_[i].input.filename().string());
        restore_.progress = [&, i](double fraction) {
            progress_.update((done_weights_ + fraction * weights_[i]) / all_weights_, what);
            return true;
        };
        try {
            static_cast<void>(restore_.progress(0));
            if (options_.skip_existing && fs::exists(jobs_[i].output)) skip(jobs_[i]);
            else process(jobs_[i]);
        } catch (Error const& error) {
            report_failure(jobs_[i], error);
        } catch (std::bad_alloc const&) {
            report_failure(jobs_[i], Error("out of memory", ErrorKind::out_of_memory));
        } catch (fs::filesystem_error const& error) {
            report_failure(jobs_[i], Error(error.what()));
        }
        done_weights_ += weights_[i];
    }
    progress_.finish();
    if (jobs_.size() > 1 && !options_.quiet) {
        fmt::print(stderr, "{} restored, {} skipped, {} failed\n", done_, skipped_, failed_);
    }
    return exit_code_;
}

void Batch::process(Job const& job) {
    auto const start = std::chrono::steady_clock::now();
    Image picture = load_image(job.input);
    RestoreReport result = restore(session_, picture, restore_);
    if (options_.strip_metadata) {
        ImageMetadata kept;
        if (auto profile = result.image.metadata.blocks.extract("icc-profile-data"))
            kept.blocks.insert(std::move(profile));
        result.image.metadata = std::move(kept);
    }
    FinishFirst const finish_first;
    if (job.output.has_parent_path()) fs::create_directories(job.output.parent_path());
    SaveReport const saved = save_image(result.image, job.output, options_.save);
    if (!options_.compare.empty()) {
        Image const bicubic = resize_bicubic(picture, result.image.width(), result.image.height());
        save_image(side_by_side(bicubic, result.image), options_.compare, options_.save);
    }
    double const seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    report_done(job, picture, result, saved, seconds);
    ++done_;
}

void Batch::skip(Job const& job) {
    ++skipped_;
    if (options_.json)
        print_json({{"input", job.input.string()}, {"output", job.output.string()}, {"status", "skipped"}}, -1);
    else note(fmt::format("{} is there already", job.output.string()));
}

void Batch::report_done(Job const& job, Image const& picture, RestoreReport const& result, SaveReport const& saved,
                        double seconds) {
    if (options_.json) {
        print_json({{"input", job.input.string()},
                    {"output", job.output.string()},
                    {"status", "done"},
                    {"width", result.image.width()},
                    {"height", result.image.height()},
                    {"tiles", result.tiles},
                    {"tile_width", result.tile_width},
                    {"tile_height", result.tile_height},
                    {"retries", result.retries},
                    {"restore_seconds", result.compute_seconds},
                    {"seconds", seconds},
                    {"alpha_flattened", saved.alpha_flattened},
                    {"depth_reduced", saved.depth_reduced},
                    {"metadata_dropped", saved.metadata_dropped}},
                   -1);
        return;
    }
    std::string const tiles =
        result.tiles == 1 ? ""
                          : fmt::format(", {} tiles of {}×{}", result.tiles, result.tile_width, result.tile_height);
    std::string const retries =
        result.retries == 0 ? "" : fmt::format(", made smaller {}× for want of memory", result.retries);
    note(fmt::format("{} → {}  {}×{} → {}×{}{}{}, {:.1f} s", job.input.string(), job.output.string(), picture.width(),
                     picture.height(), result.image.width(), result.image.height(), tiles, retries, seconds));
    std::string const name = job.output.filename().string();
    if (saved.alpha_flattened) note(fmt::format("  note: {} cannot hold transparency; composed over white", name));
    if (saved.depth_reduced) note(fmt::format("  note: {} holds fewer bits than the input; rounded", name));
    if (saved.metadata_dropped) note(fmt::format("  note: {} cannot hold all of the metadata", name));
}

void Batch::report_failure(Job const& job, Error const& error) {
    ++failed_;
    // Of several failures the graver decides: a broken result before missing memory before a bad file.
    auto const gravity = [](int code) { return code == 3 ? 3 : code == 4 ? 2 : code == 0 ? 0 : 1; };
    int code = static_cast<int>(error.kind());
    if (jobs_.size() > 1 && code == static_cast<int>(ErrorKind::usage)) code = static_cast<int>(ErrorKind::failed);
    if (gravity(code) > gravity(exit_code_)) exit_code_ = code;
    bool const is_model = looks_like_model(job.input);
    std::string const what = error.what();
    std::string const name = job.input.string();
    std::string text = what.find(name) == std::string::npos ? name + ": " + what : what;
    if (is_model) text = name + " looks like a model, not a picture; give one model, then pictures";
    if (options_.json) {
        print_json(
            {{"input", name}, {"output", job.output.string()}, {"status", "failed"}, {"error", text}, {"code", code}},
            -1);
    }
    progress_.print("vitrum: " + text);
}

void check_scale(int asked, ModelInfo const& info) {
    if (asked == 0 || asked == info.scale) return;
    throw Error(
        fmt::format("--scale {}: this model ({}) enlarges ×{}, and nothing else", asked, info.variant, info.scale),
        ErrorKind::usage);
}

int run_pictures(RunOptions& options) {
    settle_run_options(options);
    static_cast<void>(restore_options(options));
    fs::path const leave_out = is_folder_output(options.out, true) ? options.out : "";
    std::vector<Input> const inputs = collect_inputs(options.inputs, options.recursive, leave_out);
    bool const several = inputs.size() > 1 || fs::is_directory(options.inputs.front());

    if (!options.compare.empty()) {
        if (several) throw Error("--compare shows one picture; give one input", ErrorKind::usage);
        static_cast<void>(format_of_path(options.compare));
    }

    Engine const engine = open_engine(options.model);
    int const scale = engine.info().scale;
    check_scale(options.scale, engine.info());
    std::string const suffix = options.suffix != "auto" ? options.suffix
                               : scale > 1              ? fmt::format("_x{}", scale)
                                                        : "_restored";
    JobPlan plan = plan_jobs(inputs, {options.out, options.format, suffix}, several);
    if (plan.earlier_results > 0 && !options.quiet) {
        fmt::print(stderr, "left out {} results of an earlier run (*{})\n", plan.earlier_results, suffix);
    }
    return Batch(options, std::move(plan.jobs), engine).run();
}

}  // namespace

Command add_run(CLI::App& root) {
    CLI::App* const app = root.add_subcommand("run", "Enlarge, denoise or repair pictures");
    auto const options = std::make_shared<RunOptions>();
    add_run_options(*app, *options);
    return {app, [options] { return run_pictures(*options); }};
}

}  // namespace vitrum::cli
