// SPDX-License-Identifier: Apache-2.0
#include "run_spectral.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <optional>

#include "batch.h"
#include "interrupt.h"
#include "lanes.h"
#include "parse.h"
#include "vitrum/error.h"
#include "vitrum/spectral.h"

namespace vitrum::cli {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(std::string const& text) {
    throw Error(text, ErrorKind::usage);
}

class SpectralTask final : public BatchTask {
public:
    SpectralTask(RunOptions const& options, std::vector<Session>& lanes)
        : asked_(options.spectral), lanes_(lanes), boxes_(asked_boxes(options.spectral)) {
        SizeOptions const size = size_options(options);
        how_ = {.normalisation = parse_normalisation(asked_.normalise),
                .clip = !asked_.no_clip,
                .approximate = size.approximate,
                .tile = size.tile,
                .tile_overlap = size.overlap,
                .memory_bytes = size.memory_bytes};
        origin_ = "by vitrum, " + info().variant;
        if (takes_snapshot(lanes.front().engine())) mask_ = load_measurement(asked_.mask);
    }

    [[nodiscard]] std::string done_word() const override { return "rebuilt"; }

    [[nodiscard]] Compute read(Job const& job) const override {
        if (mask_) return compute(job, load_measurement(job.input), *mask_);
        Image picture = load_image(job.input);
        if (how_.tile <= 0) expect_size(lanes_, {1, picture.height(), picture.width()});
        return compute(job, std::move(picture));
    }

    [[nodiscard]] std::vector<fs::path> files_of(Job const& job) const override {
        std::vector<fs::path> paths = {job.output, asked_.rgb, asked_.spectrum, asked_.plot};
        std::erase(paths, fs::path());
        return paths;
    }

private:
    /// `mask`: nothing for pictures.
    template <class Input, class... Mask>
    [[nodiscard]] Compute compute(Job const& job, Input input, Mask const&... mask) const {
        auto held = std::make_shared<Input const>(std::move(input));
        return [this, job, held, &mask...](int lane, Progress const& progress) -> Write {
            SpectralOptions how = how_;
            how.progress = progress;
            auto result = std::make_shared<SpectralReport const>(
                spectral(lanes_[static_cast<std::size_t>(lane)], *held, mask..., how));
            return [this, job, result] { return write(job, *result); };
        };
    }

    [[nodiscard]] JobReport write(Job const& job, SpectralReport const& result) const {
        std::vector<Spectrum> spectra;  // before anything is written: a box may lie outside
        for (CubeBox const& box : boxes_) spectra.push_back(spectrum_of(result.cube, box));
        FinishFirst const finish_first;
        if (job.output.has_parent_path()) fs::create_directories(job.output.parent_path());
        auto files = save_cube(result.cube, job.output, job.input.filename().string() + " " + origin_);
        write_views(job, result.cube, spectra, files);
        return {line_of(job, result), notes_of(job, result), facts_of(result, spectra, files), result.reruns};
    }

    [[nodiscard]] ModelInfo const& info() const { return lanes_.front().engine().info(); }

    void write_views(Job const& job, Cube const& cube, std::vector<Spectrum> const& spectra,
                     std::vector<fs::path>& files) const {
        if (!asked_.previews.empty()) {
            fs::create_directories(asked_.previews);
            for (std::int64_t band = 0; band < cube.bands(); ++band) {
                double const nm = cube.wavelengths()[static_cast<std::size_t>(band)];
                files.push_back(fs::path(asked_.previews) / fmt::format("{}_{}nm.png", job.output.stem().string(), nm));
                save_image(band_image(cube, band), files.back());
            }
        }
        if (!asked_.rgb.empty()) {
            save_image(render_srgb(cube), asked_.rgb);
            files.emplace_back(asked_.rgb);
        }
        if (!asked_.spectrum.empty()) {
            save_spectra_csv(cube.wavelengths(), spectra, asked_.spectrum);
            files.emplace_back(asked_.spectrum);
        }
        if (!asked_.plot.empty()) {
            save_spectra_plot(cube.wavelengths(), spectra, asked_.plot);
            files.emplace_back(asked_.plot);
        }
    }

    static std::string line_of(Job const& job, SpectralReport const& result) {
        Cube const& cube = result.cube;
        return fmt::format("{} → {}  {}×{}, {} bands, {}-{} nm{}", job.input.string(), job.output.string(),
                           cube.width(), cube.height(), cube.bands(), cube.wavelengths().front(),
                           cube.wavelengths().back(),
                           tiles_text(result.tiles, result.tile_height, result.tile_width, result.retries));
    }

    [[nodiscard]] std::vector<std::string> notes_of(Job const& job, SpectralReport const& result) const {
        std::vector<std::string> notes;
        if (result.alpha_ignored)
            notes.push_back(job.input.filename().string() + " has transparency, which is ignored");
        if (result.tiles > 1 && info().mixes_whole_picture) {
            notes.emplace_back("tiles changed the result: the network looks at the whole picture at once");
        }
        auto const share = static_cast<double>(result.clipped) / static_cast<double>(result.cube.values().size());
        if (share > 0.01 && how_.clip) {
            notes.push_back(fmt::format("{:.0f} % of the values lay outside 0 … 1 and were clipped", share * 100));
        }
        return notes;
    }

    static Json facts_of(SpectralReport const& result, std::vector<Spectrum> const& spectra,
                         std::vector<fs::path> const& files) {
        Json names = Json::array(), measured = Json::array();
        for (fs::path const& file : files) names.push_back(file.string());
        for (Spectrum const& s : spectra) {
            measured.push_back({{"x", s.box.x},
                                {"y", s.box.y},
                                {"width", s.box.width},
                                {"height", s.box.height},
                                {"mean", s.mean},
                                {"deviation", s.deviation}});
        }
        return {{"width", result.cube.width()},
                {"height", result.cube.height()},
                {"bands", result.cube.bands()},
                {"wavelengths_nm", result.cube.wavelengths()},
                {"files", names},
                {"spectra", measured},
                {"tiles", result.tiles},
                {"tile_width", result.tile_width},
                {"tile_height", result.tile_height},
                {"retries", result.retries},
                {"alpha_ignored", result.alpha_ignored},
                {"values_outside_0_1", result.clipped},
                {"compute_seconds", result.compute_seconds}};
    }

    SpectralRunOptions const& asked_;
    SpectralOptions how_;
    std::vector<Session>& lanes_;
    std::vector<CubeBox> boxes_;
    std::string origin_;
    std::optional<Measurement> mask_;
};

void check_request(RunOptions const& options, Engine const& engine) {
    SpectralRunOptions const& asked = options.spectral;
    std::string const& variant = engine.info().variant;
    if (takes_snapshot(engine) && asked.mask.empty()) {
        refuse(variant + " needs the mask of the coded aperture: --mask FILE");
    }
    if (!takes_snapshot(engine) && !asked.mask.empty()) refuse("--mask: " + variant + " takes pictures, no snapshots");
    static_cast<void>(parse_normalisation(asked.normalise));
    bool const boxes = !asked_boxes(asked).empty(), wanted = !asked.spectrum.empty() || !asked.plot.empty();
    if (wanted && !boxes) refuse("a spectrum of which pixels? Add --point X,Y or --box X,Y,W,H");
    if (boxes && !wanted && !options.json) {
        refuse("where should the spectrum go? Add --spectrum FILE.csv, --spectrum-plot FILE.svg or --json");
    }
    if (!asked.rgb.empty()) static_cast<void>(format_of_path(asked.rgb));
    static_cast<void>(parse_plot("--spectrum-plot", asked.plot));
}

/// The views beside the cube must not fall on what is read, nor on one another.
void check_views(SpectralRunOptions const& asked, JobPlan const& plan) {
    if (!asked.writes_single_files()) return;
    if (plan.several) refuse("--rgb, --spectrum and --spectrum-plot show one cube; give one input");
    std::vector<fs::path> taken = {fs::weakly_canonical(plan.jobs.front().input),
                                   fs::weakly_canonical(plan.jobs.front().output)};
    for (std::string const& name : {asked.rgb, asked.spectrum, asked.plot}) {
        if (name.empty()) continue;
        fs::path const path = fs::weakly_canonical(name);
        if (std::ranges::find(taken, path) != taken.end())
            refuse(name + " would be written over another file of this run");
        taken.push_back(path);
    }
}

bool is_snapshot_name(fs::path const& path) {
    return path.extension() == ".npy" || path.extension() == ".mat" || has_picture_extension(path);
}

}  // namespace

int run_spectral(RunOptions const& options, Engine const& engine) {
    check_request(options, engine);
    OutputRules rules;
    rules.suffix = "_cube";
    rules.extension = ".hdr";
    rules.format_of = [](fs::path const& path) { return static_cast<int>(cube_format_of_path(path)); };
    bool const snapshots = takes_snapshot(engine);
    JobPlan const plan = plan_run(options, std::move(rules), snapshots ? is_snapshot_name : has_picture_extension);
    check_views(options.spectral, plan);
    std::vector<Session> lanes =
        make_lanes(engine, largest_of(plan.jobs), size_options(options).memory_bytes, plan.jobs.size());
    double const bytes_per_pixel = 3 + sizeof(float) * static_cast<double>(engine.info().out_channels);
    return run_batch(SpectralTask(options, lanes), batch_options(options, engine, lanes.size(), bytes_per_pixel),
                     plan.jobs);
}

}  // namespace vitrum::cli
