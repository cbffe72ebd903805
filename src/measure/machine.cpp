// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <sstream>
#include <string_view>

#include "base/threads.h"
#include "cpu/backend.h"
#include "loader/cuda.h"
#include "tasks/memory.h"
#include "vitrum/image.h"
#include "vitrum/measure.h"

namespace vitrum {
namespace {

/// The value of the first "key : value" line of /proc/cpuinfo.
std::string cpuinfo(std::string_view key) {
    std::ifstream in("/proc/cpuinfo");
    for (std::string line; std::getline(in, line);) {
        if (!line.starts_with(key)) continue;
        std::size_t const colon = line.find(": ");
        if (colon != std::string::npos) return line.substr(colon + 2);
    }
    return "unknown";
}

/// Of the processor's many flags those that kernels are, or may come to be, written for.
std::string instruction_sets() {
    constexpr std::array<std::string_view, 12> kOfInterest = {"sse4_2",      "avx",         "f16c",     "fma",
                                                              "avx2",        "avx_vnni",    "avx512f",  "avx512_vnni",
                                                              "avx512_bf16", "avx512_fp16", "amx_tile", "asimd"};
    std::string const all = fmt::format(" {} ", cpuinfo("flags"));
    std::string found;
    for (std::string_view const name : kOfInterest) {
        if (all.find(fmt::format(" {} ", name)) != std::string::npos) found += fmt::format("{} ", name);
    }
    return found.empty() ? "none of interest" : found.substr(0, found.size() - 1);
}

std::string gibibytes(std::uint64_t bytes) {
    return fmt::format("{:.1f} GiB", static_cast<double>(bytes) / 0x1p30);
}

std::string cache_sizes() {
    auto const kibibytes = [](int name) { return sysconf(name) / 1024; };
    return fmt::format("L1d {} KiB, L2 {} KiB, L3 {} KiB", kibibytes(_SC_LEVEL1_DCACHE_SIZE),
                       kibibytes(_SC_LEVEL2_CACHE_SIZE), kibibytes(_SC_LEVEL3_CACHE_SIZE));
}

std::string formats() {
    std::string names;
    for (auto const format : {ImageFormat::png, ImageFormat::jpeg, ImageFormat::webp, ImageFormat::tiff,
                              ImageFormat::bmp, ImageFormat::pnm, ImageFormat::pfm}) {
        names += fmt::format("{}{}", names.empty() ? "" : ", ", name_of(format));
    }
    return names;
}

std::string operating_system() {
    utsname names{};
    return uname(&names) == 0 ? fmt::format("{} {} {}", names.sysname, names.release, names.machine) : "unknown";
}

std::string device_names(CudaFacts const& cuda) {
    std::string names = "cpu, reference";
    for (std::size_t i = 0; i < cuda.devices.size(); ++i) names += fmt::format(", cuda:{}", i);
    return names;
}

}  // namespace

std::vector<MachineFact> doctor() {
    CudaFacts const cuda = cuda_facts();
    std::vector<MachineFact> facts = {
        {"compiler", __VERSION__},
        {"system", operating_system()},
        {"processor", cpuinfo("model name")},
        {"cores", fmt::format("{} usable of {}", available_cores(), sysconf(_SC_NPROCESSORS_ONLN))},
        {"caches", cache_sizes()},
        {"instruction sets", instruction_sets()},
        {"kernels for", fmt::format("{} (the first is used)", fmt::join(cpu_isas(), ", "))},
        {"memory", fmt::format("{} free of {}", gibibytes(available_memory().value_or(0)), gibibytes(total_memory()))},
        {"devices", device_names(cuda)},
        {"cuda", cuda.library},
        {"precisions", "fp32; on GPUs also tf32, bf16, fp16"},
        {"models", ".pth .pt .safetensors .vitrum (told apart by content)"},
        {"pictures", formats()},
    };
    for (std::size_t i = 0; i < cuda.devices.size(); ++i) facts.push_back({fmt::format("cuda:{}", i), cuda.devices[i]});
    return facts;
}

}  // namespace vitrum
