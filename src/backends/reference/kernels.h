// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/kernel_list.h"
#include "base/threads.h"
#include "dense/kernels.h"

namespace vitrum {

struct Reference;  // the tag of this backend's kernel lists

namespace reference {

template <class O>
struct Kernel : KernelDefaults<O> {
    static constexpr std::string_view kName = "reference";
};

struct Conv2dKernel : Kernel<Conv2d> {
    static std::vector<Packing> packings(Conv2d const& op, Problem const& problem);
    static void launch(Conv2d const& op, Launch const& launch);
};

struct LayerNormKernel : Kernel<LayerNorm> {
    static std::size_t workspace_bytes(LayerNorm const& op, Problem const& problem, int threads);
    static void launch(LayerNorm const& op, Launch const& launch);
};

struct WindowAttentionKernel : Kernel<WindowAttention> {
    static std::vector<Packing> packings(WindowAttention const& op, Problem const& problem);
    static std::size_t workspace_bytes(WindowAttention const& op, Problem const& problem, int threads);
    static void launch(WindowAttention const& op, Launch const& launch);
};

struct MlpKernel : Kernel<Mlp> {
    static std::vector<Packing> packings(Mlp const& op, Problem const& problem);
    static std::size_t workspace_bytes(Mlp const& op, Problem const& problem, int threads);
    static void launch(Mlp const& op, Launch const& launch);
};

struct ShiftMlpKernel : Kernel<ShiftMlp> {
    static std::vector<Packing> packings(ShiftMlp const& op, Problem const& problem);
    static std::size_t workspace_bytes(ShiftMlp const& op, Problem const& problem, int threads);
    static void launch(ShiftMlp const& op, Launch const& launch);
};

struct GroupWindowAttentionKernel : Kernel<GroupWindowAttention> {
    static std::vector<Packing> packings(GroupWindowAttention const& op, Problem const& problem);
    static std::size_t workspace_bytes(GroupWindowAttention const& op, Problem const& problem, int threads);
    static void launch(GroupWindowAttention const& op, Launch const& launch);
};

struct AddKernel : Kernel<Add> {
    static void launch(Add const& op, Launch const& launch);
};

struct ActivateKernel : Kernel<Activate> {
    static void launch(Activate const& op, Launch const& launch);
};

struct PixelShuffleKernel : Kernel<PixelShuffle> {
    static void launch(PixelShuffle const& op, Launch const& launch);
};

struct ResizeNearestKernel : Kernel<ResizeNearest> {
    static void launch(ResizeNearest const& op, Launch const& launch);
};

struct ReflectPadKernel : Kernel<ReflectPad> {
    static void launch(ReflectPad const& op, Launch const& launch);
};

struct CropKernel : Kernel<Crop> {
    static void launch(Crop const& op, Launch const& launch);
};

struct ResizeKernel : Kernel<Resize> {
    static void launch(Resize const& op, Launch const& launch);
};

struct SinePositionKernel : Kernel<SinePosition> {
    static void launch(SinePosition const& op, Launch const& launch);
};

struct AddPositionKernel : Kernel<AddPosition> {
    static void launch(AddPosition const& op, Launch const& launch);
};

struct TokensKernel : Kernel<Tokens> {
    static void launch(Tokens const& op, Launch const& launch);
};

struct DeformableAttentionKernel : Kernel<DeformableAttention> {
    static std::vector<Packing> packings(DeformableAttention const& op, Problem const& problem);
    static std::size_t workspace_bytes(DeformableAttention const& op, Problem const& problem, int threads);
    static void launch(DeformableAttention const& op, Launch const& launch);
};

struct QueryAttentionKernel : Kernel<QueryAttention> {
    static std::size_t workspace_bytes(QueryAttention const& op, Problem const& problem, int threads);
    static void launch(QueryAttention const& op, Launch const& launch);
};

struct QueryMasksKernel : Kernel<QueryMasks> {
    static void launch(QueryMasks const& op, Launch const& launch);
};

struct PatchMergingKernel : Kernel<PatchMerging> {
    static std::vector<Packing> packings(PatchMerging const& op, Problem const& problem);
    static std::size_t workspace_bytes(PatchMerging const& op, Problem const& problem, int threads);
    static void launch(PatchMerging const& op, Launch const& launch);
};

struct GroupNormKernel : Kernel<GroupNorm> {
    static void launch(GroupNorm const& op, Launch const& launch);
};

struct MaxPool2dKernel : Kernel<MaxPool2d> {
    static void launch(MaxPool2d const& op, Launch const& launch);
};

struct SpectralAttentionKernel : Kernel<SpectralAttention> {
    static std::vector<Packing> packings(SpectralAttention const& op, Problem const& problem);
    static std::size_t workspace_bytes(SpectralAttention const& op, Problem const& problem, int threads);
    static void launch(SpectralAttention const& op, Launch const& launch);
};

struct ConvMlpKernel : Kernel<ConvMlp> {
    static std::vector<Packing> packings(ConvMlp const& op, Problem const& problem);
    static std::size_t workspace_bytes(ConvMlp const& op, Problem const& problem, int threads);
    static void launch(ConvMlp const& op, Launch const& launch);
};

struct DepthwiseConvKernel : Kernel<DepthwiseConv> {
    static void launch(DepthwiseConv const& op, Launch const& launch);
};

struct ShiftBackKernel : Kernel<ShiftBack> {
    static Support supports(ShiftBack const& op, Problem const& problem) { return shifts_fit(op, problem); }
    static void launch(ShiftBack const& op, Launch const& launch);
};

}  // namespace reference

// clang-format off
template <> struct Kernels<Reference, Dense> { using list = KernelList<Dense, dense::Kernel<dense::Precision::exact>>; };
template <> struct Kernels<Reference, ToPixels> { using list = KernelList<ToPixels, dense::BorderKernel<ToPixels>>; };
template <> struct Kernels<Reference, ToDense> { using list = KernelList<ToDense, dense::BorderKernel<ToDense>>; };
template <> struct Kernels<Reference, Conv2d> { using list = KernelList<Conv2d, reference::Conv2dKernel>; };
template <> struct Kernels<Reference, LayerNorm> { using list = KernelList<LayerNorm, reference::LayerNormKernel>; };
template <> struct Kernels<Reference, WindowAttention>
{ using list = KernelList<WindowAttention, reference::WindowAttentionKernel>; };
template <> struct Kernels<Reference, Mlp> { using list = KernelList<Mlp, reference::MlpKernel>; };
template <> struct Kernels<Reference, ShiftMlp> { using list = KernelList<ShiftMlp, reference::ShiftMlpKernel>; };
template <> struct Kernels<Reference, GroupWindowAttention>
{ using list = KernelList<GroupWindowAttention, reference::GroupWindowAttentionKernel>; };
template <> struct Kernels<Reference, Add> { using list = KernelList<Add, reference::AddKernel>; };
template <> struct Kernels<Reference, Activate> { using list = KernelList<Activate, reference::ActivateKernel>; };
template <> struct Kernels<Reference, PixelShuffle>
{ using list = KernelList<PixelShuffle, reference::PixelShuffleKernel>; };
template <> struct Kernels<Reference, ResizeNearest>
{ using list = KernelList<ResizeNearest, reference::ResizeNearestKernel>; };
template <> struct Kernels<Reference, ReflectPad> { using list = KernelList<ReflectPad, reference::ReflectPadKernel>; };
template <> struct Kernels<Reference, Crop> { using list = KernelList<Crop, reference::CropKernel>; };
template <> struct Kernels<Reference, Resize> { using list = KernelList<Resize, reference::ResizeKernel>; };
template <> struct Kernels<Reference, SinePosition>
{ using list = KernelList<SinePosition, reference::SinePositionKernel>; };
template <> struct Kernels<Reference, AddPosition>
{ using list = KernelList<AddPosition, reference::AddPositionKernel>; };
template <> struct Kernels<Reference, Tokens> { using list = KernelList<Tokens, reference::TokensKernel>; };
template <> struct Kernels<Reference, DeformableAttention>
{ using list = KernelList<DeformableAttention, reference::DeformableAttentionKernel>; };
template <> struct Kernels<Reference, QueryAttention>
{ using list = KernelList<QueryAttention, reference::QueryAttentionKernel>; };
template <> struct Kernels<Reference, QueryMasks> { using list = KernelList<QueryMasks, reference::QueryMasksKernel>; };
template <> struct Kernels<Reference, PatchMerging>
{ using list = KernelList<PatchMerging, reference::PatchMergingKernel>; };
template <> struct Kernels<Reference, GroupNorm> { using list = KernelList<GroupNorm, reference::GroupNormKernel>; };
template <> struct Kernels<Reference, MaxPool2d> { using list = KernelList<MaxPool2d, reference::MaxPool2dKernel>; };
template <> struct Kernels<Reference, SpectralAttention>
{ using list = KernelList<SpectralAttention, reference::SpectralAttentionKernel>; };
template <> struct Kernels<Reference, ConvMlp> { using list = KernelList<ConvMlp, reference::ConvMlpKernel>; };
template <> struct Kernels<Reference, DepthwiseConv>
{ using list = KernelList<DepthwiseConv, reference::DepthwiseConvKernel>; };
template <> struct Kernels<Reference, ShiftBack> { using list = KernelList<ShiftBack, reference::ShiftBackKernel>; };
// clang-format on

}  // namespace vitrum
