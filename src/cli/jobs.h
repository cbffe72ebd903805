// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "inputs.h"

namespace vitrum::cli {

struct Job {
    std::filesystem::path input, output;
    std::int64_t height = 0, width = 0;  ///< of a picture, as its header says
};

[[nodiscard]] int picture_format(std::filesystem::path const& path);

struct OutputRules {
    std::string out;             ///< a file, a folder, or nothing: beside the input
    std::string format;          ///< an extension without its dot; nothing: as the input
    std::string suffix;          ///< put after the name: "_x4"
    std::string extension = {};  ///< with its dot, where no format is asked for; nothing: as the input
    /// A number for the format that a path's extension stands for. Throws Error (usage) where that is none.
    std::function<int(std::filesystem::path const&)> format_of = picture_format;
};

/// Whether `out` names a folder for these inputs, rather than the one file that is to be written.
[[nodiscard]] bool is_folder_output(std::string const& out, bool several_inputs);

struct JobPlan {
    std::vector<Job> jobs;
    int earlier_results = 0;  ///< pictures found in folders that a job of this plan writes: left out
    bool several = false;     ///< more than one input, or a folder
};

/// Where each input goes. Throws Error (usage), before any work is done, where an output would replace an
/// input, where two inputs have one output, and where the output's kind is unknown or contradicts `format`.
[[nodiscard]] JobPlan plan_jobs(std::vector<Input> const& inputs, OutputRules const& rules, bool several_inputs);

}  // namespace vitrum::cli
