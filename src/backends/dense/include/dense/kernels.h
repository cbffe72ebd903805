// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/kernel_list.h"

namespace vitrum::dense {

/// How numbers are computed inside an operator on float32: in float64, which defines its meaning, or in float32.
/// Sums are float64 in both.
enum class Precision : std::uint8_t { exact, fast };

[[nodiscard]] std::size_t workspace_bytes(Dense const& op, Problem const& problem, int threads);
/// Those whose memory the output may take: what is read number by number as it is written.
[[nodiscard]] std::vector<int> reusable_inputs(Dense const& op, Problem const& problem);
void run(Dense const& op, Launch const& launch, Precision precision);
void run(ToPixels const& op, Launch const& launch);
void run(ToDense const& op, Launch const& launch);

/// What both backends put into their lists: typed loops over threads, for every operator on dense values.
template <Precision precision>
struct Kernel : KernelDefaults<Dense> {
    static constexpr std::string_view kName = precision == Precision::exact ? "reference" : "typed_loops";
    static std::size_t workspace_bytes(Dense const& op, Problem const& problem, int threads) {
        return dense::workspace_bytes(op, problem, threads);
    }
    static std::vector<int> reusable_inputs(Dense const& op, Problem const& problem) {
        return dense::reusable_inputs(op, problem);
    }
    static void launch(Dense const& op, Launch const& launch) { run(op, launch, precision); }
};

/// Between dense values and activations: the same copy in both backends.
template <class O>
struct BorderKernel : KernelDefaults<O> {
    static constexpr std::string_view kName = "copy";
    static void launch(O const& op, Launch const& launch) { run(op, launch); }
};

}  // namespace vitrum::dense
