// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "jobs.h"
#include "text.h"
#include "vitrum/engine.h"

namespace vitrum::cli {

/// What became of one input.
struct JobReport {
    std::string line;                ///< for people: "a.png → b.png  64×64 → 256×256"
    std::vector<std::string> notes;  ///< what the user should know about the output
    Json facts;                      ///< for machines, beside input, output, status and seconds
    Reruns reruns = {};
};

/// One task of `vitrum run` on one input: reads it, computes, writes the job's output. Throws Error.
class BatchTask {
public:
    virtual ~BatchTask() = default;
    virtual JobReport process(Job const& job, Progress const& progress) = 0;
    /// The files that make a job done (`--skip-existing`).
    [[nodiscard]] virtual std::vector<std::filesystem::path> files_of(Job const& job) const { return {job.output}; }
    /// "restored", "segmented"
    [[nodiscard]] virtual std::string done_word() const = 0;
};

struct BatchOptions {
    bool skip_existing = false, json = false, quiet = false;
};

/// The inputs in turn, each reported as it is done: one bad input does not stop the others.
/// Returns the command's exit code: that of the gravest failure.
[[nodiscard]] int run_batch(BatchTask& task, BatchOptions const& options, std::vector<Job> const& jobs);

}  // namespace vitrum::cli
