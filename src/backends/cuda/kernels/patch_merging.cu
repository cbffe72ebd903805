// SPDX-License-Identifier: Apache-2.0
#include "../kernels.h"
#include "rows.cuh"

namespace vitrum::cuda {
namespace {

using Op = PatchMerging;

/// The channels of 2 × 2 pixels one after the other, each pixel's padded to whole quads, normalised together.
struct MergeLoad {
    Pixels x;
    std::int64_t rows, columns;  ///< of the output
    Norm norm;                   ///< without moments: as they come

    struct Row {
        std::int64_t n, row, column;  ///< of the upper left pixel
        Moments moments;
    };
    [[nodiscard]] __device__ Row row(std::int64_t m) const {
        Place const at(m, rows, columns);
        return {at.n, at.row * 2, at.column * 2, norm.moments == nullptr ? Moments{} : norm.moments[m]};
    }
    [[nodiscard]] __device__ float4 operator()(Row const& row, int k) const {
        int const part = k / (x.quads() * 4), c = k % (x.quads() * 4);
        if (part >= 4) return make_float4(0, 0, 0, 0);
        std::int64_t const i = row.row + part % 2, j = row.column + part / 2;
        float4 v = make_float4(0, 0, 0, 0);
        if (i < x.h && j < x.w) v = load4(x.at((row.n * x.h + i) * x.w + j) + c, x.c - c, x.vector);
        if (norm.moments == nullptr) return v;
        Norm own = norm;
        own.weight += part * x.c;
        own.bias += part * x.c;
        return own.apply(v, row.moments, c, x.c - c);
    }
    /// How many channels of the quad at k exist.
    [[nodiscard]] __device__ int width(int k) const { return x.c - k % (x.quads() * 4); }
};

}  // namespace

std::size_t PatchMergingKernel::workspace_bytes(Op const&, Problem const& problem, int) {
    Shape const& y = problem.outputs[0];
    WorkspaceParts parts(nullptr);
    parts.take<Moments>(y[0] * y[1] * y[2]);
    return parts.bytes();
}

void PatchMergingKernel::launch(Op const& op, Launch const& launch) {
    auto const in = launch.inputs;
    Pixels const x(in[Op::kX]), y(launch.outputs[0]);
    auto* const moments = reinterpret_cast<Moments*>(launch.workspace);
    MergeLoad load{x, y.h, y.w, {}};
    compute_moments(launch.stream, y.count(), 16 * x.quads(), 4 * x.c, load, op.norm_epsilon, moments);
    load.norm = {moments, floats(in[Op::kNormWeight]), floats(in[Op::kNormBias])};
    multiply(launch.stream, y.count(), load, Weight(floats(launch.packed[0]), y.c, x.c, 4), rows_to(y, y.c));
}

}  // namespace vitrum::cuda
