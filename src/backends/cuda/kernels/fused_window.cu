// SPDX-License-Identifier: Apache-2.0
#include "fused_window.cuh"

#include "../fused_kernels.h"
#include "../pack_fragments.h"

namespace vitrum::cuda {
namespace {

using Op = WindowAttention;

/// SwinIR's light, Swin's first stage, and all others up to 192 channels.
template <Precision operands>
struct Shapes {
    using Light = WindowShape<Fp16, 4, 1, 0, 2, 2, true>;
    using Narrow = WindowShape<Fp16, 6, 2, 2, 2, 2, false>;
    using Wide = WindowShape<Fp16, 12, 2, 2, 2, 2, true>;
    using WideAny = WindowShape<Fp16, 12, 2, 2, 2, 2, false>;
};
template <class Operand>
struct WordShapes {
    using Light = WindowShape<Operand, 4, 1, 2, 2, 2, true>;
    using Narrow = WindowShape<Operand, 6, 2, 2, 2, 1, false>;
    using Wide = WindowShape<Operand, 12, 2, 2, 2, 1, true>;
    using WideAny = WindowShape<Operand, 12, 2, 2, 2, 1, false>;
};
template <>
struct Shapes<Precision::tf32> : WordShapes<Tf32> {};
template <>
struct Shapes<Precision::fp32> : WordShapes<Tf32Pair> {};
constexpr int kMostChannels = WordShapes<Tf32>::Wide::kChannels, kMostDim = WordShapes<Tf32>::Wide::kDim;

[[nodiscard]] WindowArguments arguments_of(Op const& op, Shape const& x) {
    WindowArguments a{.windows = Windows(x[1], x[2], op.window, op.shift),
                      .heads = op.heads,
                      .dim = static_cast<int>(x[3] / op.heads),
                      .scale = op.scale,
                      .epsilon = op.norm_epsilon};
    a.x.c = static_cast<int>(x[3]);
    a.count = x[0] * a.windows.per_picture();
    return a;
}

/// f(the shape) for the smallest that serves.
template <Precision operands, class F>
auto with_shape(WindowArguments const& a, F const& f) {
    using S = Shapes<operands>;
    using Light = typename S::Light;
    bool const is_eight = a.windows.window == 8;
    if (is_eight && a.x.c <= Light::kChannels && a.dim <= Light::kDim && shared_support(window_bytes<Light>(a)).ok) {
        return f(Light{});
    }
    if (a.x.c <= S::Narrow::kChannels) return f(typename S::Narrow{});
    return is_eight ? f(typename S::Wide{}) : f(typename S::WideAny{});
}

}  // namespace

template <Precision operands>
Support FusedWindowKernel<operands>::supports(Op const& op, Problem const& problem) {
    Support const served = ProductKernel<Op, operands>::supports(op, problem);
    if (!served.ok) return served;
    WindowArguments const a = arguments_of(op, problem.inputs[Op::kX]);
    if (op.window > 8) return {false, fmt::format("windows of {0} × {0}, more than 8 × 8", op.window)};
    if (a.x.c > kMostChannels) return {false, fmt::format("{} channels, more than {}", a.x.c, kMostChannels)};
    if (a.dim > kMostDim) return {false, fmt::format("heads of {} channels, more than {}", a.dim, kMostDim)};
    return with_shape<operands>(a, [&]<class S>(S) { return shared_support(window_bytes<S>(a)); });
}

template <Precision operands>
std::vector<Packing> FusedWindowKernel<operands>::packings(Op const& op, Problem const& problem) {
    FragmentBlocks const blocks =
        with_shape<operands>(arguments_of(op, problem.inputs[Op::kX]), []<class S>(S) -> FragmentBlocks {
            return {S::kChannelBlocks, S::kDimBlocks};
        });
    return {pack_qkv_fragments(Op::kQkvWeight, problem.inputs[Op::kQkvWeight], op.heads, blocks, operands),
            pack_projection_fragments(Op::kProjWeight, problem.inputs[Op::kProjWeight], op.heads, blocks, operands)};
}

template <Precision operands>
void FusedWindowKernel<operands>::launch(Op const& op, Launch const& launch) {
    auto const in = launch.inputs;
    WindowArguments a = arguments_of(op, in[Op::kX].shape);
    a.x = Pixels(in[Op::kX]);
    a.y = Pixels(launch.outputs[0]);
    a.residual = Pixels(in[Op::kResidual]);
    a.norm_weight = floats(in[Op::kNormWeight]);
    a.norm_bias = floats(in[Op::kNormBias]);
    a.qkv_bias = floats(in[Op::kQkvBias]);
    a.bias_table = floats(in[Op::kBiasTable]);
    a.proj_bias = floats(in[Op::kProjBias]);
    a.qkv = reinterpret_cast<Words const*>(launch.packed[0]);
    a.proj = reinterpret_cast<Words const*>(launch.packed[1]);
    with_shape<operands>(a, [&]<class S>(S) { start_fused_window<S>(launch.stream, a); });
}

template struct FusedWindowKernel<Precision::fp16>;
template struct FusedWindowKernel<Precision::tf32>;
template struct FusedWindowKernel<Precision::fp32>;

}  // namespace vitrum::cuda
