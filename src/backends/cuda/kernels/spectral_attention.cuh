// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gemm.cuh"

namespace vitrum::cuda {

/// Sums over all pixels of a picture in float64, block by block, so that they do not depend on the order in which
/// blocks run: per head k_i · q_j [D][D], then |q|² [D] and |k|² [D].
struct SpectralSums {
    static constexpr std::int64_t kMostParts = 256;

    std::int64_t pictures;
    int channels, heads, dim;
    double *parts = nullptr, *total = nullptr;  ///< [kMostParts][of a picture], [pictures][of a picture]
    float* attention = nullptr;                 ///< [pictures][C][D]

    SpectralSums(SpectralAttention const& op, Shape const& x)
        : pictures(x[0]), channels(static_cast<int>(x[3])), heads(op.heads), dim(static_cast<int>(x[3] / op.heads)) {}
    [[nodiscard]] __host__ __device__ std::int64_t per_head() const { return std::int64_t{dim} * dim + 2 * dim; }
    [[nodiscard]] __host__ __device__ std::int64_t per_picture() const { return heads * per_head(); }
    void take(WorkspaceParts& workspace) {
        parts = workspace.take<double>(kMostParts * per_picture());
        total = workspace.take<double>(pictures * per_picture());
        attention = workspace.take<float>(pictures * channels * dim);
    }

    /// Adds the pixels of a chunk of picture n to its sums, which begin with the first chunk.
    void add(void* stream, Matrix const& q, Matrix const& k, std::int64_t pixels, std::int64_t n, bool is_first) const;
    /// projection · attention of each picture as a packed weight [C, C].
    template <Precision operands>
    void make_matrices(void* stream, float const* rescale, float const* projection, std::byte* matrices) const;
};

}  // namespace vitrum::cuda
