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
/// size: copies of one input, and what the host does with it before and after the network, happen while others are
/// computed.
[[nodiscard]] std::vector<Session> make_lanes(Engine const& engine, Sizes const& largest, std::uint64_t memory_bytes,
                                              std::size_t jobs);

/// How many sessions a device may have, at `each_bytes` of activations in `free_bytes`.
[[nodiscard]] int lane_count(std::uint64_t free_bytes, std::uint64_t each_bytes, std::size_t jobs);

}  // namespace vitrum::cli
