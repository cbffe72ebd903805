// SPDX-License-Identifier: Apache-2.0
#include "run_restore.h"

#include <fmt/core.h>

#include "batch.h"
#include "interrupt.h"
#include "lanes.h"
#include "vitrum/error.h"
#include "vitrum/restore.h"

namespace vitrum::cli {
namespace {

namespace fs = std::filesystem;

class RestoreTask final : public BatchTask {
public:
    RestoreTask(RunOptions const& options, std::vector<Session>& lanes) : options_(options), lanes_(lanes) {
        SizeOptions const size = size_options(options);
        restore_ = {.tile = size.tile,
                    .tile_overlap = size.overlap,
                    .memory_bytes = size.memory_bytes,
                    .approximate = size.approximate};
    }

    [[nodiscard]] std::string done_word() const override { return "restored"; }

    [[nodiscard]] Compute read(Job const& job) const override {
        auto picture = std::make_shared<Image const>(load_image(job.input));
        if (restore_.tile <= 0) expect_size(lanes_, {1, picture->height(), picture->width()});
        return [this, job, picture](int lane, Progress const& progress) -> Write {
            RestoreOptions how = restore_;
            how.progress = progress;
            auto result =
                std::make_shared<RestoreReport>(restore(lanes_[static_cast<std::size_t>(lane)], *picture, how));
            return [this, job, picture, result] { return write(job, *picture, *result); };
        };
    }

private:
    [[nodiscard]] JobReport write(Job const& job, Image const& picture, RestoreReport& result) const {
        if (options_.strip_metadata) keep_profile_only(result.image);
        FinishFirst const finish_first;
        if (job.output.has_parent_path()) fs::create_directories(job.output.parent_path());
        SaveReport const saved = save_image(result.image, job.output, options_.save);
        if (!options_.compare.empty()) {
            Image const bicubic = resize_bicubic(picture, result.image.width(), result.image.height());
            save_image(side_by_side(bicubic, result.image), options_.compare, options_.save);
        }
        return {line_of(job, picture, result), notes_of(job, saved), facts_of(result, saved), result.reruns};
    }

    static void keep_profile_only(Image& image) {
        ImageMetadata kept;
        if (auto profile = image.metadata.blocks.extract("icc-profile-data")) kept.blocks.insert(std::move(profile));
        image.metadata = std::move(kept);
    }

    static std::string line_of(Job const& job, Image const& picture, RestoreReport const& result) {
        return fmt::format("{} → {}  {}×{} → {}×{}{}", job.input.string(), job.output.string(), picture.width(),
                           picture.height(), result.image.width(), result.image.height(),
                           tiles_text(result.tiles, result.tile_height, result.tile_width, result.retries));
    }

    static std::vector<std::string> notes_of(Job const& job, SaveReport const& saved) {
        std::string const name = job.output.filename().string();
        std::vector<std::string> notes;
        if (saved.alpha_flattened) notes.push_back(name + " cannot hold transparency; composed over white");
        if (saved.depth_reduced) notes.push_back(name + " holds fewer bits than the input; rounded");
        if (saved.metadata_dropped) notes.push_back(name + " cannot hold all of the metadata");
        return notes;
    }

    static Json facts_of(RestoreReport const& result, SaveReport const& saved) {
        return {{"width", result.image.width()},
                {"height", result.image.height()},
                {"tiles", result.tiles},
                {"tile_width", result.tile_width},
                {"tile_height", result.tile_height},
                {"retries", result.retries},
                {"restore_seconds", result.compute_seconds},
                {"alpha_flattened", saved.alpha_flattened},
                {"depth_reduced", saved.depth_reduced},
                {"metadata_dropped", saved.metadata_dropped}};
    }

    RunOptions const& options_;
    RestoreOptions restore_;
    std::vector<Session>& lanes_;
};

void check_scale(int asked, ModelInfo const& info) {
    if (asked == 0 || asked == info.scale) return;
    throw Error(
        fmt::format("--scale {}: this model ({}) enlarges ×{}, and nothing else", asked, info.variant, info.scale),
        ErrorKind::usage);
}

}  // namespace

int run_restore(RunOptions const& options, Engine const& engine) {
    ModelInfo const& info = engine.info();
    check_scale(options.scale, info);
    OutputRules rules;
    rules.suffix = info.scale > 1 ? fmt::format("_x{}", info.scale) : "_restored";
    JobPlan const plan = plan_run(options, std::move(rules));
    if (plan.several && !options.compare.empty()) {
        throw Error("--compare shows one picture; give one input", ErrorKind::usage);
    }
    std::vector<Session> lanes =
        make_lanes(engine, largest_of(plan.jobs), size_options(options).memory_bytes, plan.jobs.size());
    double const colours = 3, planes = colours * (1 + info.scale * info.scale);
    return run_batch(RestoreTask(options, lanes), batch_options(options, engine, lanes.size(), planes), plan.jobs);
}

}  // namespace vitrum::cli
