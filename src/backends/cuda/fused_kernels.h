// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "fragments.h"
#include "kernel.h"

// Kernels on tensor cores that do a whole operator in one or two launches: nothing between its steps in device memory.

namespace vitrum::cuda {

/// Half a Swin layer in one launch, its products by Hopper's warpgroups (hopper/).
struct HopperWindowAttentionKernel : Kernel<WindowAttention> {
    using Op = WindowAttention;
    static constexpr std::string_view kName = "fused_hopper_fp16";
    static Support supports(Op const& op, Problem const& problem);
    static std::vector<Packing> packings(Op const& op, Problem const& problem);
    /// For a chain that begins here.
    static std::size_t workspace_bytes(Op const& op, Problem const& problem, int threads);
    static std::vector<int> reusable_inputs(Op const&, Problem const&) { return {Op::kX, Op::kResidual}; }
    static void launch(Op const& op, Launch const& launch);
};

struct HopperMlpKernel : Kernel<Mlp> {
    static constexpr std::string_view kName = "fused_hopper_fp16";
    static Support supports(Mlp const& op, Problem const& problem);
    static std::vector<Packing> packings(Mlp const& op, Problem const& problem);
    static std::vector<int> reusable_inputs(Mlp const&, Problem const&) { return {Mlp::kX, Mlp::kResidual}; }
    static void launch(Mlp const& op, Launch const& launch);
};

/// Whole Swin layers of 180 channels in one launch, in place of the two kernels above for each.
struct HopperSwinLayersKernel {
    static constexpr std::string_view kName = "layers_hopper_fp16";
    /// How many of the first steps it does.
    [[nodiscard]] static std::size_t steps(std::span<Chosen const> steps);
    static void launch(std::span<OpLaunch const> steps);

private:
    static void launch_one(OpLaunch const& attention, OpLaunch const& mlp);
};

/// 3 × 3 convolutions by Hopper's warpgroups. A tile's pixels are scaled into FP16's range where they leave it.
struct HopperConvKernel : Kernel<Conv2d> {
    static constexpr std::string_view kName = "patch_hopper_fp16";
    static Support supports(Conv2d const& op, Problem const& problem);
    static std::vector<Packing> packings(Conv2d const& op, Problem const& problem);
    /// Read where the output is written. x is not: its neighbours still need it.
    static std::vector<int> reusable_inputs(Conv2d const& op, Problem const&) {
        if (op.pixel_shuffle != 1) return {};
        return {Conv2d::kResidual};
    }
    static void launch(Conv2d const& op, Launch const& launch);
};

/// ELAN's shifted products in one launch, of operands that are one scaled float16 for 180 channels and two bfloat16 for
/// 60 (see BrainShiftMlpKernel).
struct HopperShiftMlpKernel : Kernel<ShiftMlp> {
    static constexpr std::string_view kName = "fused_hopper";
    static Support supports(ShiftMlp const& op, Problem const& problem);
    static std::vector<Packing> packings(ShiftMlp const& op, Problem const& problem);
    /// Read where the output is written. x is not: its neighbours still need it.
    static std::vector<int> reusable_inputs(ShiftMlp const&, Problem const&) { return {ShiftMlp::kResidual}; }
    static void launch(ShiftMlp const& op, Launch const& launch);
};

/// Operands of 16 bits; the whole operator in one kernel, nothing between its steps in device memory.
template <Precision operands>
struct FusedWindowKernel : Kernel<WindowAttention> {
    using Op = WindowAttention;
    static constexpr KernelName kName{"fused_window", operands};
    static Support supports(Op const& op, Problem const& problem);
    static std::vector<Packing> packings(Op const& op, Problem const& problem);
    /// Rows are read by the warp that writes them, before it does.
    static std::vector<int> reusable_inputs(Op const&, Problem const&) { return {Op::kX, Op::kResidual}; }
    static void launch(Op const& op, Launch const& launch);
};

template <Precision operands>
struct FusedMlpKernel : Kernel<Mlp> {
    using Op = Mlp;
    static constexpr KernelName kName{"fused_mlp", operands};
    static Support supports(Mlp const& op, Problem const& problem);
    static std::vector<Packing> packings(Mlp const& op, Problem const& problem);
    static std::vector<int> reusable_inputs(Mlp const&, Problem const&) { return {Mlp::kX, Mlp::kResidual}; }
    static void launch(Mlp const& op, Launch const& launch);
};

/// Refuses operands less exact than the problem's precision allows.
[[nodiscard]] inline Support fragments_allowed(FragmentKind kind, Precision precision) {
    if (kind == FragmentKind::half && precision != Precision::fp16 && precision != Precision::bf16) {
        return {false, "multiplies in fp16"};
    }
    if (kind == FragmentKind::tf32 && precision == Precision::fp32) return {false, "multiplies in TF32"};
    return {};
}

/// Whether regions of 16 × 16 pixels hold whole windows.
[[nodiscard]] inline Support regions_fit(GroupWindowAttention const& op, Shape const& x) {
    for (int const window : op.windows) {
        if (window != 4 && window != 8 && window != 16) return {false, "windows other than 4, 8 and 16"};
    }
    if (x[1] % 16 != 0 || x[2] % 16 != 0) return {false, "sides that are no multiples of 16"};
    return {};
}

/// Regions of 16 × 16 pixels by tensor cores (group_window_fused.cuh). Its float16 operands are scaled to their range,
/// and of two parts, which hold 22 bits.
struct RegionAttentionKernel : Kernel<GroupWindowAttention> {
    using Op = GroupWindowAttention;
    static constexpr std::string_view kName = "regions_3xfp16";
    static Support supports(Op const& op, Problem const& problem) {
        Shape const& x = problem.inputs[Op::kX];
        if (x[3] / Op::kGroups > 63) return {false, "groups of more than 63 channels"};
        return regions_fit(op, x);
    }
    static std::vector<Packing> packings(Op const& op, Problem const& problem);
    static void launch(Op const& op, Launch const& launch);
};

/// Regions of many channels, in operands of one scaled float16 (region_wide.cuh). Not for few: their trained network
/// enlarges a rounding error a thousandfold, and one part in any single product costs it between 2e-2 and 1e-1.
struct WideRegionKernel : Kernel<GroupWindowAttention> {
    using Op = GroupWindowAttention;
    static constexpr std::string_view kName = "wide_regions_fp16";
    static Support supports(Op const& op, Problem const& problem) {
        Shape const& x = problem.inputs[Op::kX];
        std::int64_t const dim = x[3] / Op::kGroups;
        if (dim <= 32 || dim > 63) return {false, "groups of fewer than 33 or more than 63 channels"};
        if (x[3] % 4 != 0) return {false, "channels that are no multiple of 4"};
        if (problem.inputs[Op::kQuery].rank() != 0) return {false, "projects queries itself"};
        if (problem.precision == Precision::fp32) return {false, "multiplies in fp16"};
        return regions_fit(op, x);
    }
    static std::vector<Packing> packings(Op const& op, Problem const& problem);
    static void launch(Op const& op, Launch const& launch);
};

/// Regions of few channels whose queries are given (region_rows.cuh): logits from two float16 per query, values from
/// two bfloat16 per operand. Probabilities are of one float16 in fp16, of two in tf32.
template <int kWeightParts>
struct RegionRowsKernel : Kernel<GroupWindowAttention> {
    using Op = GroupWindowAttention;
    static constexpr std::string_view kName = kWeightParts == 1 ? "region_rows_fp16" : "region_rows_3xfp16";
    static Support supports(Op const& op, Problem const& problem) {
        Shape const& x = problem.inputs[Op::kX];
        if (x[3] / Op::kGroups > 20) return {false, "groups of more than 20 channels"};
        if (problem.inputs[Op::kQuery].rank() == 0) return {false, "projects no queries"};
        if (Support regions = regions_fit(op, x); !regions.ok) return regions;
        if (problem.precision == Precision::fp32) return {false, "multiplies in bf16, two parts each"};
        if (kWeightParts == 1 && problem.precision == Precision::tf32) return {false, "multiplies in fp16"};
        return {};
    }
    static std::vector<Packing> packings(Op const& op, Problem const& problem);
    static void launch(Op const& op, Launch const& launch);
};

/// The same for the 60 channels of ELAN-light by Hopper's warpgroups, which project the values themselves
/// (hopper/group_window.cu).
struct HopperRegionKernel : Kernel<GroupWindowAttention> {
    using Op = GroupWindowAttention;
    static constexpr std::string_view kName = "regions_hopper_fp16";
    static Support supports(Op const& op, Problem const& problem);
    static std::vector<Packing> packings(Op const& op, Problem const& problem);
    static void launch(Op const& op, Launch const& launch);
};

/// The same for the 180 channels of ELAN, in operands of one scaled float16 (hopper/group_window_wide.cu).
struct HopperWideRegionKernel : Kernel<GroupWindowAttention> {
    using Op = GroupWindowAttention;
    static constexpr std::string_view kName = "wide_regions_hopper_fp16";
    static Support supports(Op const& op, Problem const& problem);
    static std::vector<Packing> packings(Op const& op, Problem const& problem);
    static void launch(Op const& op, Launch const& launch);
};

/// Steps of 16 channels for which there is code of ELAN's operators.
[[nodiscard]] constexpr int pixel_steps(std::int64_t channels) {
    return channels <= 64 ? 4 : 12;
}

/// Both shifted products of a tile of few channels in one kernel (shift_mlp_tile.cuh), in operands of two float16 that
/// are scaled to their range.
struct FusedShiftMlpKernel : Kernel<ShiftMlp> {
    using Op = ShiftMlp;
    static constexpr std::string_view kName = "tiles_3xfp16";
    static Support supports(Op const&, Problem const& problem) {
        std::int64_t const channels = problem.inputs[Op::kX][3];
        if (channels > 64) return {false, "more than 64 channels"};
        if (channels / 5 % 4 != 0) return {false, "groups of channels that are no multiple of 4"};
        return {};
    }
    static std::vector<Packing> packings(Op const& op, Problem const& problem);
    /// Read where the output is written. x is not: its neighbours still need it.
    static std::vector<int> reusable_inputs(Op const&, Problem const&) { return {Op::kResidual}; }
    static void launch(Op const& op, Launch const& launch);
};

/// The same for many channels, in operands of one (shift_mlp_sections.cuh; see WideRegionKernel).
struct SectionsShiftMlpKernel : Kernel<ShiftMlp> {
    using Op = ShiftMlp;
    static constexpr std::string_view kName = "sections_fp16";
    static Support supports(Op const&, Problem const& problem) {
        std::int64_t const channels = problem.inputs[Op::kX][3];
        if (channels <= 64 || channels > 192) return {false, "at most 64 or more than 192 channels"};
        if (channels / 5 % 4 != 0) return {false, "groups of channels that are no multiple of 4"};
        if (problem.precision == Precision::fp32) return {false, "multiplies in fp16"};
        return {};
    }
    static std::vector<Packing> packings(Op const& op, Problem const& problem);
    /// Read where the output is written. x is not: its neighbours still need it.
    static std::vector<int> reusable_inputs(Op const&, Problem const&) { return {Op::kResidual}; }
    static void launch(Op const& op, Launch const& launch);
};

/// The same for few channels in every precision but float32: operands of two bfloat16, whose sixteen bits or more are
/// enough for networks that enlarge rounding errors a thousandfold (1e-3 where ten bits give 1e-1).
struct BrainShiftMlpKernel : Kernel<ShiftMlp> {
    using Op = ShiftMlp;
    static constexpr std::string_view kName = "tiles_3xbf16";
    static Support supports(Op const&, Problem const& problem) {
        std::int64_t const channels = problem.inputs[Op::kX][3];
        if (channels > 64) return {false, "more than 64 channels"};
        if (channels % 4 != 0 || channels / 5 % 4 != 0) return {false, "groups of channels that are no multiple of 4"};
        if (problem.precision == Precision::fp32) return {false, "multiplies in bf16, two parts each"};
        return {};
    }
    static std::vector<Packing> packings(Op const& op, Problem const& problem);
    /// Read where the output is written. x is not: its neighbours still need it.
    static std::vector<int> reusable_inputs(Op const&, Problem const&) { return {Op::kResidual}; }
    static void launch(Op const& op, Launch const& launch);
};

/// 1 × 1 convolutions in front of a shuffle by two, that is, transposed convolutions of 2 × 2 (up_conv.cu).
struct UpConvKernel : Kernel<Conv2d> {
    static constexpr std::string_view kName = "up_tf32";
    static Support supports(Conv2d const& op, Problem const& problem);
    static std::vector<Packing> packings(Conv2d const& op, Problem const& problem);
    static void launch(Conv2d const& op, Launch const& launch);
};

/// Whether a convolution is a product of at most 64 channels at each pixel.
[[nodiscard]] inline Support pixels_alone(Conv2d const& op, Problem const& problem) {
    Shape const& weight = problem.inputs[Conv2d::kWeight];
    if (op.kernel != 1 || op.stride != 1) return {false, "for 1 × 1 and stride 1 only"};
    if (op.pixel_shuffle != 1 || op.activation != Activation::none) return {false, "nothing may follow"};
    if (weight[0] > 64 || weight[1] > 64) return {false, "more than 64 channels"};
    return {};
}

/// 1 × 1 convolutions of few channels in operands of two bfloat16 (brain_pixels.cuh).
struct BrainPixelConvKernel : Kernel<Conv2d> {
    static constexpr std::string_view kName = "pixels_3xbf16";
    static Support supports(Conv2d const& op, Problem const& problem) {
        if (problem.precision == Precision::fp32) return {false, "multiplies in bf16, two parts each"};
        return pixels_alone(op, problem);
    }
    static std::vector<Packing> packings(Conv2d const& op, Problem const& problem);
    /// Read where the output is written.
    static std::vector<int> reusable_inputs(Conv2d const&, Problem const&) { return {Conv2d::kResidual}; }
    static void launch(Conv2d const& op, Launch const& launch);
};

/// The same by Hopper's warpgroups (hopper/pixel_product.cu).
struct HopperPixelConvKernel : Kernel<Conv2d> {
    static constexpr std::string_view kName = "pixels_hopper_3xbf16";
    static Support supports(Conv2d const& op, Problem const& problem);
    static std::vector<Packing> packings(Conv2d const& op, Problem const& problem);
    /// Read where the output is written.
    static std::vector<int> reusable_inputs(Conv2d const&, Problem const&) { return {Conv2d::kResidual}; }
    static void launch(Conv2d const& op, Launch const& launch);
};

/// The same in float32 (pixel_product.cuh).
struct PixelConvKernel : Kernel<Conv2d> {
    static constexpr std::string_view kName = "pixels_3xfp16";
    /// Of 16 channels that are read or written.
    [[nodiscard]] static int steps(std::int64_t inputs, std::int64_t outputs) {
        return std::max(inputs, outputs) <= 32 ? 2 : 4;
    }
    static Support supports(Conv2d const& op, Problem const& problem) { return pixels_alone(op, problem); }
    static std::vector<Packing> packings(Conv2d const& op, Problem const& problem);
    /// Read where the output is written.
    static std::vector<int> reusable_inputs(Conv2d const&, Problem const&) { return {Conv2d::kResidual}; }
    static void launch(Conv2d const& op, Launch const& launch);
};

/// Operands of spectral attention's products. Features of the stream itself may be large: no fp16, which only stands
/// between the filters of the position's embedding, and scaled there.
[[nodiscard]] constexpr FragmentKind spectral_products(FragmentKind kind) {
    return kind == FragmentKind::half ? FragmentKind::tf32 : kind;
}

/// Two passes over x by tensor cores (spectral_fused.cuh).
template <FragmentKind kKind>
struct FusedSpectralKernel : Kernel<SpectralAttention> {
    using Op = SpectralAttention;
    static constexpr std::string_view kName = kKind == FragmentKind::half   ? "fused_tf32_fp16"
                                              : kKind == FragmentKind::tf32 ? "fused_tf32"
                                                                            : "fused_3xtf32";
    static Support supports(Op const&, Problem const& problem) {
        if (fused_channels(problem.inputs[Op::kX][3]) == 0) return {false, "more than 128 channels"};
        if (problem.inputs[Op::kGuide].rank() != 0) return {false, "a guide comes between values and attention"};
        Shape const& x = problem.inputs[Op::kX];
        if (kKind == FragmentKind::split && x[1] * x[2] < 64) {
            return {false, "second moments of so few pixels are singular, and enlarge rounding errors"};
        }
        return fragments_allowed(kKind, problem.precision);
    }
    static std::vector<Packing> packings(Op const& op, Problem const& problem);
    static std::size_t workspace_bytes(Op const& op, Problem const& problem, int threads);
    /// Read where the output is written. x is not: its neighbours still need it.
    static std::vector<int> reusable_inputs(Op const&, Problem const&) { return {Op::kResidual}; }
    static void launch(Op const& op, Launch const& launch);
};

/// The whole operator on a tile of pixels by tensor cores (conv_mlp_fused.cuh).
template <FragmentKind kKind>
struct FusedConvMlpKernel : Kernel<ConvMlp> {
    using Op = ConvMlp;
    static constexpr std::string_view kName = kKind == FragmentKind::half   ? "fused_fp16"
                                              : kKind == FragmentKind::tf32 ? "fused_tf32"
                                                                            : "fused_3xtf32";
    static Support supports(Op const&, Problem const& problem) {
        if (fused_channels(problem.inputs[Op::kX][3]) == 0) return {false, "more than 128 channels"};
        if (kKind == FragmentKind::split && problem.inputs[Op::kX][3] > 64) {
            return {false, "of many hidden channels, tensor cores' sums lose more than float32 does"};
        }
        if (kKind == FragmentKind::half && problem.inputs[Op::kNormWeight].rank() == 0) {
            return {false, "without a norm, values may leave the range of fp16"};
        }
        return fragments_allowed(kKind, problem.precision);
    }
    static std::vector<Packing> packings(Op const& op, Problem const& problem);
    /// Read where the output is written. x is not: its neighbours still need it.
    static std::vector<int> reusable_inputs(Op const&, Problem const&) { return {Op::kResidual}; }
    static void launch(Op const& op, Launch const& launch);
};

}  // namespace vitrum::cuda
