// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <span>

namespace vitrum::cli {

/// What is done to each job, one after the other; different jobs are in different stages at the same time. A job whose
/// stage throws skips those that are left. Called by threads of the pipeline, but for the last.
struct PipelineStages {
    std::function<void(std::size_t job)> read;
    /// One job at a time in each lane.
    std::function<void(std::size_t job, int lane)> compute;
    std::function<void(std::size_t job)> write;
    /// By the calling thread, in the order of the jobs. What it throws ends the pipeline.
    std::function<void(std::size_t job, std::exception_ptr const& failure)> report;
};

struct PipelineLimits {
    /// Decoding is quick beside encoding: a PNG takes ten times as long to write as to read.
    static constexpr int kMostReaders = 4;

    int readers = 1, lanes = 1, writers = 1;  ///< threads of each stage
    std::size_t jobs = 1;                     ///< read and not reported at a time
    std::uint64_t bytes = UINT64_MAX;         ///< that they may hold together, but for a single one
};

/// Takes every job through the stages; jobs begin in their order. `bytes`: what each of them holds. Returns when all
/// are reported.
void run_pipeline(std::span<std::uint64_t const> bytes, PipelineStages const& stages, PipelineLimits const& limits);

}  // namespace vitrum::cli
