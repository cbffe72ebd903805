// SPDX-License-Identifier: Apache-2.0
#include "run_options.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "parse.h"
#include "vitrum/error.h"

namespace vitrum::cli {
namespace {

constexpr auto kExamples = R"(Examples:
  vitrum run model.pth photo.jpg                      writes photo_x4.jpg beside it
  vitrum run model.pth photo.jpg -o big.png
  vitrum run model.pth album/ -o big/ --recursive --skip-existing
  vitrum run model.pth 'scans/*.tif' -o out/ --memory 4G
  vitrum run mst_plus_plus.pth photo.jpg -o photo.mat --rgb check.png      31 bands, 400 to 700 nm
  vitrum run mst_l.pth snapshot.npy -o scene.hdr --mask mask.mat           28 bands from a CASSI snapshot
  vitrum run mask2former.pkl street.jpg --classes coco --overlay street_seen.jpg
A large picture is worked on in overlapping tiles where memory asks for it; --tile and --tile-overlap set
them by hand. Depth (8 and 16 bits, float), alpha, grey, colour profile and metadata are kept.)";

void add_path_options(Verb const& verb, RunOptions& options) {
    verb.option("MODEL", options.model.model,
                "a checkpoint (.pth, .pt, .pkl, .safetensors), a Hugging Face folder or an engine file (.vitrum)");
    verb.option("INPUT", options.inputs, "pictures, folders, or quoted patterns such as 'scans/*.png'");
    verb.option("-m,--model", options.model_flag, "the model, instead of MODEL").value("FILE");
    verb.option("-i,--input", options.input_flags, "an input, instead of INPUT; may be repeated")
        .value("PATH")
        .one_at_a_time();
    verb.option("-o,--output", options.out,
                "a file (one input) or a folder, made where it is missing; default: beside the input")
        .value("PATH");
    verb.option("-f,--format", options.format,
                "png, jpg, webp, tif, bmp, ppm, pfm (default: as the input); of cubes hdr, mat, npy, tif")
        .value("EXT");
    verb.option("--suffix", options.suffix,
                "put after the name; default: _x4 at scale 4, _restored at scale 1, _cube for spectra")
        .value("TEXT");
    verb.flag("-r,--recursive", options.recursive, "look into folders of folders, and keep their structure");
    verb.flag("--skip-existing", options.skip_existing, "leave outputs alone that are there already");
}

void add_size_options(Verb const& verb, RunOptions& options) {
    verb.option("-t,--tile", options.tile, "largest side of a tile in input pixels; none; or auto: as memory asks")
        .value("N")
        .shows_default();
    verb.option("--tile-overlap,--tile_overlap", options.overlap,
                "input pixels that neighbouring tiles share; default: the model's")
        .value("N")
        .not_negative();
    verb.option("--tile-pad,--tile_pad", options.pad, "context on each side of a tile: half of --tile-overlap")
        .value("N")
        .not_negative()
        .excludes("--tile-overlap");
    verb.option("--memory", options.memory,
                "what the process may use at most, such as 4G; default: most of what is free")
        .value("SIZE");
    verb.flag("--approximate", options.approximate,
              "allow tiles for a network that looks at the whole picture at once: the result changes");
}

void add_restore_options(Verb const& verb, RunOptions& options) {
    verb.option("--compare", options.compare,
                "also write a picture of the result (right) beside bicubic enlargement (left); one input only")
        .value("FILE")
        .group(kRestoreGroup);
    verb.option("-s,--scale", options.scale, "only checked: the model decides how much it enlarges")
        .value("N")
        .group(kRestoreGroup);
    verb.option("-q,--quality", options.save.quality, "of JPEG and WebP, 1 to 100")
        .value("N")
        .between(1, 100)
        .shows_default()
        .group(kRestoreGroup);
    verb.flag("--lossless", options.save.lossless, "WebP without loss").group(kRestoreGroup);
    verb.option("--compression", options.save.compression, "of PNG and TIFF, 0 (fast) to 9 (small)")
        .value("N")
        .between(0, 9)
        .shows_default()
        .group(kRestoreGroup);
    verb.flag("--strip-metadata", options.strip_metadata, "drop EXIF, XMP and comments; the colour profile stays")
        .group(kRestoreGroup);
}

}  // namespace

void add_run_options(Verb const& verb, RunOptions& options) {
    verb.footer(kExamples);
    add_path_options(verb, options);
    add_size_options(verb, options);
    add_model_options(verb, options.model);
    verb.flag("--quiet", options.quiet, "no progress and no line per picture");
    verb.flag("--json", options.json, "a JSON object per picture on stdout");
    add_restore_options(verb, options);
    add_spectral_options(verb, options.spectral);
    add_segment_options(verb, options.segment);
}

void settle_run_options(RunOptions& options) {
    if (!options.model_flag.empty()) {
        if (!options.model.model.empty()) options.inputs.insert(options.inputs.begin(), options.model.model);
        options.model.model = options.model_flag;
    }
    options.inputs.insert(options.inputs.end(), options.input_flags.begin(), options.input_flags.end());
    if (options.model.model.empty())
        throw Error("no model and no pictures: vitrum run MODEL INPUT… -o OUT", ErrorKind::usage);
    if (options.inputs.empty()) throw Error("no pictures: vitrum run MODEL INPUT… -o OUT", ErrorKind::usage);
    if (options.out == "-") throw Error("-o -: pictures go to files or folders, not to stdout", ErrorKind::usage);
    std::ranges::transform(options.format, options.format.begin(), [](unsigned char c) { return std::tolower(c); });
    if (options.format.starts_with('.')) options.format.erase(0, 1);
    if (options.suffix.find('/') != std::string::npos)
        throw Error("--suffix " + options.suffix + ": a name has no slash", ErrorKind::usage);
    if (!options.compare.empty()) static_cast<void>(format_of_path(options.compare));
    static_cast<void>(size_options(options));
}

/// What is no picture keeps its zeros: reading it will fail, and be reported, in its turn, or it is a snapshot.
static void measure(Job& job) {
    try {
        ImageInfo const info = probe_image(job.input);
        job.height = info.height;
        job.width = info.width;
    } catch (Error const&) {
    }
}

JobPlan plan_run(RunOptions const& options, OutputRules rules, bool (*wanted)(std::filesystem::path const&)) {
    namespace fs = std::filesystem;
    rules.out = options.out;
    rules.format = options.format;
    if (options.suffix != "auto") rules.suffix = options.suffix;
    fs::path const leave_out = is_folder_output(options.out, true) ? options.out : "";
    std::vector<Input> const inputs = collect_inputs(options.inputs, options.recursive, leave_out, wanted);
    bool const several = inputs.size() > 1 || fs::is_directory(options.inputs.front());
    JobPlan plan = plan_jobs(inputs, rules, several);
    for (Job& job : plan.jobs) measure(job);
    if (plan.earlier_results > 0 && !options.quiet) {
        fmt::print(stderr, "left out {} results of an earlier run (*{})\n", plan.earlier_results, rules.suffix);
    }
    return plan;
}

BatchOptions batch_options(RunOptions const& options, Engine const& engine, std::size_t lanes, double bytes_per_pixel) {
    constexpr std::uint64_t kBesideDevice = std::uint64_t{1} << 30, kBesideActivations = std::uint64_t{256} << 20;
    BatchOptions batch{.skip_existing = options.skip_existing,
                       .json = options.json,
                       .quiet = options.quiet,
                       .threads = engine.options().threads,
                       .lanes = lanes,
                       .bytes_per_pixel = bytes_per_pixel};
    if (engine.options().device == Device::cuda) batch.most_bytes = kBesideDevice;
    else if (options.memory.empty()) batch.most_bytes = kBesideActivations;
    return batch;
}

SizeOptions size_options(RunOptions const& options) {
    SizeOptions size;
    size.tile = parse_tile("--tile", options.tile);
    size.overlap = options.pad >= 0 ? 2 * options.pad : options.overlap;
    size.approximate = options.approximate;
    if (!options.memory.empty()) size.memory_bytes = parse_bytes("--memory", options.memory);
    return size;
}

void refuse_options_of_other_tasks(Verb const& verb, ModelInfo const& info) {
    constexpr std::array kGroups = {std::pair(kRestoreGroup, Task::restore), std::pair(kSpectralGroup, Task::spectral),
                                    std::pair(kSegmentGroup, Task::segment)};
    for (GivenOption const& option : verb.given()) {
        for (auto const& [group, task] : kGroups) {
            if (option.group != group || task == info.kind) continue;
            throw Error(fmt::format("{}: means nothing to this model ({})", option.name, info.variant),
                        ErrorKind::usage);
        }
    }
}

std::string tiles_text(int tiles, int height, int width, int retries) {
    std::string text;
    if (tiles > 1) text += fmt::format(", {} tiles of {}×{}", tiles, width, height);
    if (retries > 0) text += fmt::format(", made smaller {}× for want of memory", retries);
    return text;
}

}  // namespace vitrum::cli
