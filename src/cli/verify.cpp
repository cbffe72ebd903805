// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <cmath>
#include <memory>

#include "command.h"
#include "model_options.h"
#include "parse.h"
#include "progress.h"
#include "text.h"
#include "vitrum/error.h"
#include "vitrum/measure.h"

namespace vitrum::cli {
namespace {

struct VerifyOptions {
    ModelOptions model;
    std::string golden, images, reference, against, tile = "auto", memory;
    std::string size = "64x64";
    double tolerance = 0;
    bool layers = false, json = false;
};

/// JSON has no infinity: the PSNR of equal pictures becomes null.
Json number(double value) {
    return std::isfinite(value) ? Json(value) : Json(nullptr);
}

Json comparisons_json(std::vector<TensorComparison> const& comparisons) {
    Json json = Json::array();
    for (TensorComparison const& c : comparisons) {
        json.push_back(
            {{"name", c.name},
             {"count", c.count},
             {"non_finite", c.non_finite},
             {"absolute", {{"mean", c.absolute_mean}, {"median", c.absolute_median}, {"max", c.absolute_max}}},
             {"relative", {{"mean", c.relative_mean}, {"median", c.relative_median}, {"max", c.relative_max}}},
             {"normalised", number(c.normalised)},
             {"psnr_db", number(c.psnr_db)}});
    }
    return json;
}

void print_comparisons(std::string const& what, std::vector<TensorComparison> const& comparisons) {
    Table table({what, "values", "NaN/Inf", "abs mean", "abs median", "abs max", "rel mean", "rel median", "rel max",
                 "PSNR dB", "normalised"});
    for (TensorComparison const& c : comparisons) {
        auto const small = [](double value) { return fmt::format("{:.2e}", value); };
        table.add({c.name, std::to_string(c.count), std::to_string(c.non_finite), small(c.absolute_mean),
                   small(c.absolute_median), small(c.absolute_max), small(c.relative_mean), small(c.relative_median),
                   small(c.relative_max), fmt::format("{:.1f}", c.psnr_db), small(c.normalised)});
    }
    fmt::print("{}\n", table.str());
}

int concluded(bool passed, double tolerance, Session const& session, bool json) {
    if (!json) {
        fmt::print("{}: the normalised error, max|y − ŷ| / std(y), must not exceed {:.1e} (in {} on {})\n",
                   passed ? "passed" : "FAILED", tolerance, name_of(session.engine().precision()),
                   device_name(session.engine().options()));
    }
    return passed ? 0 : static_cast<int>(ErrorKind::accuracy);
}

int verify_against_golden(VerifyOptions const& options, Session& session) {
    GoldenReport const report = verify_golden(session, options.golden, options.tolerance);
    if (options.json) {
        print_json({{"passed", report.passed},
                    {"tolerance", report.tolerance},
                    {"precision", name_of(session.engine().precision())},
                    {"outputs", comparisons_json(report.outputs)}});
    } else {
        print_comparisons("output", report.outputs);
    }
    return concluded(report.passed, report.tolerance, session, options.json);
}

int verify_against(VerifyOptions const& options, Session& session) {
    PictureSize const size = parse_size("--size", options.size);
    AgainstReport const report =
        verify_against_reference(session, {1, size.height, size.width}, options.layers, options.tolerance);
    if (options.json) {
        print_json({{"passed", report.passed},
                    {"tolerance", report.tolerance},
                    {"precision", name_of(session.engine().precision())},
                    {"outputs", comparisons_json(report.outputs)},
                    {"layers", comparisons_json(report.layers)}});
    } else {
        if (options.layers) print_comparisons("operator", report.layers);
        print_comparisons("output", report.outputs);
    }
    return concluded(report.passed, report.tolerance, session, options.json);
}

Json quality_json(PictureQuality const& quality) {
    return {{"psnr_y_db", number(quality.psnr_y_db)},
            {"psnr_rgb_db", number(quality.psnr_rgb_db)},
            {"ssim_y", quality.ssim_y}};
}

std::vector<std::string> quality_row(std::string const& name, PictureQuality const& a, PictureQuality const& b) {
    auto const db = [](double value) { return fmt::format("{:.3f}", value); };
    auto const ssim = [](double value) { return fmt::format("{:.4f}", value); };
    return {name,          db(a.psnr_y_db), db(a.psnr_rgb_db), ssim(a.ssim_y), db(b.psnr_y_db), db(b.psnr_rgb_db),
            ssim(b.ssim_y)};
}

void print_quality(QualityReport const& report, int scale) {
    std::string const other = scale > 1 ? "bicubic" : "input";
    Table table(
        {"picture", "PSNR-Y dB", "PSNR-RGB dB", "SSIM", other + " PSNR-Y", other + " PSNR-RGB", other + " SSIM"});
    for (PictureComparison const& p : report.pictures) table.add(quality_row(p.name, p.restored, p.bicubic));
    table.add(quality_row("mean", report.mean, report.bicubic_mean));
    fmt::print("{}", table.str());
}

int verify_against_pictures(VerifyOptions const& options, Session& session) {
    ProgressLine progress(progress_style(options.json, false));
    RestoreOptions restore;
    restore.tile = parse_tile("--tile", options.tile);
    if (!options.memory.empty()) restore.memory_bytes = parse_bytes("--memory", options.memory);
    restore.progress = [&](double fraction) {
        progress.update(fraction, options.images);
        return true;
    };
    QualityReport const report = verify_images(session, options.images, options.reference, restore);
    progress.finish();
    if (!options.json) {
        print_quality(report, session.engine().info().scale);
        return 0;
    }
    Json pictures = Json::array();
    for (PictureComparison const& p : report.pictures) {
        pictures.push_back(
            {{"name", p.name}, {"restored", quality_json(p.restored)}, {"bicubic", quality_json(p.bicubic)}});
    }
    print_json({{"mean", quality_json(report.mean)},
                {"bicubic_mean", quality_json(report.bicubic_mean)},
                {"pictures", pictures}});
    return 0;
}

int verify(VerifyOptions const& options) {
    bool const golden = !options.golden.empty(), against = !options.against.empty();
    if (golden + against + !options.images.empty() != 1 || options.images.empty() != options.reference.empty()) {
        throw Error("give one of --golden FILE, --against reference, or --images FOLDER with --reference FOLDER",
                    ErrorKind::usage);
    }
    if (options.against == "onnxruntime") {
        throw Error("--against onnxruntime is the Python package's: python -m vitrum verify " + options.model.model +
                        " --against onnxruntime --size " + options.size + (options.layers ? " --layers" : ""),
                    ErrorKind::usage);
    }
    if (options.layers && !against) throw Error("--layers goes with --against reference", ErrorKind::usage);
    Session session(open_engine(options.model));
    if (against) return verify_against(options, session);
    return golden ? verify_against_golden(options, session) : verify_against_pictures(options, session);
}

}  // namespace

Command add_verify(CLI::App& root) {
    Verb const verb(root, "verify", "Prove that a model gives the right answer");
    auto const options = std::make_shared<VerifyOptions>();
    verb.option("MODEL", options->model.model, "a checkpoint or an engine file").required();
    verb.option("--golden", options->golden, "a safetensors file with input* and output* (float32, NCHW)")
        .value("FILE");
    verb.option(
            "--tolerance", options->tolerance,
            "limit of the normalised error; default: 1e-4 in fp32, 5e-3 in tf32, 3e-2 in fp16, 2e-1 in bf16, and 16 × "
            "the file's float32_noise where that is more")
        .value("X")
        .positive();
    verb.option("--images", options->images, "a folder of degraded pictures").value("FOLDER");
    verb.option("--reference", options->reference, "their originals, paired by name: babyx4.png with baby.png")
        .value("FOLDER");
    verb.option("--against", options->against,
                "reference: the same network on scalar kernels with float64 sums, for noise as input; onnxruntime: by "
                "the Python package")
        .value("DEVICE")
        .one_of({"reference", "onnxruntime"});
    verb.option("--size", options->size, "of that input").value("HxW").shows_default();
    verb.flag("--layers", options->layers, "compare the output of every operator too");
    verb.option("-t,--tile", options->tile, "as for `vitrum run`").value("N").shows_default();
    verb.option("--memory", options->memory, "as for `vitrum run`").value("SIZE");
    verb.flag("--json", options->json, "print JSON");
    add_model_options(verb, options->model);
    verb.footer(
        "Exit code 3: the tolerance is exceeded, or an output is NaN or infinite.\n"
        "Pictures: RGB rounded to 8 bits, Y of BT.601 unrounded, a border of `scale` pixels cut off.\n"
        "Examples:\n  vitrum verify model.pth --golden io.safetensors\n"
        "  vitrum verify model.pth --against reference --layers\n"
        "  vitrum verify model.pth --images Set5/LR_x4 --reference Set5/HR");
    return {verb, [options] { return verify(*options); }};
}

}  // namespace vitrum::cli
