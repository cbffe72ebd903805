// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "jobs.h"
#include "model_options.h"
#include "vitrum/image.h"
#include "vitrum/restore.h"

namespace vitrum::cli {

/// `vitrum run` as typed.
struct RunOptions {
    ModelOptions model;
    std::string model_flag;                        ///< -m
    std::vector<std::string> inputs, input_flags;  ///< positional, -i
    std::string out, format, suffix = "auto";
    std::string compare;
    std::string tile = "auto", memory;
    int overlap = -1, pad = -1, scale = 0;
    SaveOptions save;
    bool recursive = false, skip_existing = false, strip_metadata = false, json = false, quiet = false;
};

void add_run_options(CLI::App& app, RunOptions& options);

/// Brings -m and -i into the places of MODEL and INPUT, and checks what can be checked before the model is opened.
void settle_run_options(RunOptions& options);

/// The inputs found, and where each goes. `suffix` is put after their names.
[[nodiscard]] JobPlan plan_run(RunOptions const& options, std::string const& suffix);

[[nodiscard]] RestoreOptions restore_options(RunOptions const& options);

}  // namespace vitrum::cli
