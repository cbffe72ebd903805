// SPDX-License-Identifier: Apache-2.0
#include "jobs.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>

#include "vitrum/error.h"
#include "vitrum/image.h"

namespace vitrum::cli {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(std::string const& text) {
    throw Error(text, ErrorKind::usage);
}

std::string_view usual_extension(ImageFormat format) {
    switch (format) {
        case ImageFormat::png: return ".png";
        case ImageFormat::jpeg: return ".jpg";
        case ImageFormat::webp: return ".webp";
        case ImageFormat::tiff: return ".tif";
        case ImageFormat::bmp: return ".bmp";
        case ImageFormat::pnm: return ".pnm";
        case ImageFormat::pfm: return ".pfm";
    }
    return ".png";
}

/// The input's own extension; where that says nothing, the one of what the file holds.
std::string extension_like(fs::path const& input) {
    if (has_picture_extension(input)) return input.extension().string();
    try {
        return std::string(usual_extension(probe_image(input).format));
    } catch (Error const&) {
        return ".png";  // reading it will fail, and say why
    }
}

std::string extension_of_output(Input const& input, OutputRules const& rules) {
    if (!rules.format.empty()) return "." + rules.format;
    return rules.extension.empty() ? extension_like(input.path) : rules.extension;
}

bool is_output_name(std::string const& name, OutputRules const& rules) {
    try {
        static_cast<void>(rules.format_of(name));
        return true;
    } catch (Error const&) {
        return false;
    }
}

std::string output_name(Input const& input, OutputRules const& rules) {
    std::string const extension = extension_of_output(input, rules);
    return input.relative.stem().string() + rules.suffix + extension;
}

fs::path output_of(Input const& input, OutputRules const& rules, bool to_folder) {
    if (rules.out.empty()) return input.path.parent_path() / output_name(input, rules);
    if (to_folder) return fs::path(rules.out) / input.relative.parent_path() / output_name(input, rules);
    return rules.out;
}

void check_rules(OutputRules const& rules, bool to_folder, bool several_inputs) {
    if (!rules.format.empty()) static_cast<void>(rules.format_of("x." + rules.format));
    if (rules.out.empty() || to_folder) {
        if (fs::is_regular_file(rules.out))
            refuse(fmt::format("{} is a file; several inputs need a folder", rules.out));
        if (several_inputs && is_output_name(rules.out, rules) && !fs::is_directory(rules.out)) {
            refuse(fmt::format("{} is a file's name; several inputs need a folder", rules.out));
        }
        return;
    }
    if (!rules.format.empty() && rules.format_of(rules.out) != rules.format_of("x." + rules.format)) {
        refuse(fmt::format("{} does not end like the format {}", rules.out, rules.format));
    }
}

/// Leaves out of what folders were searched for the pictures that this very plan would write: results of
/// an earlier run, which would otherwise be enlarged once more.
int leave_out_earlier_results(std::vector<Input>& inputs, OutputRules const& rules, bool to_folder) {
    std::set<fs::path> outputs;
    for (Input const& input : inputs) outputs.insert(fs::weakly_canonical(output_of(input, rules, to_folder)));
    return static_cast<int>(std::erase_if(inputs, [&](Input const& input) {
        return input.searched && outputs.contains(fs::weakly_canonical(input.path));
    }));
}

}  // namespace

int picture_format(fs::path const& path) {
    return static_cast<int>(format_of_path(path));
}

bool is_folder_output(std::string const& out, bool several_inputs) {
    if (out.empty()) return false;
    if (several_inputs || out.ends_with('/') || fs::is_directory(out)) return true;
    return !fs::path(out).has_extension();
}

JobPlan plan_jobs(std::vector<Input> const& all, OutputRules const& rules, bool several_inputs) {
    bool const to_folder = is_folder_output(rules.out, several_inputs);
    check_rules(rules, to_folder, several_inputs);
    if (!rules.out.empty() && !to_folder) static_cast<void>(rules.format_of(rules.out));

    JobPlan plan;
    plan.several = several_inputs;
    std::vector<Input> inputs = all;
    if (!rules.suffix.empty()) plan.earlier_results = leave_out_earlier_results(inputs, rules, to_folder);
    std::set<fs::path> sources;
    for (Input const& input : inputs) sources.insert(fs::weakly_canonical(input.path));
    std::map<fs::path, fs::path> taken;
    for (Input const& input : inputs) {
        fs::path const output = output_of(input, rules, to_folder);
        fs::path const key = fs::weakly_canonical(output);
        if (sources.contains(key)) {
            refuse(fmt::format("{} would be written over an input; choose another -o or --suffix", output.string()));
        }
        if (auto const [other, is_new] = taken.emplace(key, input.path); !is_new) {
            refuse(fmt::format("{} and {} would both be written to {}", other->second.string(), input.path.string(),
                               output.string()));
        }
        plan.jobs.push_back({input.path, output});
    }
    return plan;
}

}  // namespace vitrum::cli
