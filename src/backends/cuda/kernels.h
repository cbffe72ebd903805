// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "fused_kernels.h"
#include "general_kernels.h"
#include "query_kernels.h"
#include "row_kernels.h"

// The CUDA backend's kernels of each operator, best first.

namespace vitrum {

struct Cuda;  // the tag of this backend's kernel lists

// clang-format off
template <> struct Kernels<Cuda, Dense> { using list = KernelList<Dense, cuda::DenseKernel>; };
template <> struct Kernels<Cuda, ToPixels> { using list = KernelList<ToPixels, cuda::ToPixelsKernel>; };
template <> struct Kernels<Cuda, ToDense> { using list = KernelList<ToDense, cuda::ToDenseKernel>; };
template <> struct Kernels<Cuda, Conv2d> { using enum Precision; using list = KernelList<Conv2d, cuda::HopperPixelConvKernel, cuda::BrainPixelConvKernel, cuda::PixelConvKernel, cuda::UpConvKernel, cuda::NarrowConvKernel, cuda::FromColoursKernel, cuda::ToColoursKernel, cuda::HopperConvKernel, cuda::PatchConvKernel<fp16>, cuda::PatchConvKernel<tf32>, cuda::PatchConvKernel<fp32>, cuda::FewRowsConvKernel, cuda::HopperRowConvKernel, cuda::RowConvKernel, cuda::Conv2dKernel<tf32>, cuda::Conv2dKernel<fp32>>; };
template <> struct Kernels<Cuda, LayerNorm> { using list = KernelList<LayerNorm, cuda::LayerNormKernel>; };
template <> struct Kernels<Cuda, WindowAttention> { using enum Precision; using list = KernelList<WindowAttention, cuda::HopperWindowAttentionKernel, cuda::FusedWindowKernel<fp16>, cuda::HopperRowWindowKernel, cuda::FusedWindowKernel<tf32>, cuda::FusedWindowKernel<fp32>, cuda::RowWindowKernel, cuda::WindowAttentionKernel<tf32>, cuda::WindowAttentionKernel<fp32>>; };
template <> struct Kernels<Cuda, Mlp> { using enum Precision; using list = KernelList<Mlp, cuda::HopperMlpKernel, cuda::FusedMlpKernel<fp16>, cuda::FusedMlpKernel<tf32>, cuda::FusedMlpKernel<fp32>, cuda::FewRowsMlpKernel, cuda::HopperRowMlpKernel, cuda::RowMlpKernel, cuda::MlpKernel<tf32>, cuda::MlpKernel<fp32>>; };
template <> struct Kernels<Cuda, ShiftMlp> { using enum Precision; using list = KernelList<ShiftMlp, cuda::HopperShiftMlpKernel, cuda::BrainShiftMlpKernel, cuda::SectionsShiftMlpKernel, cuda::FusedShiftMlpKernel, cuda::ShiftMlpKernel<tf32>, cuda::ShiftMlpKernel<fp32>>; };
template <> struct Kernels<Cuda, GroupWindowAttention> { using enum Precision; using list = KernelList<GroupWindowAttention, cuda::HopperRegionKernel, cuda::HopperWideRegionKernel, cuda::RegionRowsKernel<1>, cuda::RegionRowsKernel<2>, cuda::WideRegionKernel, cuda::RegionAttentionKernel, cuda::GroupWindowAttentionKernel<tf32>, cuda::GroupWindowAttentionKernel<fp32>>; };
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
template <> struct Kernels<Cuda, DeformableAttention> { using enum Precision; using list = KernelList<DeformableAttention, cuda::FusedDeformableKernel, cuda::DeformableAttentionKernel<tf32>, cuda::DeformableAttentionKernel<fp32>>; };
template <> struct Kernels<Cuda, QueryAttention> { using enum Precision; using list = KernelList<QueryAttention, cuda::QueryTilesKernel<tf32>, cuda::QueryTilesKernel<fp32>, cuda::QueryAttentionKernel>; };
template <> struct Kernels<Cuda, QueryMasks> { using enum Precision; using list = KernelList<QueryMasks, cuda::QueryMasksKernel<tf32>, cuda::QueryMasksKernel<fp32>>; };
template <> struct Kernels<Cuda, PatchMerging> { using enum Precision; using list = KernelList<PatchMerging, cuda::HopperPatchMergingKernel, cuda::PatchMergingKernel<fp16>, cuda::PatchMergingKernel<tf32>, cuda::PatchMergingKernel<fp32>>; };
template <> struct Kernels<Cuda, GroupNorm> { using list = KernelList<GroupNorm, cuda::GroupNormKernel>; };
template <> struct Kernels<Cuda, MaxPool2d> { using list = KernelList<MaxPool2d, cuda::MaxPool2dKernel>; };
template <> struct Kernels<Cuda, SpectralAttention> { using enum Precision; using list = KernelList<SpectralAttention, cuda::FusedSpectralKernel<cuda::FragmentKind::half>, cuda::FusedSpectralKernel<cuda::FragmentKind::tf32>, cuda::FusedSpectralKernel<cuda::FragmentKind::split>, cuda::SpectralAttentionKernel<tf32>, cuda::SpectralAttentionKernel<fp32>>; };
template <> struct Kernels<Cuda, ConvMlp> { using enum Precision; using list = KernelList<ConvMlp, cuda::FusedConvMlpKernel<cuda::FragmentKind::half>, cuda::FusedConvMlpKernel<cuda::FragmentKind::tf32>, cuda::FusedConvMlpKernel<cuda::FragmentKind::split>, cuda::ConvMlpKernel<fp16>, cuda::ConvMlpKernel<tf32>, cuda::ConvMlpKernel<fp32>>; };
template <> struct Kernels<Cuda, DepthwiseConv> { using list = KernelList<DepthwiseConv, cuda::DepthwiseConvKernel>; };
template <> struct Kernels<Cuda, ShiftBack> { using list = KernelList<ShiftBack, cuda::ShiftBackKernel>; };
// clang-format on

}  // namespace vitrum
