// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "../fragments.h"
#include "device.cuh"

namespace vitrum::cuda {

/// Spectral attention as one matrix. q and k have no biases, so that their dot products and norms over all pixels
/// follow from S = Σ x·xᵀ. S is summed by blocks of pixels and of 32 × 32 channels: in split precision or, where the
/// second pass rounds x anyway, of x rounded likewise, which is exact for an x that is off by as little. What follows
/// is arithmetic on C × C numbers, in float64 as far as differences of large sums matter. The order of all sums is
/// fixed.
struct SpectralMoments {
    static constexpr int kBlock = 32;          ///< channels of a block
    static constexpr int kPixelsOfPart = 512;  ///< at least
    static constexpr int kBlocksAtOnce = 264;  ///< two on each of 132 multiprocessors: more would begin a second round

    std::int64_t pictures, pixels;  ///< pixels of a picture
    int channels, heads, dim;
    int blocks, parts;
    float* partial = nullptr;         ///< [picture][part][width][width]
    double* products = nullptr;       ///< [picture][channel j][2 C]: column j of W_k·S, then of W_q·S
    float* attended = nullptr;        ///< [picture][C][C]: A·W_v
    std::uint32_t* matrix = nullptr;  ///< [picture] W_o·A·W_v as a right operand

    SpectralMoments(SpectralAttention const& op, Shape const& x)
        : pictures(x[0]),
          pixels(x[1] * x[2]),
          channels(static_cast<int>(x[3])),
          heads(op.heads),
          dim(static_cast<int>(x[3] / op.heads)),
          blocks(static_cast<int>(divide_up(x[3], kBlock))),
          parts(static_cast<int>(
              std::clamp<std::int64_t>(kBlocksAtOnce / (pictures * pairs()), 1, divide_up(pixels, kPixelsOfPart)))) {}

    [[nodiscard]] __host__ __device__ int width() const { return blocks * kBlock; }
    [[nodiscard]] __host__ __device__ int pairs() const { return blocks * (blocks + 1) / 2; }
    /// The right operand's extent: whole blocks of columns.
    [[nodiscard]] FragmentExtent extent() const { return {channels, channels, kBlock, kFragmentChannels}; }
    [[nodiscard]] __host__ __device__ int steps() const { return (channels + 15) / 16; }
    void take(WorkspaceParts& workspace, FragmentKind kind) {
        partial = workspace.take<float>(pictures * parts * width() * width());
        products = workspace.take<double>(pictures * channels * 2 * channels);
        attended = workspace.take<float>(pictures * channels * channels);
        matrix = workspace.take<std::uint32_t>(pictures * extent().words(kind));
    }
};

struct SpectralWeights {
    float const *query, *key;  ///< packed [channel][stride]
    std::int64_t stride;
    float const *value, *projection, *rescale;  ///< canonical
};

/// From the picture to moments.partial, in operands of the second pass, and from there to moments.matrix.
void sum_spectral_moments(void* stream, Pixels const& x, SpectralMoments const& moments, FragmentKind kind);
void make_spectral_matrix(void* stream, SpectralMoments const& moments, SpectralWeights const& weights,
                          FragmentKind kind);

}  // namespace vitrum::cuda
