// SPDX-License-Identifier: Apache-2.0
#include "../general_kernels.h"
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
    struct Quad : PlainQuad {
        int down, across;  ///< of the pixel among the four
        Norm::Quad norm;
    };
    [[nodiscard]] __device__ Quad quad(int k) const {
        int const part = k / (x.quads() * 4), c = k % (x.quads() * 4), count = part < 4 ? x.c - c : 0;
        Quad quad{{c, count}, part % 2, part / 2, {}};
        if (norm.moments != nullptr) quad.norm = norm.quad(part * x.c + c, count);
        return quad;
    }
    using Raw = float4;
    [[nodiscard]] __device__ Raw fetch(Row const& row, Quad const& quad) const {
        std::int64_t const i = row.row + quad.down, j = row.column + quad.across;
        bool const inside = i < x.h && j < x.w;  // zeros outside, before the norm
        return fetch4(x.at((row.n * x.h + i) * x.w + j) + quad.first, inside ? quad.count : 0, x.vector);
    }
    [[nodiscard]] __device__ float4 finish(Row const& row, Quad const& quad, Raw const& raw) const {
        return first4(norm.moments == nullptr ? raw : quad.norm.apply(raw, row.moments), quad.count);
    }
    [[nodiscard]] __device__ float4 operator()(Row const& row, int k) const {
        Quad const own = quad(k);
        return finish(row, own, fetch(row, own));
    }
    /// How many channels of the quad at k exist.
    [[nodiscard]] __device__ int width(int k) const { return x.c - k % (x.quads() * 4); }
};

}  // namespace

template <Precision operands>
std::size_t PatchMergingKernel<operands>::workspace_bytes(Op const&, Problem const& problem, int) {
    Shape const& y = problem.outputs[0];
    WorkspaceParts parts(nullptr);
    parts.take<Moments>(y[0] * y[1] * y[2]);
    return parts.bytes();
}

template <Precision operands>
void PatchMergingKernel<operands>::launch(Op const& op, Launch const& launch) {
    auto const in = launch.inputs;
    Pixels const x(in[Op::kX]), y(launch.outputs[0]);
    auto* const moments = reinterpret_cast<Moments*>(launch.workspace);
    MergeLoad load{x, y.h, y.w, {}};
    compute_moments(launch.stream, y.count(), 16 * x.quads(), 4 * x.c, load, op.norm_epsilon, moments);
    load.norm = {moments, floats(in[Op::kNormWeight]), floats(in[Op::kNormBias])};
    multiply(launch.stream, y.count(), load, Weight<operands>(launch.packed[0], y.c, x.c, 4), rows_to(y, y.c));
}

template struct PatchMergingKernel<Precision::fp16>;
template struct PatchMergingKernel<Precision::tf32>;
template struct PatchMergingKernel<Precision::fp32>;

}  // namespace vitrum::cuda
