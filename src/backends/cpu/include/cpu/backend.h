// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backends/backend.h"

namespace vitrum {

struct CpuOptions {
    std::string isa;  ///< one of cpu_isas(); empty: the best of them
};

/// The backend for this machine's processor. Backends with different instruction sets may live side by side.
/// Throws Error where the instruction set is unknown or this machine lacks it.
[[nodiscard]] std::unique_ptr<Backend> make_cpu_backend(CpuOptions const& options = {});

/// The instruction sets that this build holds and this machine runs, best first: "AVX3", "AVX2", "SSE4" or
/// "NEON", and the portable one, "EMU128" ("SCALAR" before GCC 12.3).
[[nodiscard]] std::vector<std::string> cpu_isas();

}  // namespace vitrum
