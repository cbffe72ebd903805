// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "dense/kernels.h"
#include "group_windows.h"
#include "pack.h"
#include "scratch.h"
#include "simd/dense.h"
#include "simd/isa.h"

namespace vitrum {

/// The tag of this backend's kernel lists: one backend per instruction set, so that two may live in one process and
/// a launch has nothing to look up.
template <cpu::Isa isa>
struct Cpu;

namespace cpu {

/// A kernel whose work is compiled once per target.
template <class O, EntryTable<O> const& table, Isa isa>
struct SimdKernel : KernelDefaults<O> {
    static constexpr std::string_view kName = "simd";
    static constexpr auto kIndex = static_cast<std::size_t>(isa);
    static std::size_t workspace_bytes(O const& op, Problem const& problem, int threads) {
        return table[kIndex].workspace_bytes(op, problem, threads);
    }
    static void launch(O const& op, Launch const& launch) { table[kIndex].launch(op, launch); }
};

template <Isa isa>
struct AttentionKernel : SimdKernel<WindowAttention, kAttention, isa> {
    using Op = WindowAttention;
    static constexpr std::string_view kName = "tokens_in_lanes";
    static std::vector<Packing> packings(Op const& op, Problem const& problem) {
        std::int64_t const tokens = round_up(std::int64_t{op.window} * op.window, lanes_of(isa));
        std::vector<Packing> all{pack_qkv(Op::kQkvWeight, problem.inputs[Op::kQkvWeight], op.heads),
                                 pack_linear(Op::kProjWeight, problem.inputs[Op::kProjWeight]),
                                 pack_bias_table(Op::kBiasTable, problem.inputs[Op::kBiasTable], op.window, tokens)};
        Shape const& bias = problem.inputs[Op::kQkvBias];
        if (bias.rank() != 0) all.push_back(pack_qkv_bias(Op::kQkvBias, bias, op.heads));
        return all;
    }
    /// A window is read whole before it is written, and no window reads another's pixels.
    static std::vector<int> reusable_inputs(Op const&, Problem const&) { return {Op::kX, Op::kResidual}; }
};

template <Isa isa>
struct MlpKernel : SimdKernel<Mlp, kMlp, isa> {
    using Op = Mlp;
    static constexpr std::string_view kName = "tokens_in_lanes";
    static std::vector<Packing> packings(Op const&, Problem const& problem) {
        return {pack_linear(Op::kFc1Weight, problem.inputs[Op::kFc1Weight]),
                pack_linear(Op::kFc2Weight, problem.inputs[Op::kFc2Weight])};
    }
    static std::vector<int> reusable_inputs(Op const&, Problem const&) { return {Op::kX, Op::kResidual}; }
};

/// The sum with the residual happens while pixels are stored, where only simple activations can follow.
[[nodiscard]] inline Support epilogue_support(Conv2d const& op, Problem const& problem) {
    bool const late = op.residual_place == ResidualPlace::before_activation && problem.present[Conv2d::kResidual];
    if (!late || op.activation == Activation::none) return {};
    if (op.activation != Activation::leaky_relu) return {false, "an activation after the residual other than ReLU"};
    if (op.pixel_shuffle != 1) return {false, "an activation after the residual and before a shuffle"};
    return {};
}

template <Isa isa>
struct ShiftMlpKernel : SimdKernel<ShiftMlp, kShiftMlp, isa> {
    using Op = ShiftMlp;
    static constexpr std::string_view kName = "moves_as_addresses";
    static std::vector<Packing> packings(Op const&, Problem const& problem) {
        return {pack_shifted_linear(Op::kFc1Weight, problem.inputs[Op::kFc1Weight]),
                pack_linear(Op::kFc2Weight, problem.inputs[Op::kFc2Weight])};
    }
    /// The residual is read where the output is written. x is not: its neighbours still need it.
    static std::vector<int> reusable_inputs(Op const&, Problem const&) { return {Op::kResidual}; }
};

template <Isa isa>
struct GroupAttentionKernel : SimdKernel<GroupWindowAttention, kGroupAttention, isa> {
    using Op = GroupWindowAttention;
    static constexpr std::string_view kName = "tokens_in_lanes";
    static std::vector<Packing> packings(Op const&, Problem const& problem) {
        return {pack_grouped_linear(Op::kInWeight, problem.inputs[Op::kInWeight], Op::kGroups),
                pack_linear(Op::kOutWeight, problem.inputs[Op::kOutWeight])};
    }
    /// Nested windows are read whole before they are written; straddling ones are not.
    static std::vector<int> reusable_inputs(Op const& op, Problem const&) {
        if (!are_nested(op, lanes_of(isa))) return {};
        return {Op::kX, Op::kResidual};
    }
};

template <Isa isa>
struct ConvKernel : SimdKernel<Conv2d, kConv, isa> {
    using Op = Conv2d;
    static constexpr std::string_view kName = "pixels_in_lanes";
    static Support supports(Op const& op, Problem const& problem) {
        if (op.stride != 1 || (op.kernel != 1 && op.kernel != 3)) {
            return {false, fmt::format("{0} × {0} with stride {1}, not 1 × 1 or 3 × 3 with 1", op.kernel, op.stride)};
        }
        return epilogue_support(op, problem);
    }
    static std::vector<Packing> packings(Op const& op, Problem const& problem) {
        return {pack_conv(Op::kWeight, problem.inputs[Op::kWeight], op.pixel_shuffle)};
    }
    /// The residual is read where the output is written. x is not: its neighbours still need it.
    static std::vector<int> reusable_inputs(Op const& op, Problem const&) {
        if (op.pixel_shuffle != 1) return {};
        return {Op::kResidual};
    }
};

/// The channels beside which the sums of rows before and after Winograd's products are few.
[[nodiscard]] inline Support winograd_support(Shape const& weight) {
    constexpr std::int64_t kFewest = 16;
    if (weight[0] >= kFewest && weight[1] >= kFewest) return {};
    return {false, fmt::format("{} → {} channels, fewer than {}", weight[1], weight[0], kFewest)};
}

/// 3 × 3 at half the multiplications.
template <Isa isa>
struct WinogradConvKernel : SimdKernel<Conv2d, kWinogradConv, isa> {
    using Op = Conv2d;
    static constexpr std::string_view kName = "winograd_rows";
    static Support supports(Op const& op, Problem const& problem) {
        if (op.kernel != 3) return {false, fmt::format("{0} × {0}, not 3 × 3", op.kernel)};
        Support const support = winograd_support(problem.inputs[Op::kWeight]);
        return support.ok ? ConvKernel<isa>::supports(op, problem) : support;
    }
    static std::vector<Packing> packings(Op const& op, Problem const& problem) {
        return ConvKernel<isa>::packings(op, problem);
    }
    static std::vector<int> reusable_inputs(Op const& op, Problem const& problem) {
        return ConvKernel<isa>::reusable_inputs(op, problem);
    }
};

/// 4 × 4 with stride 2 at two thirds of the multiplications.
template <Isa isa>
struct StridedConvKernel : SimdKernel<Conv2d, kStridedConv, isa> {
    using Op = Conv2d;
    static constexpr std::string_view kName = "strided_winograd_rows";
    static Support supports(Op const& op, Problem const& problem) {
        if (op.kernel != 4 || op.stride != 2) {
            return {false, fmt::format("{0} × {0} with stride {1}, not 4 × 4 with 2", op.kernel, op.stride)};
        }
        if (op.pixel_shuffle != 1) return {false, "a shuffle"};
        Support const support = winograd_support(problem.inputs[Op::kWeight]);
        return support.ok ? epilogue_support(op, problem) : support;
    }
    static std::vector<Packing> packings(Op const&, Problem const& problem) {
        return {pack_strided_conv(Op::kWeight, problem.inputs[Op::kWeight])};
    }
    static std::vector<int> reusable_inputs(Op const& op, Problem const& problem) {
        return ConvKernel<isa>::reusable_inputs(op, problem);
    }
};

/// Any kernel and stride: the pixels under the kernel are gathered into columns of a matrix.
template <Isa isa>
struct GatheredConvKernel : SimdKernel<Conv2d, kGatheredConv, isa> {
    using Op = Conv2d;
    static constexpr std::string_view kName = "gathered_pixels_in_lanes";
    static Support supports(Op const& op, Problem const& problem) {
        if (op.pixel_shuffle != 1) return {false, "a shuffle"};
        return epilogue_support(op, problem);
    }
    static std::vector<Packing> packings(Op const&, Problem const& problem) {
        return {pack_gathered_conv(Op::kWeight, problem.inputs[Op::kWeight])};
    }
    static std::vector<int> reusable_inputs(Op const&, Problem const&) { return {Op::kResidual}; }
};

/// Any kernel and stride, for the few convolutions that those above refuse: output channels in the compiler's
/// vectors.
struct GeneralConvKernel : KernelDefaults<Conv2d> {
    static constexpr std::string_view kName = "general";
    static std::vector<Packing> packings(Conv2d const&, Problem const& problem) {
        return {pack_conv_taps(Conv2d::kWeight, problem.inputs[Conv2d::kWeight])};
    }
    static std::size_t workspace_bytes(Conv2d const& op, Problem const& problem, int threads);
    static void launch(Conv2d const& op, Launch const& launch);
};

template <Isa isa>
struct LayerNormKernel : SimdKernel<LayerNorm, kLayerNorm, isa> {
    static std::vector<int> reusable_inputs(LayerNorm const&, Problem const&) { return {LayerNorm::kX}; }
};
template <Isa isa>
struct AddKernel : SimdKernel<Add, kAdd, isa> {
    static std::vector<int> reusable_inputs(Add const&, Problem const&) { return {Add::kA, Add::kB}; }
};
template <Isa isa>
struct ActivateKernel : SimdKernel<Activate, kActivate, isa> {
    static std::vector<int> reusable_inputs(Activate const&, Problem const&) { return {Activate::kX}; }
};

template <Isa isa>
struct DeformableAttentionKernel : SimdKernel<DeformableAttention, kDeformableAttention, isa> {
    using Op = DeformableAttention;
    static constexpr std::string_view kName = "tokens_in_lanes";
    static std::vector<Packing> packings(Op const&, Problem const& problem) {
        return {pack_linear(Op::kOffsetWeight, problem.inputs[Op::kOffsetWeight]),
                pack_linear(Op::kScoreWeight, problem.inputs[Op::kScoreWeight]),
                pack_linear(Op::kProjWeight, problem.inputs[Op::kProjWeight])};
    }
    /// Tokens read no other token's x: what they sample are the values.
    static std::vector<int> reusable_inputs(Op const&, Problem const&) { return {Op::kX}; }
};

template <Isa isa>
struct QueryAttentionKernel : SimdKernel<QueryAttention, kQueryAttention, isa> {
    static constexpr std::string_view kName = "queries_in_lanes";
    /// A head reads its channels of the queries before it writes there.
    static std::vector<int> reusable_inputs(QueryAttention const&, Problem const&) {
        return {QueryAttention::kQueries};
    }
};

template <Isa isa>
struct PatchMergingKernel : SimdKernel<PatchMerging, kPatchMerging, isa> {
    using Op = PatchMerging;
    static constexpr std::string_view kName = "tokens_in_lanes";
    static std::vector<Packing> packings(Op const&, Problem const& problem) {
        return {pack_linear(Op::kWeight, problem.inputs[Op::kWeight])};
    }
};

template <Isa isa>
struct QueryMasksKernel : SimdKernel<QueryMasks, kQueryMasks, isa> {
    static constexpr std::string_view kName = "queries_in_lanes";
};

template <Isa isa>
struct GroupNormKernel : SimdKernel<GroupNorm, kGroupNorm, isa> {
    /// The statistics are complete before the first pixel is written.
    static std::vector<int> reusable_inputs(GroupNorm const&, Problem const&) { return {GroupNorm::kX}; }
};

template <Isa isa>
struct SpectralAttentionKernel : SimdKernel<SpectralAttention, kSpectralAttention, isa> {
    using Op = SpectralAttention;
    static constexpr std::string_view kName = "two_passes";
    static std::vector<Packing> packings(Op const&, Problem const& problem) {
        return {pack_linear(Op::kValueWeight, problem.inputs[Op::kValueWeight]),
                pack_doubles(Op::kQueryWeight, problem.inputs[Op::kQueryWeight]),
                pack_doubles(Op::kKeyWeight, problem.inputs[Op::kKeyWeight]),
                pack_doubles(Op::kProjWeight, problem.inputs[Op::kProjWeight])};
    }
    /// Read where the output is written. x is not: rows around a band are read again.
    static std::vector<int> reusable_inputs(Op const&, Problem const&) { return {Op::kResidual}; }
};

template <Isa isa>
struct ConvMlpKernel : SimdKernel<ConvMlp, kConvMlp, isa> {
    using Op = ConvMlp;
    static constexpr std::string_view kName = "rows_in_ring";
    static std::vector<Packing> packings(Op const&, Problem const& problem) {
        return {pack_linear(Op::kFc1Weight, problem.inputs[Op::kFc1Weight]),
                pack_linear(Op::kFc2Weight, problem.inputs[Op::kFc2Weight])};
    }
    static std::vector<int> reusable_inputs(Op const&, Problem const&) { return {Op::kResidual}; }
};

template <Isa isa>
struct DepthwiseConvKernel : SimdKernel<DepthwiseConv, kDepthwise, isa> {
    using Op = DepthwiseConv;
    static constexpr std::string_view kName = "channels_in_lanes";
    static std::vector<Packing> packings(Op const&, Problem const& problem) {
        std::vector<Packing> all{pack_channels(Op::kWeight, problem.inputs[Op::kWeight])};
        Shape const& bias = problem.inputs[Op::kBias];
        if (bias.rank() != 0) all.push_back(pack_channels(Op::kBias, bias));
        return all;
    }
    static std::vector<int> reusable_inputs(Op const&, Problem const&) { return {Op::kGated}; }
};

template <Isa isa>
struct MatMulKernel : SimdKernel<Dense, kMatMul, isa> {
    static constexpr std::string_view kName = "columns_in_lanes";
    static Support supports(Dense const& op, Problem const& problem) {
        if (!std::holds_alternative<dense::MatMul>(op.op)) return {false, "no matrix product"};
        bool const is_empty = problem.outputs[0].count() == 0 || problem.inputs[0].count() == 0;
        return is_empty ? Support{false, "an empty matrix"} : Support{};
    }
};

/// A row's numbers are read before they are written.
template <Isa isa>
struct SoftmaxKernel : SimdKernel<Dense, kSoftmax, isa> {
    static constexpr std::string_view kName = "rows_in_lanes";
    static Support supports(Dense const& op, Problem const& problem) {
        auto const* const softmax = std::get_if<dense::Softmax>(&op.op);
        if (softmax == nullptr) return {false, "no softmax"};
        Shape const& shape = problem.inputs[0];
        if (softmax->log) return {false, "a logarithm"};
        if (softmax->axis + 1 != shape.rank())
            return {false, fmt::format("over axis {} of {}", softmax->axis, shape.rank())};
        return shape.count() == 0 ? Support{false, "an empty tensor"} : Support{};
    }
    static std::vector<int> reusable_inputs(Dense const&, Problem const&) { return {0}; }
};

template <Isa isa>
struct UnaryKernel : SimdKernel<Dense, kUnary, isa> {
    static constexpr std::string_view kName = "numbers_in_lanes";
    static Support supports(Dense const& op, Problem const&) {
        using F = dense::UnaryFunction;
        auto const* const unary = std::get_if<dense::Unary>(&op.op);
        if (unary == nullptr) return {false, "no function of one number"};
        bool const is_known = unary->function == F::gelu || unary->function == F::sigmoid ||
                              (unary->function == F::swish && unary->a == 1);
        return is_known ? Support{} : Support{false, "neither gelu nor sigmoid nor swish"};
    }
    static std::vector<int> reusable_inputs(Dense const&, Problem const&) { return {0}; }
    /// A problem does not tell element types; those but float32 are rare.
    static void launch(Dense const& op, Launch const& launch) {
        if (launch.inputs[0].dtype != DType::f32) return run(op, launch, dense::Precision::fast);
        SimdKernel<Dense, kUnary, isa>::launch(op, launch);
    }
};

/// Copies of pixels, which memory bounds: the compiler's own code for every instruction set.
template <class O>
struct CopyKernel : KernelDefaults<O> {
    static constexpr std::string_view kName = "copy";
    static void launch(O const& op, Launch const& launch);
};

// Position embeddings and resizing, bound by memory or run once per program: the compiler's own code too.

struct SinePositionKernel : KernelDefaults<SinePosition> {
    static constexpr std::string_view kName = "tables";
    static std::size_t workspace_bytes(SinePosition const& op, Problem const& problem, int threads);
    static void launch(SinePosition const& op, Launch const& launch);
};

struct AddPositionKernel : KernelDefaults<AddPosition> {
    static constexpr std::string_view kName = "plain";
    static std::vector<int> reusable_inputs(AddPosition const&, Problem const&) { return {AddPosition::kX}; }
    static void launch(AddPosition const& op, Launch const& launch);
};

struct TokensKernel : KernelDefaults<Tokens> {
    static constexpr std::string_view kName = "plain";
    static void launch(Tokens const& op, Launch const& launch);
};

struct ResizeKernel : KernelDefaults<Resize> {
    static constexpr std::string_view kName = "plain";
    static std::vector<int> reusable_inputs(Resize const&, Problem const&) { return {Resize::kAdd}; }
    static void launch(Resize const& op, Launch const& launch);
};

struct ShiftBackKernel : CopyKernel<ShiftBack> {
    static Support supports(ShiftBack const& op, Problem const& problem) { return shifts_fit(op, problem); }
};

}  // namespace cpu

// clang-format off
template <cpu::Isa isa> struct Kernels<Cpu<isa>, Dense> { using list = KernelList<Dense, cpu::MatMulKernel<isa>, cpu::SoftmaxKernel<isa>, cpu::UnaryKernel<isa>, dense::Kernel<dense::Precision::fast>>; };
template <cpu::Isa isa> struct Kernels<Cpu<isa>, ToPixels> { using list = KernelList<ToPixels, dense::BorderKernel<ToPixels>>; };
template <cpu::Isa isa> struct Kernels<Cpu<isa>, ToDense> { using list = KernelList<ToDense, dense::BorderKernel<ToDense>>; };
template <cpu::Isa isa> struct Kernels<Cpu<isa>, Conv2d> { using list = KernelList<Conv2d, cpu::WinogradConvKernel<isa>, cpu::ConvKernel<isa>, cpu::StridedConvKernel<isa>, cpu::GatheredConvKernel<isa>, cpu::GeneralConvKernel>; };
template <cpu::Isa isa> struct Kernels<Cpu<isa>, LayerNorm> { using list = KernelList<LayerNorm, cpu::LayerNormKernel<isa>>; };
template <cpu::Isa isa> struct Kernels<Cpu<isa>, WindowAttention> { using list = KernelList<WindowAttention, cpu::AttentionKernel<isa>>; };
template <cpu::Isa isa> struct Kernels<Cpu<isa>, Mlp> { using list = KernelList<Mlp, cpu::MlpKernel<isa>>; };
template <cpu::Isa isa> struct Kernels<Cpu<isa>, ShiftMlp> { using list = KernelList<ShiftMlp, cpu::ShiftMlpKernel<isa>>; };
template <cpu::Isa isa> struct Kernels<Cpu<isa>, GroupWindowAttention> { using list = KernelList<GroupWindowAttention, cpu::GroupAttentionKernel<isa>>; };
template <cpu::Isa isa> struct Kernels<Cpu<isa>, Add> { using list = KernelList<Add, cpu::AddKernel<isa>>; };
template <cpu::Isa isa> struct Kernels<Cpu<isa>, Activate> { using list = KernelList<Activate, cpu::ActivateKernel<isa>>; };
template <cpu::Isa isa> struct Kernels<Cpu<isa>, PixelShuffle> { using list = KernelList<PixelShuffle, cpu::CopyKernel<PixelShuffle>>; };
template <cpu::Isa isa> struct Kernels<Cpu<isa>, ResizeNearest> { using list = KernelList<ResizeNearest, cpu::CopyKernel<ResizeNearest>>; };
template <cpu::Isa isa> struct Kernels<Cpu<isa>, ReflectPad> { using list = KernelList<ReflectPad, cpu::CopyKernel<ReflectPad>>; };
template <cpu::Isa isa> struct Kernels<Cpu<isa>, Crop> { using list = KernelList<Crop, cpu::CopyKernel<Crop>>; };
template <cpu::Isa isa> struct Kernels<Cpu<isa>, Resize> { using list = KernelList<Resize, cpu::ResizeKernel>; };
template <cpu::Isa isa> struct Kernels<Cpu<isa>, SinePosition> { using list = KernelList<SinePosition, cpu::SinePositionKernel>; };
template <cpu::Isa isa> struct Kernels<Cpu<isa>, AddPosition> { using list = KernelList<AddPosition, cpu::AddPositionKernel>; };
template <cpu::Isa isa> struct Kernels<Cpu<isa>, Tokens> { using list = KernelList<Tokens, cpu::TokensKernel>; };
template <cpu::Isa isa> struct Kernels<Cpu<isa>, DeformableAttention> { using list = KernelList<DeformableAttention, cpu::DeformableAttentionKernel<isa>>; };
template <cpu::Isa isa> struct Kernels<Cpu<isa>, QueryAttention> { using list = KernelList<QueryAttention, cpu::QueryAttentionKernel<isa>>; };
template <cpu::Isa isa> struct Kernels<Cpu<isa>, QueryMasks> { using list = KernelList<QueryMasks, cpu::QueryMasksKernel<isa>>; };
template <cpu::Isa isa> struct Kernels<Cpu<isa>, PatchMerging> { using list = KernelList<PatchMerging, cpu::PatchMergingKernel<isa>>; };
template <cpu::Isa isa> struct Kernels<Cpu<isa>, GroupNorm> { using list = KernelList<GroupNorm, cpu::GroupNormKernel<isa>>; };
template <cpu::Isa isa> struct Kernels<Cpu<isa>, MaxPool2d> { using list = KernelList<MaxPool2d, cpu::CopyKernel<MaxPool2d>>; };
template <cpu::Isa isa> struct Kernels<Cpu<isa>, SpectralAttention> { using list = KernelList<SpectralAttention, cpu::SpectralAttentionKernel<isa>>; };
template <cpu::Isa isa> struct Kernels<Cpu<isa>, ConvMlp> { using list = KernelList<ConvMlp, cpu::ConvMlpKernel<isa>>; };
template <cpu::Isa isa> struct Kernels<Cpu<isa>, DepthwiseConv> { using list = KernelList<DepthwiseConv, cpu::DepthwiseConvKernel<isa>>; };
template <cpu::Isa isa> struct Kernels<Cpu<isa>, ShiftBack> { using list = KernelList<ShiftBack, cpu::ShiftBackKernel>; };
// clang-format on

}  // namespace vitrum
