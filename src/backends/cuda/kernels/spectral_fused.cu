// SPDX-License-Identifier: Apache-2.0
#include "spectral_fused.cuh"

#include "../fused_kernels.h"
#include "spectral_moments.cuh"

namespace vitrum::cuda {
namespace {

using Op = SpectralAttention;

template <FragmentKind kKind, int kChannels>
struct Choice;
template <int kChannels>
struct Choice<FragmentKind::half, kChannels> {
    using Tile = SpectralTile<CutTf32, HalfQuad, kChannels, 8, 8, 2, 2, 2, 3, 3>;
};
template <int kChannels>
struct Choice<FragmentKind::tf32, kChannels> {
    using Tile = SpectralTile<Tf32, float4, kChannels, 8, 8, 2, 2, 2, 3, 2>;
};
template <int kChannels>
struct Choice<FragmentKind::split, kChannels> {
    using Tile = SpectralTile<Split, float4, kChannels, 8, 8, 2, 2, 2, 3, 2>;
};

template <FragmentKind kKind>
void launch_second_pass(void* stream, SpectralData const& data) {
    switch (fused_channels(data.x.c)) {
        case 32: return launch_spectral<typename Choice<kKind, 32>::Tile>(stream, data);
        case 64: return launch_spectral<typename Choice<kKind, 64>::Tile>(stream, data);
        default: return launch_spectral<typename Choice<kKind, 128>::Tile>(stream, data);
    }
}

template <FragmentKind kKind>
SpectralMoments moments_of(Op const& op, Shape const& x, WorkspaceParts& parts) {
    SpectralMoments moments(op, x);
    moments.take(parts, spectral_products(kKind));
    return moments;
}

}  // namespace

template <FragmentKind kKind>
std::size_t FusedSpectralKernel<kKind>::workspace_bytes(Op const& op, Problem const& problem, int) {
    WorkspaceParts parts(nullptr);
    moments_of<kKind>(op, problem.inputs[Op::kX], parts);
    return parts.bytes();
}

template <FragmentKind kKind>
void FusedSpectralKernel<kKind>::launch(Op const& op, Launch const& launch) {
    constexpr FragmentKind kProducts = spectral_products(kKind);
    auto const in = launch.inputs;
    Pixels const x(in[Op::kX]), residual(in[Op::kResidual]);
    WorkspaceParts parts(launch.workspace);
    SpectralMoments const moments = moments_of<kKind>(op, in[Op::kX].shape, parts);
    SpectralWeights const weights{.query = floats(launch.packed[0]),
                                  .key = floats(launch.packed[1]),
                                  .stride = packed_extent(x.c, x.c, 1).stride,
                                  .value = floats(in[Op::kValueWeight]),
                                  .projection = floats(in[Op::kProjWeight]),
                                  .rescale = floats(in[Op::kRescale])};
    sum_spectral_moments(launch.stream, x, moments, kKind);
    make_spectral_matrix(launch.stream, moments, weights, kProducts);
    SpectralData const data{.x = x,
                            .y = Pixels(launch.outputs[0]),
                            .residual = residual,
                            .value = reinterpret_cast<std::uint32_t const*>(launch.packed[2]),
                            .matrix = moments.matrix,
                            .matrix_words = moments.extent().words(kProducts),
                            .position1 = launch.packed[3],
                            .position2 = launch.packed[4],
                            .bias = floats(in[Op::kProjBias]),
                            .blocks = moments.blocks,
                            .steps = moments.steps()};
    launch_second_pass<kKind>(launch.stream, data);
}

template std::size_t FusedSpectralKernel<FragmentKind::half>::workspace_bytes(Op const&, Problem const&, int);
template std::size_t FusedSpectralKernel<FragmentKind::tf32>::workspace_bytes(Op const&, Problem const&, int);
template std::size_t FusedSpectralKernel<FragmentKind::split>::workspace_bytes(Op const&, Problem const&, int);
template void FusedSpectralKernel<FragmentKind::half>::launch(Op const& op, Launch const& launch);
template void FusedSpectralKernel<FragmentKind::tf32>::launch(Op const& op, Launch const& launch);
template void FusedSpectralKernel<FragmentKind::split>::launch(Op const& op, Launch const& launch);

}  // namespace vitrum::cuda
