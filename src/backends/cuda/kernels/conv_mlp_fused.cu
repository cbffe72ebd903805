// SPDX-License-Identifier: Apache-2.0
#include "conv_mlp_fused.cuh"

#include "../fused_kernels.h"

namespace vitrum::cuda {
namespace {

using Op = ConvMlp;

/// Tiles by operands and channels, the fastest of those measured on an H100 or, in float16 up to 64 channels, an H200:
/// with few channels many blocks at once hide what each waits for, with more two buffers of hidden channels do.
template <FragmentKind kKind, int kChannels>
struct Choice;
template <>
struct Choice<FragmentKind::half, 32> {
    using Tile = ConvMlpTile<Fp16, 32, 8, 4, 2, 2, 6>;
};
template <>
struct Choice<FragmentKind::half, 64> {
    using Tile = ConvMlpTile<Fp16, 64, 8, 4, 2, 2, 4>;
};
template <>
struct Choice<FragmentKind::half, 128> {
    using Tile = ConvMlpTile<Fp16, 128, 4, 4, 1, 2, 2, 2>;
};

template <class Operand>
struct WideChoice32 {
    using Tile = ConvMlpTile<Operand, 32, 8, 4, 2, 2, 4>;
};
template <>
struct Choice<FragmentKind::tf32, 32> : WideChoice32<Tf32> {};
template <>
struct Choice<FragmentKind::split, 32> : WideChoice32<Split> {};
template <class Operand>
struct WideChoice64 {
    using Tile = ConvMlpTile<Operand, 64, 8, 8, 1, 2, 2>;
};
template <>
struct Choice<FragmentKind::tf32, 64> : WideChoice64<Tf32> {};
template <>
struct Choice<FragmentKind::split, 64> : WideChoice64<Split> {};
template <class Operand>
struct WideChoice128 {
    using Tile = ConvMlpTile<Operand, 128, 4, 4, 1, 2, 2, 2>;
};
template <>
struct Choice<FragmentKind::tf32, 128> : WideChoice128<Tf32> {};
template <>
struct Choice<FragmentKind::split, 128> : WideChoice128<Split> {};

template <class Tile>
void run(Op const& op, Launch const& launch) {
    auto const in = launch.inputs;
    Pixels const x(in[Op::kX]), residual(in[Op::kResidual]);
    ConvMlpData const data{.x = x,
                           .y = Pixels(launch.outputs[0]),
                           .residual = residual,
                           .norm_weight = floats(in[Op::kNormWeight]),
                           .norm_bias = floats(in[Op::kNormBias]),
                           .epsilon = op.norm_epsilon,
                           .per_channel = 1.0F / static_cast<float>(x.c),
                           .fc1 = reinterpret_cast<std::uint32_t const*>(launch.packed[0]),
                           .fc2 = reinterpret_cast<std::uint32_t const*>(launch.packed[1]),
                           .filter = launch.packed[2],
                           .hidden = static_cast<int>(round_up(in[Op::kFc1Weight].shape[0], kHiddenChunk)),
                           .grid = TileGrid(x, Tile::kRows, Tile::kColumns)};
    launch_conv_mlp<Tile>(launch.stream, data);
}

}  // namespace

template <FragmentKind kKind>
void FusedConvMlpKernel<kKind>::launch(Op const& op, Launch const& launch) {
    switch (fused_channels(launch.inputs[Op::kX].shape[3])) {
        case 32: return run<typename Choice<kKind, 32>::Tile>(op, launch);
        case 64: return run<typename Choice<kKind, 64>::Tile>(op, launch);
        default: return run<typename Choice<kKind, 128>::Tile>(op, launch);
    }
}

template void FusedConvMlpKernel<FragmentKind::half>::launch(Op const& op, Launch const& launch);
template void FusedConvMlpKernel<FragmentKind::tf32>::launch(Op const& op, Launch const& launch);
template void FusedConvMlpKernel<FragmentKind::split>::launch(Op const& op, Launch const& launch);

}  // namespace vitrum::cuda
