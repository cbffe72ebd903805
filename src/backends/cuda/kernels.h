// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/kernel_list.h"

// The CUDA backend's kernels in true float32. Every address in a Launch is the device's, its stream a cudaStream_t;
// a launch only queues work, so that it may be captured into a graph.

namespace vitrum {

struct Cuda;  // the tag of this backend's kernel lists

namespace cuda {

/// Pixels strides and offsets are int64; a block's columns, channels and depth are int.
template <class O>
struct Kernel : KernelDefaults<O> {
    static constexpr std::string_view kName = "fp32";
};

struct Conv2dKernel : Kernel<Conv2d> {
    static constexpr std::string_view kName = "implicit_gemm_fp32";
    static std::vector<Packing> packings(Conv2d const& op, Problem const& problem);
    /// Read where the output is written. x is not: its neighbours still need it.
    static std::vector<int> reusable_inputs(Conv2d const& op, Problem const&) {
        if (op.pixel_shuffle != 1) return {};
        return {Conv2d::kResidual};
    }
    static void launch(Conv2d const& op, Launch const& launch);
};

struct LayerNormKernel : Kernel<LayerNorm> {
    static std::size_t workspace_bytes(LayerNorm const& op, Problem const& problem, int threads);
    static std::vector<int> reusable_inputs(LayerNorm const&, Problem const&) { return {LayerNorm::kX}; }
    static void launch(LayerNorm const& op, Launch const& launch);
};

struct WindowAttentionKernel : Kernel<WindowAttention> {
    using Op = WindowAttention;
    static constexpr std::string_view kName = "window_per_block_fp32";
    static Support supports(Op const& op, Problem const& problem);
    static std::vector<Packing> packings(Op const& op, Problem const& problem);
    static std::size_t workspace_bytes(Op const& op, Problem const& problem, int threads);
    /// A window is read whole before it is written, and no window reads another's pixels.
    static std::vector<int> reusable_inputs(Op const&, Problem const&) { return {Op::kX, Op::kResidual}; }
    static void launch(Op const& op, Launch const& launch);
};

struct MlpKernel : Kernel<Mlp> {
    static constexpr std::string_view kName = "gemm_fp32";
    static std::vector<Packing> packings(Mlp const& op, Problem const& problem);
    static std::size_t workspace_bytes(Mlp const& op, Problem const& problem, int threads);
    static std::vector<int> reusable_inputs(Mlp const&, Problem const&) { return {Mlp::kX, Mlp::kResidual}; }
    static void launch(Mlp const& op, Launch const& launch);
};

struct ShiftMlpKernel : Kernel<ShiftMlp> {
    using Op = ShiftMlp;
    static constexpr std::string_view kName = "shift_by_address_fp32";
    static std::vector<Packing> packings(Op const& op, Problem const& problem);
    static std::size_t workspace_bytes(Op const& op, Problem const& problem, int threads);
    static std::vector<int> reusable_inputs(Op const&, Problem const&) { return {Op::kResidual}; }
    static void launch(Op const& op, Launch const& launch);
};

struct GroupWindowAttentionKernel : Kernel<GroupWindowAttention> {
    using Op = GroupWindowAttention;
    static constexpr std::string_view kName = "window_per_block_fp32";
    static Support supports(Op const& op, Problem const& problem);
    static std::vector<Packing> packings(Op const& op, Problem const& problem);
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

struct DeformableAttentionKernel : Kernel<DeformableAttention> {
    using Op = DeformableAttention;
    static std::vector<Packing> packings(Op const& op, Problem const& problem);
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

struct QueryMasksKernel : Kernel<QueryMasks> {
    static constexpr std::string_view kName = "gemm_fp32";
    static std::size_t workspace_bytes(QueryMasks const& op, Problem const& problem, int threads);
    static void launch(QueryMasks const& op, Launch const& launch);
};

struct PatchMergingKernel : Kernel<PatchMerging> {
    using Op = PatchMerging;
    static constexpr std::string_view kName = "gathering_gemm_fp32";
    static std::vector<Packing> packings(Op const& op, Problem const& problem);
    static std::size_t workspace_bytes(Op const& op, Problem const& problem, int threads);
    static void launch(Op const& op, Launch const& launch);
};

struct GroupNormKernel : Kernel<GroupNorm> {
    static std::size_t workspace_bytes(GroupNorm const& op, Problem const& problem, int threads);
    /// The statistics are complete before the first pixel is written.
    static std::vector<int> reusable_inputs(GroupNorm const&, Problem const&) { return {GroupNorm::kX}; }
    static void launch(GroupNorm const& op, Launch const& launch);
};

struct SpectralAttentionKernel : Kernel<SpectralAttention> {
    using Op = SpectralAttention;
    static constexpr std::string_view kName = "two_passes_fp32";
    static std::vector<Packing> packings(Op const& op, Problem const& problem);
    static std::size_t workspace_bytes(Op const& op, Problem const& problem, int threads);
    /// Read where the output is written. x is not: rows around a band are read again.
    static std::vector<int> reusable_inputs(Op const&, Problem const&) { return {Op::kResidual}; }
    static void launch(Op const& op, Launch const& launch);
};

struct ConvMlpKernel : Kernel<ConvMlp> {
    using Op = ConvMlp;
    static constexpr std::string_view kName = "gemm_in_bands_fp32";
    static std::vector<Packing> packings(Op const& op, Problem const& problem);
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

}  // namespace cuda

// clang-format off
template <> struct Kernels<Cuda, Dense> { using list = KernelList<Dense, cuda::DenseKernel>; };
template <> struct Kernels<Cuda, ToPixels> { using list = KernelList<ToPixels, cuda::ToPixelsKernel>; };
template <> struct Kernels<Cuda, ToDense> { using list = KernelList<ToDense, cuda::ToDenseKernel>; };
template <> struct Kernels<Cuda, Conv2d> { using list = KernelList<Conv2d, cuda::Conv2dKernel>; };
template <> struct Kernels<Cuda, LayerNorm> { using list = KernelList<LayerNorm, cuda::LayerNormKernel>; };
template <> struct Kernels<Cuda, WindowAttention> { using list = KernelList<WindowAttention, cuda::WindowAttentionKernel>; };
template <> struct Kernels<Cuda, Mlp> { using list = KernelList<Mlp, cuda::MlpKernel>; };
template <> struct Kernels<Cuda, ShiftMlp> { using list = KernelList<ShiftMlp, cuda::ShiftMlpKernel>; };
template <> struct Kernels<Cuda, GroupWindowAttention> { using list = KernelList<GroupWindowAttention, cuda::GroupWindowAttentionKernel>; };
template <> struct Kernels<Cuda, Add> { using list = KernelList<Add, cuda::AddKernel>; };
template <> struct Kernels<Cuda, Activate> { using list = KernelList<Activate, cuda::ActivateKernel>; };
template <> struct Kernels<Cuda, PixelShuffle> { using list = KernelList<PixelShuffle, cuda::PixelShuffleKernel>; };
template <> struct Kernels<Cuda, ResizeNearest> { using list = KernelList<ResizeNearest, cuda::ResizeNearestKernel>; };
template <> struct Kernels<Cuda, ReflectPad> { using list = KernelList<ReflectPad, cuda::ReflectPadKernel>; };
template <> struct Kernels<Cuda, Crop> { using list = KernelList<Crop, cuda::CropKernel>; };
template <> struct Kernels<Cuda, Resize> { using list = KernelList<Resize, cuda::ResizeKernel>; };
template <> struct Kernels<Cuda, SinePosition> { using list = KernelList<SinePosition, cuda::SinePositionKernel>; };
template <> struct Kernels<Cuda, AddPosition> { using list = KernelList<AddPosition, cuda::AddPositionKernel>; };
template <> struct Kernels<Cuda, Tokens> { using list = KernelList<Tokens, cuda::TokensKernel>; };
template <> struct Kernels<Cuda, DeformableAttention> { using list = KernelList<DeformableAttention, cuda::DeformableAttentionKernel>; };
template <> struct Kernels<Cuda, QueryAttention> { using list = KernelList<QueryAttention, cuda::QueryAttentionKernel>; };
template <> struct Kernels<Cuda, QueryMasks> { using list = KernelList<QueryMasks, cuda::QueryMasksKernel>; };
template <> struct Kernels<Cuda, PatchMerging> { using list = KernelList<PatchMerging, cuda::PatchMergingKernel>; };
template <> struct Kernels<Cuda, GroupNorm> { using list = KernelList<GroupNorm, cuda::GroupNormKernel>; };
template <> struct Kernels<Cuda, MaxPool2d> { using list = KernelList<MaxPool2d, cuda::MaxPool2dKernel>; };
template <> struct Kernels<Cuda, SpectralAttention> { using list = KernelList<SpectralAttention, cuda::SpectralAttentionKernel>; };
template <> struct Kernels<Cuda, ConvMlp> { using list = KernelList<ConvMlp, cuda::ConvMlpKernel>; };
template <> struct Kernels<Cuda, DepthwiseConv> { using list = KernelList<DepthwiseConv, cuda::DepthwiseConvKernel>; };
template <> struct Kernels<Cuda, ShiftBack> { using list = KernelList<ShiftBack, cuda::ShiftBackKernel>; };
// clang-format on

}  // namespace vitrum
