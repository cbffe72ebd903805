// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "batch.h"
#include "jobs.h"
#include "model_options.h"
#include "segment_options.h"
#include "spectral_options.h"
#include "verb.h"
#include "vitrum/image.h"

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
    SegmentArguments segment;
    SpectralRunOptions spectral;
    bool approximate = false;
    bool recursive = false, skip_existing = false, strip_metadata = false, json = false, quiet = false;
};

void add_run_options(Verb const& verb, RunOptions& options);

/// Brings -m and -i into the places of MODEL and INPUT, and checks what can be checked before the model is opened.
void settle_run_options(RunOptions& options);

/// The inputs found, and where each goes by the task's rules, of which `out` and `format` come from the options,
/// as `suffix` does where one was given. `wanted` tells by their names which files of a folder are inputs.
[[nodiscard]] JobPlan plan_run(RunOptions const& options, OutputRules rules,
                               bool (*wanted)(std::filesystem::path const&) = has_picture_extension);

/// How inputs go through, with so many `lanes` (see lanes.h): several at a time, but where a CPU's memory is limited.
[[nodiscard]] BatchOptions batch_options(RunOptions const& options, Engine const& engine, std::size_t lanes,
                                         double bytes_per_pixel);

/// Options that only one task knows stand in its group; for a network of another kind they are an Error (usage).
inline constexpr auto kRestoreGroup = "Restored pictures";
void refuse_options_of_other_tasks(Verb const& verb, ModelInfo const& info);

/// ", 4 tiles of 64×64, made smaller 1× for want of memory"; nothing where a picture was not tiled.
[[nodiscard]] std::string tiles_text(int tiles, int height, int width, int retries);

/// How large a part of a picture is worked on at once.
struct SizeOptions {
    int tile = -1, overlap = -1;
    std::uint64_t memory_bytes = 0;
    bool approximate = false;
};
[[nodiscard]] SizeOptions size_options(RunOptions const& options);

}  // namespace vitrum::cli
