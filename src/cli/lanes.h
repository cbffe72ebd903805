// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "jobs.h"
#include "vitrum/engine.h"

namespace vitrum::cli {

/// The picture of the most pixels; {1, 0, 0} where no header tells.
[[nodiscard]] Sizes largest_of(std::vector<Job> const& jobs);

/// Sessions that compute different inputs side by side. One on a CPU, where it has all cores. On a GPU several, as far
/// as they leave half of its memory (or of `memory_bytes`, where that is not 0) free when all are at the `largest`
/// size, for which they have memory from the beginning: copies of one input, and what the host does with it before and
/// after the network, happen while others are computed.
[[nodiscard]] std::vector<Session> make_lanes(Engine const& engine, Sizes const& largest, std::uint64_t memory_bytes,
                                              std::size_t jobs);

/// Where there are several lanes, makes what an input of that size is computed by, as they do it otherwise, while they
/// compute others. What the engine refuses is told by whoever computes the input.
void expect_size(std::vector<Session> const& lanes, Sizes const& sizes);

struct LaneLimits {
    std::uint64_t free_bytes = 0, each_bytes = 0;  ///< of the device; of one session's activations
    std::int64_t pixels = 0;                       ///< of the largest input
    int threads = 1;                               ///< of the host, half of which lanes may keep waiting
    std::size_t jobs = 1;
};
/// How many sessions a GPU may have, at least one.
[[nodiscard]] int lane_count(LaneLimits const& limits);

}  // namespace vitrum::cli
