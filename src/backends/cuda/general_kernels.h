// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernel.h"

// Kernels that serve every size: those that multiply matrices have the precision of their operands as a parameter,
// others compute in float32. Every address in a Launch is the device's, its stream a cudaStream_t; a launch only queues
// work, so that it may be captured into a graph.

namespace vitrum::cuda {

/// What reads a picture's own colours is cheap, and what it rounds runs through the whole network.
[[nodiscard]] inline Support rounds_colours(Precision operands, Problem const& problem) {
    if (operands != Precision::fp32 && problem.inputs[Conv2d::kWeight][1] <= 4) {
        return {false, "colours are multiplied in fp32"};
    }
    return {};
}

template <Precision operands>
struct Conv2dKernel : ProductKernel<Conv2d, operands> {
    static constexpr KernelName kName{"implicit_gemm", operands};
    static Support supports(Conv2d const& op, Problem const& problem) {
        Support const exact = rounds_colours(operands, problem);
        return exact.ok ? ProductKernel<Conv2d, operands>::supports(op, problem) : exact;
    }
    /// Read where the output is written. x is not: its neighbours still need it.
    static std::vector<int> reusable_inputs(Conv2d const& op, Problem const&) {
        if (op.pixel_shuffle != 1) return {};
        return {Conv2d::kResidual};
    }
    static void launch(Conv2d const& op, Launch const& launch);
};

/// 3 × 3 convolutions that load a patch of the picture once for all taps.
template <Precision operands>
struct PatchConvKernel : ProductKernel<Conv2d, operands> {
    static constexpr KernelName kName{"patch_gemm", operands};
    static Support supports(Conv2d const& op, Problem const& problem);
    static std::vector<Packing> packings(Conv2d const& op, Problem const& problem);
    static std::size_t workspace_bytes(Conv2d const& op, Problem const& problem, int threads);
    static std::vector<int> reusable_inputs(Conv2d const& op, Problem const& problem) {
        return Conv2dKernel<operands>::reusable_inputs(op, problem);
    }
    static void launch(Conv2d const& op, Launch const& launch);
};

/// Convolutions of few channels, 3 × 3 or halving both sides by 4 × 4, in float16 operands that are scaled to the range
/// of each tile of pixels.
struct NarrowConvKernel : Kernel<Conv2d> {
    static constexpr KernelName kName{"narrow_patches", Precision::fp16};
    static Support supports(Conv2d const& op, Problem const& problem);
    static std::vector<Packing> packings(Conv2d const& op, Problem const& problem);
    static std::vector<int> reusable_inputs(Conv2d const& op, Problem const& problem) {
        return Conv2dKernel<Precision::fp32>::reusable_inputs(op, problem);
    }
    static void launch(Conv2d const& op, Launch const& launch);
};

/// 3 × 3 convolutions of one to four channels, in float32.
struct FromColoursKernel : Kernel<Conv2d> {
    static constexpr KernelName kName{"from_colours", Precision::fp32};
    static Support supports(Conv2d const& op, Problem const& problem);
    static void launch(Conv2d const& op, Launch const& launch);
};

/// 3 × 3 convolutions to one to three channels, in float16 operands that are scaled to the range of each tile of
/// pixels.
struct ToColoursKernel : Kernel<Conv2d> {
    static constexpr KernelName kName{"to_colours", Precision::fp16};
    static Support supports(Conv2d const& op, Problem const& problem);
    static std::vector<Packing> packings(Conv2d const& op, Problem const& problem);
    static std::vector<int> reusable_inputs(Conv2d const&, Problem const&) { return {Conv2d::kResidual}; }
    static void launch(Conv2d const& op, Launch const& launch);
};

struct LayerNormKernel : Kernel<LayerNorm> {
    static std::vector<int> reusable_inputs(LayerNorm const&, Problem const&) { return {LayerNorm::kX}; }
    static void launch(LayerNorm const& op, Launch const& launch);
};

template <Precision operands>
struct WindowAttentionKernel : ProductKernel<WindowAttention, operands> {
    using Op = WindowAttention;
    static constexpr KernelName kName{"window_per_block", operands};
    static Support supports(Op const& op, Problem const& problem);
    static std::size_t workspace_bytes(Op const& op, Problem const& problem, int threads);
    /// A window is read whole before it is written, and no window reads another's pixels.
    static std::vector<int> reusable_inputs(Op const&, Problem const&) { return {Op::kX, Op::kResidual}; }
    static void launch(Op const& op, Launch const& launch);
};

template <Precision operands>
struct MlpKernel : ProductKernel<Mlp, operands> {
    static constexpr KernelName kName{"gemm", operands};
    static std::size_t workspace_bytes(Mlp const& op, Problem const& problem, int threads);
    static std::vector<int> reusable_inputs(Mlp const&, Problem const&) { return {Mlp::kX, Mlp::kResidual}; }
    static void launch(Mlp const& op, Launch const& launch);
};

template <Precision operands>
struct ShiftMlpKernel : ProductKernel<ShiftMlp, operands> {
    using Op = ShiftMlp;
    static constexpr KernelName kName{"shift_by_address", operands};
    static std::size_t workspace_bytes(Op const& op, Problem const& problem, int threads);
    static std::vector<int> reusable_inputs(Op const&, Problem const&) { return {Op::kResidual}; }
    static void launch(Op const& op, Launch const& launch);
};

template <Precision operands>
struct GroupWindowAttentionKernel : ProductKernel<GroupWindowAttention, operands> {
    using Op = GroupWindowAttention;
    static constexpr KernelName kName{"window_per_block", operands};
    static Support supports(Op const& op, Problem const& problem);
    static std::size_t workspace_bytes(Op const& op, Problem const& problem, int threads);
    static std::vector<int> reusable_inputs(Op const&, Problem const&) { return {Op::kResidual}; }
    static void launch(Op const& op, Launch const& launch);
};

/// Each number from the numbers at its own place.
template <class O, int... kReusable>
struct ElementKernel : Kernel<O> {
    static std::vector<int> reusable_inputs(O const&, Problem const&) { return {kReusable...}; }
    static void launch(O const& op, Launch const& launch);
};
using AddKernel = ElementKernel<Add, Add::kA, Add::kB>;
using ActivateKernel = ElementKernel<Activate, Activate::kX>;
using AddPositionKernel = ElementKernel<AddPosition, AddPosition::kX>;

/// Copies of pixels, tables and interpolation, bound by memory.
using PixelShuffleKernel = ElementKernel<PixelShuffle>;
using ResizeNearestKernel = ElementKernel<ResizeNearest>;
using ReflectPadKernel = ElementKernel<ReflectPad>;
using CropKernel = ElementKernel<Crop>;
using ResizeKernel = ElementKernel<Resize, Resize::kAdd>;
using SinePositionKernel = ElementKernel<SinePosition>;
using TokensKernel = ElementKernel<Tokens>;
using MaxPool2dKernel = ElementKernel<MaxPool2d>;
using ToPixelsKernel = ElementKernel<ToPixels>;
using ToDenseKernel = ElementKernel<ToDense>;

struct ShiftBackKernel : ElementKernel<ShiftBack> {
    static Support supports(ShiftBack const& op, Problem const& problem) { return shifts_fit(op, problem); }
};

template <Precision operands>
struct DeformableAttentionKernel : ProductKernel<DeformableAttention, operands> {
    using Op = DeformableAttention;
    static constexpr KernelName kName{"gather", operands};
    static std::size_t workspace_bytes(Op const& op, Problem const& problem, int threads);
    static void launch(Op const& op, Launch const& launch);
};

struct QueryAttentionKernel : Kernel<QueryAttention> {
    using Op = QueryAttention;
    static constexpr std::string_view kName = "split_keys_fp32";
    static Support supports(Op const& op, Problem const& problem);
    static std::size_t workspace_bytes(Op const& op, Problem const& problem, int threads);
    static void launch(Op const& op, Launch const& launch);
};

template <Precision operands>
struct QueryMasksKernel : ProductKernel<QueryMasks, operands> {
    static constexpr KernelName kName{"gemm", operands};
    static std::size_t workspace_bytes(QueryMasks const& op, Problem const& problem, int threads);
    static void launch(QueryMasks const& op, Launch const& launch);
};

template <Precision operands>
struct PatchMergingKernel : ProductKernel<PatchMerging, operands> {
    using Op = PatchMerging;
    static constexpr KernelName kName{"gathering_gemm", operands};
    static std::size_t workspace_bytes(Op const& op, Problem const& problem, int threads);
    static void launch(Op const& op, Launch const& launch);
};

struct GroupNormKernel : Kernel<GroupNorm> {
    static std::size_t workspace_bytes(GroupNorm const& op, Problem const& problem, int threads);
    /// The statistics are complete before the first pixel is written.
    static std::vector<int> reusable_inputs(GroupNorm const&, Problem const&) { return {GroupNorm::kX}; }
    static void launch(GroupNorm const& op, Launch const& launch);
};

template <Precision operands>
struct SpectralAttentionKernel : ProductKernel<SpectralAttention, operands> {
    using Op = SpectralAttention;
    static constexpr KernelName kName{"two_passes", operands};
    static std::size_t workspace_bytes(Op const& op, Problem const& problem, int threads);
    /// Read where the output is written. x is not: rows around a band are read again.
    static std::vector<int> reusable_inputs(Op const&, Problem const&) { return {Op::kResidual}; }
    static void launch(Op const& op, Launch const& launch);
};

template <Precision operands>
struct ConvMlpKernel : ProductKernel<ConvMlp, operands> {
    using Op = ConvMlp;
    static constexpr KernelName kName{"gemm_in_bands", operands};
    static std::size_t workspace_bytes(Op const& op, Problem const& problem, int threads);
    static std::vector<int> reusable_inputs(Op const&, Problem const&) { return {Op::kResidual}; }
    static void launch(Op const& op, Launch const& launch);
};

struct DepthwiseConvKernel : Kernel<DepthwiseConv> {
    using Op = DepthwiseConv;
    static std::vector<Packing> packings(Op const& op, Problem const& problem);
    static std::vector<int> reusable_inputs(Op const&, Problem const&) { return {Op::kGated}; }
    static void launch(Op const& op, Launch const& launch);
};

struct DenseKernel : Kernel<Dense> {
    static constexpr std::string_view kName = "typed_loops";
    static void launch(Dense const& op, Launch const& launch);
};

}  // namespace vitrum::cuda
