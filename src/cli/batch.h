// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
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
    Json facts = Json::object();     ///< for machines, beside input, output, status and seconds
    Reruns reruns = {};
};

/// One task of `vitrum run` on one input, in three stages, each of which gives the next and what that needs: so
/// the stages of different inputs run at the same time (see pipeline.h). They throw Error.
class BatchTask {
public:
    using Write = std::function<JobReport()>;
    /// One call at a time in each lane.
    using Compute = std::function<Write(int lane, Progress const& progress)>;

    virtual ~BatchTask() = default;
    [[nodiscard]] virtual Compute read(Job const& job) const = 0;
    /// The files that make a job done (`--skip-existing`).
    [[nodiscard]] virtual std::vector<std::filesystem::path> files_of(Job const& job) const { return {job.output}; }
    /// "restored", "segmented"
    [[nodiscard]] virtual std::string done_word() const = 0;
};

struct BatchOptions {
    bool skip_existing = false, json = false, quiet = false;
    int threads = 1;             ///< that write, and about as many read
    std::size_t lanes = 1;       ///< that the task computes in side by side
    double bytes_per_pixel = 0;  ///< that an input and its result take in memory
    /// Inputs and results that may be held together; 0: an input is begun when the one before is written.
    std::uint64_t most_bytes = 0;
};

/// All inputs, each reported in its turn as it is done: one bad input does not stop the others.
/// Returns the command's exit code: that of the gravest failure.
[[nodiscard]] int run_batch(BatchTask const& task, BatchOptions const& options, std::vector<Job> const& jobs);

}  // namespace vitrum::cli
