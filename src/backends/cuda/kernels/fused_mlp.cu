// SPDX-License-Identifier: Apache-2.0
#include "fused_mlp.cuh"

#include "../fused_kernels.h"
#include "../pack_fragments.h"

namespace vitrum::cuda {
namespace {

using Op = Mlp;

/// Up to 64 channels whose weights fit shared memory, Swin's first stage, and all others up to 192 channels.
template <Precision operands>
struct Shapes {
    using Light = MlpShape<Fp16, 4, 2, 0, 8, 2>;
    using Narrow = MlpShape<Fp16, 6, 2, 3, 8, 1>;
    using Wide = MlpShape<Fp16, 12, 2, 3, 8, 1>;
};
template <class Operand>
struct WordShapes {
    using Light = MlpShape<Operand, 4, 2, 0, 8, 2>;
    using Narrow = MlpShape<Operand, 6, 2, 3, 8, 1>;
    using Wide = MlpShape<Operand, 12, 1, 3, 8, 1>;
};
template <>
struct Shapes<Precision::tf32> : WordShapes<Tf32> {};
template <>
struct Shapes<Precision::fp32> : WordShapes<Tf32Pair> {};
constexpr int kMostChannels = WordShapes<Tf32>::Wide::kChannels;

[[nodiscard]] MlpArguments arguments_of(Op const& op, Shape const& x, Shape const& fc1) {
    MlpArguments a{.hidden = static_cast<int>(fc1[0]), .epsilon = op.norm_epsilon};
    a.x.c = static_cast<int>(x[3]);
    return a;
}

/// f(the shape) for the smallest that serves.
template <Precision operands, class F>
auto with_shape(MlpArguments const& a, F const& f) {
    using S = Shapes<operands>;
    using Light = typename S::Light;
    if (a.x.c <= Light::kChannels && shared_support(mlp_bytes<Light>(a)).ok) return f(Light{});
    return a.x.c <= S::Narrow::kChannels ? f(typename S::Narrow{}) : f(typename S::Wide{});
}

}  // namespace

template <Precision operands>
Support FusedMlpKernel<operands>::supports(Mlp const& op, Problem const& problem) {
    Support const served = ProductKernel<Op, operands>::supports(op, problem);
    if (!served.ok) return served;
    if (op.activation != Activation::gelu) return {false, "serves GELU only"};
    MlpArguments const a = arguments_of(op, problem.inputs[Op::kX], problem.inputs[Op::kFc1Weight]);
    if (a.x.c > kMostChannels) return {false, fmt::format("{} channels, more than {}", a.x.c, kMostChannels)};
    return with_shape<operands>(a, [&]<class S>(S) { return shared_support(mlp_bytes<S>(a)); });
}

template <Precision operands>
std::vector<Packing> FusedMlpKernel<operands>::packings(Mlp const& op, Problem const& problem) {
    Shape const &fc1 = problem.inputs[Op::kFc1Weight], &fc2 = problem.inputs[Op::kFc2Weight];
    FragmentBlocks const blocks =
        with_shape<operands>(arguments_of(op, problem.inputs[Op::kX], fc1), []<class S>(S) -> FragmentBlocks {
            return {S::kChannelBlocks, S::kHiddenBlocks};
        });
    return {pack_fc1_fragments(Op::kFc1Weight, fc1, blocks, operands),
            pack_fc2_fragments(Op::kFc2Weight, fc2, blocks, operands)};
}

template <Precision operands>
void FusedMlpKernel<operands>::launch(Mlp const& op, Launch const& launch) {
    auto const in = launch.inputs;
    MlpArguments a = arguments_of(op, in[Op::kX].shape, in[Op::kFc1Weight].shape);
    a.x = Pixels(in[Op::kX]);
    a.y = Pixels(launch.outputs[0]);
    a.residual = Pixels(in[Op::kResidual]);
    a.norm_weight = floats(in[Op::kNormWeight]);
    a.norm_bias = floats(in[Op::kNormBias]);
    a.fc1_bias = floats(in[Op::kFc1Bias]);
    a.fc2_bias = floats(in[Op::kFc2Bias]);
    a.fc1 = reinterpret_cast<Words const*>(launch.packed[0]);
    a.fc2 = reinterpret_cast<Words const*>(launch.packed[1]);
    with_shape<operands>(a, [&]<class S>(S) { start_fused_mlp<S>(launch.stream, a); });
}

template struct FusedMlpKernel<Precision::fp16>;
template struct FusedMlpKernel<Precision::tf32>;
template struct FusedMlpKernel<Precision::fp32>;

}  // namespace vitrum::cuda
