// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernel.h"

// Kernels whose operands are rows scaled into the range of float16 (kernels/row_tile.cuh), so that they need no norm.
// Ten bits of fraction make them as exact as TF32.

namespace vitrum::cuda {

/// Of rows that are read and written in quads. Few channels are not worth the search for a row's largest number.
[[nodiscard]] inline Support scaled_rows_support(Problem const& problem, std::int64_t channels, std::int64_t results) {
    if (channels < 16) return {false, fmt::format("{} channels, fewer than 16", channels)};
    if (channels % 4 != 0 || results % 4 != 0) {
        return {false, fmt::format("{} and {} channels: serves multiples of 4", channels, results)};
    }
    if (problem.precision == Precision::fp32) return {false, "multiplies in fp16"};
    return {};
}

/// The same by Hopper's warpgroups, for rows enough to fill a GPU (hopper/row_product.cuh).
struct HopperRowMlpKernel : Kernel<Mlp> {
    static constexpr std::string_view kName = "scaled_rows_hopper_fp16";
    static Support supports(Mlp const& op, Problem const& problem);
    static std::vector<Packing> packings(Mlp const& op, Problem const& problem);
    static std::size_t workspace_bytes(Mlp const& op, Problem const& problem, int threads);
    static std::vector<int> reusable_inputs(Mlp const&, Problem const&) { return {Mlp::kX, Mlp::kResidual}; }
    static void launch(Mlp const& op, Launch const& launch);
};

struct HopperRowConvKernel : Kernel<Conv2d> {
    static constexpr std::string_view kName = "scaled_rows_hopper_fp16";
    static Support supports(Conv2d const& op, Problem const& problem);
    static std::vector<Packing> packings(Conv2d const& op, Problem const& problem);
    static std::size_t workspace_bytes(Conv2d const& op, Problem const& problem, int threads);
    static std::vector<int> reusable_inputs(Conv2d const&, Problem const&) { return {Conv2d::kResidual}; }
    static void launch(Conv2d const& op, Launch const& launch);
};

/// 1 × 1 convolutions.
struct RowConvKernel : Kernel<Conv2d> {
    static constexpr KernelName kName{"scaled_rows", Precision::fp16};
    static Support supports(Conv2d const& op, Problem const& problem) {
        if (op.kernel != 1 || op.stride != 1 || op.pixel_shuffle != 1) return {false, "for 1 × 1 and stride 1 only"};
        if (op.activation == Activation::gelu) return {false, "its GELU is one for operands"};
        Shape const& weight = problem.inputs[Conv2d::kWeight];
        return scaled_rows_support(problem, weight[1], weight[0]);
    }
    static std::vector<Packing> packings(Conv2d const& op, Problem const& problem);
    /// Read where the output is written.
    static std::vector<int> reusable_inputs(Conv2d const&, Problem const&) { return {Conv2d::kResidual}; }
    static void launch(Conv2d const& op, Launch const& launch);
};

struct RowMlpKernel : Kernel<Mlp> {
    static constexpr KernelName kName{"scaled_rows", Precision::fp16};
    static Support supports(Mlp const&, Problem const& problem) {
        return scaled_rows_support(problem, problem.inputs[Mlp::kX][3], problem.inputs[Mlp::kFc1Weight][0]);
    }
    static std::vector<Packing> packings(Mlp const& op, Problem const& problem);
    static std::size_t workspace_bytes(Mlp const& op, Problem const& problem, int threads);
    static std::vector<int> reusable_inputs(Mlp const&, Problem const&) { return {Mlp::kX, Mlp::kResidual}; }
    static void launch(Mlp const& op, Launch const& launch);
};

/// Heads of 32 channels behind a norm, by Hopper's warpgroups, for pixels enough to fill a GPU.
struct HopperRowWindowKernel : Kernel<WindowAttention> {
    using Op = WindowAttention;
    static constexpr std::string_view kName = "scaled_rows_hopper_fp16";
    static constexpr int kDim = 32;  ///< of a head
    static Support supports(Op const& op, Problem const& problem);
    static std::vector<Packing> packings(Op const& op, Problem const& problem);
    static std::size_t workspace_bytes(Op const& op, Problem const& problem, int threads);
    /// As of RowWindowKernel.
    static std::vector<int> reusable_inputs(Op const&, Problem const&) { return {Op::kX, Op::kResidual}; }
    static void launch(Op const& op, Launch const& launch);
};

struct RowWindowKernel : Kernel<WindowAttention> {
    using Op = WindowAttention;
    static constexpr KernelName kName{"scaled_rows", Precision::fp16};
    static Support supports(Op const& op, Problem const& problem);
    static std::vector<Packing> packings(Op const& op, Problem const& problem);
    static std::size_t workspace_bytes(Op const& op, Problem const& problem, int threads);
    /// A window is read whole before it is written, and no window reads another's pixels.
    static std::vector<int> reusable_inputs(Op const&, Problem const&) { return {Op::kX, Op::kResidual}; }
    static void launch(Op const& op, Launch const& launch);
};

/// By Hopper's warpgroups, where there are pixels enough.
struct HopperPatchMergingKernel : Kernel<PatchMerging> {
    using Op = PatchMerging;
    static constexpr std::string_view kName = "scaled_rows_hopper_fp16";
    static Support supports(Op const& op, Problem const& problem);
    static std::vector<Packing> packings(Op const& op, Problem const& problem);
    static std::size_t workspace_bytes(Op const& op, Problem const& problem, int threads);
    static void launch(Op const& op, Launch const& launch);
};

/// Offsets, scores, samples, projection and norm of a tile of pixels in one launch (deformable_fused.cu).
struct FusedDeformableKernel : Kernel<DeformableAttention> {
    using Op = DeformableAttention;
    static constexpr KernelName kName{"fused_tiles", Precision::fp16};
    static Support supports(Op const& op, Problem const& problem);
    static std::vector<Packing> packings(Op const& op, Problem const& problem);
    static void launch(Op const& op, Launch const& launch);
};

}  // namespace vitrum::cuda
