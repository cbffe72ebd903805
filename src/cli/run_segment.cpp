// SPDX-License-Identifier: Apache-2.0
#include "run_segment.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>

#include "batch.h"
#include "interrupt.h"
#include "lanes.h"
#include "parse.h"
#include "vitrum/error.h"
#include "vitrum/segment.h"

namespace vitrum::cli {
namespace {

namespace fs = std::filesystem;

Segmentation kind_of(std::string const& name, ClassList const& classes) {
    if (name == "panoptic") return Segmentation::panoptic;
    if (name == "instance") return Segmentation::instance;
    if (name == "semantic") return Segmentation::semantic;
    return default_segmentation(classes);
}

SegmentOptions segment_options(RunOptions const& options, Engine const& engine) {
    SegmentArguments const& typed = options.segment;
    SegmentOptions segment;
    segment.classes = choose_classes(engine, typed.classes);
    segment.kind = kind_of(typed.kind, segment.classes);
    segment.rules = typed.rules == "original" ? SegmentRules::original : SegmentRules::hugging_face;
    if (!typed.resize.empty()) {
        Resize const resize = parse_resize("--resize", typed.resize);
        segment.short_edge = resize.short_edge;
        if (resize.long_edge > 0) segment.long_edge = resize.long_edge;
    }
    if (typed.threshold >= 0) segment.threshold = typed.threshold;
    segment.overlap_threshold = typed.overlap_threshold;
    segment.top_k = typed.top_k;
    SizeOptions const size = size_options(options);
    segment.memory_bytes = size.memory_bytes;
    segment.tile = std::max(size.tile, 0);
    segment.tile_overlap = size.overlap;
    segment.approximate = size.approximate;
    return segment;
}

/// "3 person, sky, 2 car": the most frequent first, stuff without a number.
std::string summary_of(SegmentReport const& report, double min_score) {
    std::map<int, int> counts;
    for (Segment const& segment : report.segments) {
        if (report.kind != Segmentation::instance || segment.score >= min_score) ++counts[segment.class_index];
    }
    std::vector<std::pair<int, int>> classes(counts.begin(), counts.end());
    std::ranges::stable_sort(classes, std::greater(), &std::pair<int, int>::second);
    constexpr std::size_t kMost = 6;
    std::string text;
    for (std::size_t i = 0; i < std::min(classes.size(), kMost); ++i) {
        auto const [index, count] = classes[i];
        std::string const name = report.classes.classes[static_cast<std::size_t>(index)].name;
        text += (text.empty() ? "" : ", ") + (count > 1 ? fmt::format("{} {}", count, name) : name);
    }
    if (classes.size() > kMost) text += fmt::format(" and {} more", classes.size() - kMost);
    return text.empty() ? "nothing found" : text;
}

class SegmentTask final : public BatchTask {
public:
    SegmentTask(RunOptions const& options, std::vector<Session>& lanes, SegmentOptions segment,
                std::map<fs::path, fs::path> overlays)
        : options_(options), segment_(std::move(segment)), overlays_(std::move(overlays)), lanes_(lanes) {
        // Of a hundred instances most are guesses, for a list to rank and not for people to see.
        constexpr double kShown = 0.5;
        min_score_ = segment_.threshold.value_or(kShown);
    }

    [[nodiscard]] std::string done_word() const override { return "segmented"; }

    [[nodiscard]] Compute read(Job const& job) const override {
        auto picture = std::make_shared<Image const>(load_image(job.input));
        return [this, job, picture](int lane, Progress const& progress) -> Write {
            SegmentOptions how = segment_;
            how.progress = progress;
            auto report =
                std::make_shared<SegmentReport const>(segment(lanes_[static_cast<std::size_t>(lane)], *picture, how));
            return [this, job, picture, report] { return write(job, *picture, *report); };
        };
    }

    [[nodiscard]] std::vector<fs::path> files_of(Job const& job) const override {
        SegmentFiles const files = segment_files(job);
        std::vector<fs::path> paths = {files.labels, files.json, files.overlay};
        std::erase(paths, fs::path());
        return paths;
    }

private:
    [[nodiscard]] JobReport write(Job const& job, Image const& picture, SegmentReport const& report) const {
        SegmentFiles const files = segment_files(job);
        FinishFirst const finish_first;
        for (fs::path const& path : {files.labels, files.json, files.overlay}) {
            if (path.has_parent_path()) fs::create_directories(path.parent_path());
        }
        bool const has_text =
            save_segments(report, picture, job.input.filename().string(), files, options_.save, min_score_);
        JobReport result{line_of(job, report), {}, facts_of(report, files), report.reruns};
        if (!has_text) result.notes.push_back("the overlay has no names: this libvips has no text (Pango) or no font");
        return result;
    }

    [[nodiscard]] SegmentFiles segment_files(Job const& job) const {
        SegmentFiles files;
        files.json = job.output;
        if (segment_.kind != Segmentation::instance) {
            files.labels = job.output;
            files.json.replace_extension(".json");
        }
        if (auto const overlay = overlays_.find(job.input); overlay != overlays_.end()) files.overlay = overlay->second;
        return files;
    }

    [[nodiscard]] std::string line_of(Job const& job, SegmentReport const& report) const {
        return fmt::format("{} → {}  {}×{} at {}×{}, {}: {}", job.input.string(), job.output.string(), report.width,
                           report.height, report.network_width, report.network_height, name_of(report.kind),
                           summary_of(report, min_score_));
    }

    static Json facts_of(SegmentReport const& report, SegmentFiles const& files) {
        Json segments = Json::array();
        for (Segment const& segment : report.segments) {
            ClassInfo const& c = report.classes.classes[static_cast<std::size_t>(segment.class_index)];
            Json facts = {{"id", segment.id}, {"class", c.name}, {"category_id", c.category_id}};
            if (report.classes.knows_stuff) facts["isthing"] = c.is_thing;
            if (report.kind != Segmentation::semantic) facts["score"] = segment.score;
            facts["area"] = segment.area;
            facts["bbox"] = {segment.box.x, segment.box.y, segment.box.width, segment.box.height};
            segments.push_back(std::move(facts));
        }
        Json facts = {{"segmentation", name_of(report.kind)},
                      {"classes", report.classes.name},
                      {"width", report.width},
                      {"height", report.height},
                      {"network_width", report.network_width},
                      {"network_height", report.network_height},
                      {"json", files.json.string()}};
        if (!files.overlay.empty()) facts["overlay"] = files.overlay.string();
        facts["tiles"] = report.tiles;
        facts["segments"] = std::move(segments);
        facts["segment_seconds"] = report.compute_seconds;
        return facts;
    }

    RunOptions const& options_;
    SegmentOptions segment_;
    std::map<fs::path, fs::path> overlays_;  ///< by input
    std::vector<Session>& lanes_;
    double min_score_ = 0;
};

/// A label picture is PNG, a list of instances JSON.
int label_format(fs::path const& path) {
    if (path.extension() == ".png") return 0;
    throw Error(fmt::format("{}: labels are written as .png, with a .json beside it", path.string()), ErrorKind::usage);
}
int instance_format(fs::path const& path) {
    if (path.extension() == ".json") return 0;
    throw Error(fmt::format("{}: instances are written as .json", path.string()), ErrorKind::usage);
}

OutputRules output_rules(Segmentation kind) {
    bool const instance = kind == Segmentation::instance;
    OutputRules rules;
    rules.suffix = fmt::format("_{}", name_of(kind));
    rules.extension = instance ? ".json" : ".png";
    rules.format_of = instance ? instance_format : label_format;
    return rules;
}

/// In a folder, overlays lie as the results do, and are JPEG where the picture is.
fs::path overlay_in_folder(Job const& job, RunOptions const& options, bool several) {
    bool const structured = several && !options.out.empty();
    fs::path const below = structured ? job.output.lexically_relative(options.out).parent_path() : "";
    bool const is_jpeg = has_picture_extension(job.input) && format_of_path(job.input) == ImageFormat::jpeg;
    std::string const name = job.input.stem().string() + "_overlay" + (is_jpeg ? ".jpg" : ".png");
    return fs::path(options.segment.overlay) / below / name;
}

std::map<fs::path, fs::path> plan_overlays(JobPlan const& plan, RunOptions const& options) {
    std::map<fs::path, fs::path> overlays;
    std::string const& out = options.segment.overlay;
    if (out.empty()) return overlays;
    bool const to_folder = is_folder_output(out, plan.several);
    if (!to_folder) static_cast<void>(format_of_path(out));
    if (to_folder && (fs::is_regular_file(out) || (has_picture_extension(out) && !fs::is_directory(out)))) {
        throw Error(fmt::format("--overlay {}: several pictures need a folder", out), ErrorKind::usage);
    }
    std::set<fs::path> taken;
    for (Job const& job : plan.jobs) {
        taken.insert(fs::weakly_canonical(job.input));
        taken.insert(fs::weakly_canonical(job.output));
    }
    for (Job const& job : plan.jobs) {
        fs::path const path = to_folder ? overlay_in_folder(job, options, plan.several) : fs::path(out);
        if (!taken.insert(fs::weakly_canonical(path)).second) {
            throw Error(fmt::format("--overlay: {} is an input or would be written twice; choose another folder",
                                    path.string()),
                        ErrorKind::usage);
        }
        overlays.emplace(job.input, path);
    }
    return overlays;
}

}  // namespace

/// What the network sees, or somewhat more.
static Sizes largest_input(SegmentOptions const& segment, std::vector<Job> const& jobs) {
    constexpr int kUsualLongEdge = 1333;
    if (segment.short_edge == 0) return largest_of(jobs);
    int const edge = segment.long_edge.value_or(kUsualLongEdge);
    return {1, edge, edge};
}

int run_segment(RunOptions const& options, Engine const& engine) {
    SegmentOptions segment = segment_options(options, engine);
    JobPlan const plan = plan_run(options, output_rules(segment.kind));
    std::vector<Session> lanes =
        make_lanes(engine, largest_input(segment, plan.jobs), segment.memory_bytes, plan.jobs.size());
    SegmentTask const task(options, lanes, std::move(segment), plan_overlays(plan, options));
    constexpr double kColourAndLabel = 5;
    return run_batch(task, batch_options(options, engine, lanes.size(), kColourAndLabel), plan.jobs);
}

}  // namespace vitrum::cli
