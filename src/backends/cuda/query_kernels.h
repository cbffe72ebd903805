// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernel.h"

// Kernels of a segmentation network's queries.

namespace vitrum::cuda {

/// Heads of few channels by tensor cores, in every precision as exactly as float32 (query_attention.cu).
struct QueryTilesKernel : Kernel<QueryAttention> {
    using Op = QueryAttention;
    static constexpr std::string_view kName = "split_keys_3xtf32";
    static constexpr int kMostDim = 32;
    static Support supports(Op const& op, Problem const& problem) {
        std::int64_t const dim = problem.inputs[Op::kQueries][3] / op.heads;
        if (dim > kMostDim || dim % 4 != 0) {
            return {false, fmt::format("heads of {} channels: serves multiples of 4 up to {}", dim, kMostDim)};
        }
        return {};
    }
    static std::size_t workspace_bytes(Op const& op, Problem const& problem, int threads);
    static void launch(Op const& op, Launch const& launch);
};

}  // namespace vitrum::cuda
