// SPDX-License-Identifier: Apache-2.0
#include "tasks/memory.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vitrum {
namespace {

namespace fs = std::filesystem;

/// The number after `key` in a file of "key value" or "key: value kB" lines.
std::optional<std::uint64_t> value_of(fs::path const& file, std::string_view key) {
    std::ifstream in(file);
    std::string name, unit;
    for (std::string line; std::getline(in, line);) {
        if (!line.starts_with(key)) continue;
        std::string_view rest = std::string_view(line).substr(key.size());
        if (rest.starts_with(':')) rest.remove_prefix(1);
        if (rest.empty() || (rest.front() != ' ' && rest.front() != '\t')) continue;
        std::uint64_t const number = std::strtoull(std::string(rest).c_str(), nullptr, 10);
        return rest.ends_with("kB") ? number * 1024 : number;
    }
    return std::nullopt;
}

/// A file of one number; nothing for "max" and for a missing file.
std::optional<std::uint64_t> number_in(fs::path const& file) {
    std::uint64_t number = 0;
    if (std::ifstream in(file); in >> number) return number;
    return std::nullopt;
}

struct Limit {
    std::uint64_t bytes, used;
};

/// The limit of one cgroup folder. Page cache that the kernel drops on demand does not count as used.
std::optional<Limit> cgroup_limit(fs::path const& folder, bool v2) {
    auto const limit = number_in(folder / (v2 ? "memory.max" : "memory.limit_in_bytes"));
    auto const used = number_in(folder / (v2 ? "memory.current" : "memory.usage_in_bytes"));
    if (!limit || !used) return std::nullopt;
    auto const cache = value_of(folder / "memory.stat", v2 ? "inactive_file" : "total_inactive_file").value_or(0);
    return Limit{*limit, *used - std::min(*used, cache)};
}

/// The limits of the process's memory cgroup and of all that enclose it. In a container the path in
/// /proc/self/cgroup may be the host's; then only the mounted root exists, and it is the container's own.
std::vector<Limit> cgroup_limits(fs::path const& root) {
    std::vector<Limit> limits;
    std::ifstream in(root / "proc/self/cgroup");
    for (std::string line; std::getline(in, line);) {
        std::size_t const first = line.find(':'), second = line.find(':', first + 1);
        if (second == std::string::npos) continue;
        std::string const controllers = line.substr(first + 1, second - first - 1);
        bool const v2 = controllers.empty();
        if (!v2 && controllers != "memory") continue;
        fs::path const mount = root / (v2 ? "sys/fs/cgroup" : "sys/fs/cgroup/memory");
        for (fs::path below = fs::path(line.substr(second + 1)).relative_path();; below = below.parent_path()) {
            if (auto const limit = cgroup_limit(mount / below, v2)) limits.push_back(*limit);
            if (below.empty()) break;
        }
    }
    return limits;
}

}  // namespace

std::optional<std::uint64_t> available_memory(fs::path const& root) {
    auto available = value_of(root / "proc/meminfo", "MemAvailable");
    if (!available) return std::nullopt;
    for (Limit const& limit : cgroup_limits(root)) {
        available = std::min(*available, limit.bytes - std::min(limit.bytes, limit.used));
    }
    return available;
}

std::uint64_t total_memory(fs::path const& root) {
    std::uint64_t total = value_of(root / "proc/meminfo", "MemTotal").value_or(0);
    for (Limit const& limit : cgroup_limits(root)) total = std::min(total, limit.bytes);
    return total;
}

std::uint64_t resident_memory() {
    return value_of("/proc/self/status", "VmRSS").value_or(0);
}

std::uint64_t peak_resident_memory() {
    return value_of("/proc/self/status", "VmHWM").value_or(0);
}

}  // namespace vitrum
