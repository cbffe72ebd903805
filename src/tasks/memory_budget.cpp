// SPDX-License-Identifier: Apache-2.0
#include "tasks/memory_budget.h"

#include <fmt/core.h>

#include <algorithm>

#include "backends/memory.h"
#include "engine/engine_data.h"
#include "tasks/memory.h"

namespace vitrum {
namespace {

/// Left to the rest of the machine, to the codec and to what the kernel needs to keep files cached.
constexpr std::uint64_t percent_of_free = 80;
/// A device's memory serves nothing else, but is handed out in pieces of megabytes.
constexpr std::uint64_t percent_of_device = 95;

/// Of the device's memory, which holds weights and activations; pictures stay on the host.
std::uint64_t device_budget(Session const& session, std::uint64_t limit) {
    std::uint64_t const weights = session.engine().weight_bytes();
    std::uint64_t const free_bytes = session.engine().data().memory().free_bytes();
    std::uint64_t const free = limit != 0 ? limit : free_bytes / 100 * percent_of_device + session.arena_bytes();
    return free - std::min(free, weights);
}

}  // namespace

std::optional<std::uint64_t> activation_budget(Session const& session, std::uint64_t picture_bytes,
                                               std::uint64_t limit) {
    if (!session.engine().data().memory().is_host()) return device_budget(session, limit);
    // The session's present memory is given back when it is prepared for another size.
    std::uint64_t const reusable = session.arena_bytes();
    // Weights are packed at the first run; until then as much again as there is now may come.
    std::uint64_t const to_come = picture_bytes + session.engine().weight_bytes();
    std::uint64_t free = 0;
    if (limit != 0) {
        std::uint64_t const resident = resident_memory();
        free = limit + reusable - std::min(limit + reusable, resident);
    } else {
        auto const available = available_memory();
        if (!available) return std::nullopt;
        free = *available / 100 * percent_of_free + reusable;
    }
    return free - std::min(free, to_come);
}

std::string too_little_memory(Session const& session, std::uint64_t budget) {
    bool const on_host = session.engine().data().memory().is_host();
    return fmt::format("{:.0f} MiB of {} are left for the network; allow more (--memory){}",
                       static_cast<double>(budget) / 0x1p20, on_host ? "memory" : "the GPU's memory",
                       on_host ? " or free some" : ", or end what else uses the GPU");
}

}  // namespace vitrum
