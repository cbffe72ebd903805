// SPDX-License-Identifier: Apache-2.0
#include "lanes.h"

#include <algorithm>

#include "vitrum/error.h"
#include "vitrum/measure.h"

namespace vitrum::cli {

Sizes largest_of(std::vector<Job> const& jobs) {
    Sizes largest{1, 0, 0};
    for (Job const& job : jobs) {
        if (job.height * job.width > largest.h * largest.w) largest = {1, job.height, job.width};
    }
    return largest;
}

int lane_count(LaneLimits const& limits) {
    // Measured with SwinIR in fp16 on an H200: from 256 × 256 on three sessions fill the GPU; at 64 × 64, whose kernels
    // leave most of it idle, eight are twice as fast as four.
    constexpr std::int64_t kSmall = 128 * 128;
    constexpr std::uint64_t kOfSmall = 8, kOfLarge = 3, kLeast = 2;
    std::uint64_t lanes = std::min<std::uint64_t>(limits.jobs, limits.pixels <= kSmall ? kOfSmall : kOfLarge);
    lanes = std::min(lanes, std::max(kLeast, static_cast<std::uint64_t>(limits.threads) / 2));
    lanes = std::min(lanes, limits.free_bytes / 2 / std::max<std::uint64_t>(1, limits.each_bytes));
    return static_cast<int>(std::max<std::uint64_t>(1, lanes));
}

/// Sizes that the network refuses are told by the input that has them, in its turn: one lane for them.
static int lane_count_of(Engine const& engine, Sizes const& largest, std::uint64_t memory_bytes, std::size_t jobs) {
    if (engine.options().device != Device::cuda || jobs == 1 || largest.h == 0) return 1;
    try {
        std::uint64_t const free_bytes = memory_bytes != 0 ? memory_bytes : device_free_bytes(engine);
        return lane_count({.free_bytes = free_bytes,
                           .each_bytes = engine.arena_bytes(largest),
                           .pixels = largest.h * largest.w,
                           .threads = engine.options().threads,
                           .jobs = jobs});
    } catch (Error const&) {
        return 1;
    }
}

/// For the largest input at once: each that is larger than all before it would have a GPU's memory moved, for which all
/// lanes wait.
static void take_memory(std::vector<Session>& lanes, Sizes const& largest) {
    try {
        for (Session& lane : lanes) lane.prepare(largest);
    } catch (Error const&) {  // told by the input that needs it, if it is not taken in tiles
    }
}

std::vector<Session> make_lanes(Engine const& engine, Sizes const& largest, std::uint64_t memory_bytes,
                                std::size_t jobs) {
    std::vector<Session> lanes;
    for (int i = lane_count_of(engine, largest, memory_bytes, jobs); i > 0; --i) lanes.emplace_back(engine);
    if (lanes.size() > 1) take_memory(lanes, largest);
    return lanes;
}

void expect_size(std::vector<Session> const& lanes, Sizes const& sizes) {
    if (lanes.size() == 1) return;
    try {
        static_cast<void>(lanes.front().engine().arena_bytes(sizes));  // asked for a program, it keeps that
    } catch (Error const&) {
    }
}

}  // namespace vitrum::cli
