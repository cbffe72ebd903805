// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace vitrum {

/// Memory that this process may still take without pushing the machine into swap or its container over its
/// limit: the kernel's MemAvailable, and what every enclosing memory cgroup (v1 and v2) leaves. Nothing where
/// the kernel does not tell. `root` stands in for "/" in tests.
[[nodiscard]] std::optional<std::uint64_t> available_memory(std::filesystem::path const& root = "/");

/// All memory of the machine, or the smallest limit of an enclosing cgroup.
[[nodiscard]] std::uint64_t total_memory(std::filesystem::path const& root = "/");

/// Bytes of this process in memory now, and the most there ever were.
[[nodiscard]] std::uint64_t resident_memory();
[[nodiscard]] std::uint64_t peak_resident_memory();

}  // namespace vitrum
