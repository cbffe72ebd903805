// SPDX-License-Identifier: Apache-2.0
#include "spectral_fused.cuh"

#include "../fused_kernels.h"
#include "spectral_moments.cuh"

namespace vitrum::cuda {
namespace {

using Op = SpectralAttention;

template <FragmentKind kKind>
using OperandOf = std::conditional_t<kKind == FragmentKind::split, Split, Tf32>;

template <FragmentKind kKind>
SpectralMoments moments_of(Op const& op, Shape const& x, WorkspaceParts& parts) {
    SpectralMoments moments(op, x);
    moments.take(parts, kKind);
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
    using Tile = SpectralTile<OperandOf<kKind>, 8, 8, 2, 2, 2, 3, 2>;
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
    sum_spectral_moments(launch.stream, x, moments);
    make_spectral_matrix(launch.stream, moments, weights, kKind);
    SpectralData const data{.x = x,
                            .y = Pixels(launch.outputs[0]),
                            .residual = residual,
                            .value = reinterpret_cast<std::uint32_t const*>(launch.packed[2]),
                            .matrix = moments.matrix,
                            .matrix_words = moments.extent().words(kKind),
                            .position1 = launch.packed[3],
                            .position2 = launch.packed[4],
                            .bias = floats(in[Op::kProjBias]),
                            .blocks = moments.blocks,
                            .steps = moments.steps(),
                            .grid = TileGrid(x, Tile::kRows, Tile::kColumns)};
    launch_spectral<Tile>(launch.stream, data);
}

template std::size_t FusedSpectralKernel<FragmentKind::tf32>::workspace_bytes(Op const&, Problem const&, int);
template std::size_t FusedSpectralKernel<FragmentKind::split>::workspace_bytes(Op const&, Problem const&, int);
template void FusedSpectralKernel<FragmentKind::tf32>::launch(Op const& op, Launch const& launch);
template void FusedSpectralKernel<FragmentKind::split>::launch(Op const& op, Launch const& launch);

}  // namespace vitrum::cuda
