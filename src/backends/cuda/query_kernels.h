// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernel.h"

// Kernels of a segmentation network's queries.

namespace vitrum::cuda {

constexpr int kQueryTileDim = 32;  // the most channels of a head

/// Heads of few channels by tensor cores (query_attention.cu).
template <Precision operands>
struct QueryTilesKernel : Kernel<QueryAttention> {
    using Op = QueryAttention;
    static constexpr KernelName kName{"split_key_tiles", operands};
    static Support supports(Op const& op, Problem const& problem) {
        std::int64_t const dim = problem.inputs[Op::kQueries][3] / op.heads;
        if (dim > kQueryTileDim || dim % 4 != 0) {
            return {false, fmt::format("heads of {} channels: serves multiples of 4 up to {}", dim, kQueryTileDim)};
        }
        return serves(operands, problem.precision);
    }
    static std::size_t workspace_bytes(Op const& op, Problem const& problem, int threads);
    static void launch(Op const& op, Launch const& launch);
};

// ---- Products of queries, which are so few that nothing counts but latency, as exact as float32 in every precision
// (few_rows.cu).

[[nodiscard]] inline std::int64_t few_rows(Shape const& x) {
    return x[0] * x[1] * x[2];
}

/// Queries are [N, 1, Q, C].
[[nodiscard]] inline Support few_rows_support(Shape const& x) {
    constexpr std::int64_t kMost = 256;
    if (x[1] != 1) return {false, fmt::format("for queries, of one row, not of {}", x[1])};
    if (few_rows(x) > kMost) return {false, fmt::format("{} queries, more than {}", few_rows(x), kMost)};
    return {};
}

/// 1 × 1 convolutions.
struct FewRowsConvKernel : Kernel<Conv2d> {
    static constexpr std::string_view kName = "few_rows_3xtf32";
    static Support supports(Conv2d const& op, Problem const& problem) {
        if (op.kernel != 1 || op.stride != 1 || op.pixel_shuffle != 1) return {false, "for 1 × 1 and stride 1 only"};
        return few_rows_support(problem.inputs[Conv2d::kX]);
    }
    static std::vector<Packing> packings(Conv2d const& op, Problem const& problem);
    static std::vector<int> reusable_inputs(Conv2d const&, Problem const&) { return {Conv2d::kResidual}; }
    static void launch(Conv2d const& op, Launch const& launch);
};

struct FewRowsMlpKernel : Kernel<Mlp> {
    static constexpr std::string_view kName = "few_rows_3xtf32";
    static Support supports(Mlp const&, Problem const& problem) {
        if (problem.present[Mlp::kNormWeight]) return {false, "knows no norm"};
        return few_rows_support(problem.inputs[Mlp::kX]);
    }
    static std::vector<Packing> packings(Mlp const& op, Problem const& problem);
    static std::size_t workspace_bytes(Mlp const& op, Problem const& problem, int threads);
    static std::vector<int> reusable_inputs(Mlp const&, Problem const&) { return {Mlp::kX, Mlp::kResidual}; }
    static void launch(Mlp const& op, Launch const& launch);
};

}  // namespace vitrum::cuda
