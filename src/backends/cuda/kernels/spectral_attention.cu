// SPDX-License-Identifier: Apache-2.0
// Attention between channels in two passes over the picture: the first gives the products of q and k over all pixels,
// which a small kernel turns into one C × C matrix; the second applies that to v and adds the position embedding.
#include "../general_kernels.h"
#include "depthwise.cuh"
#include "rows.cuh"
#include "spectral_attention.cuh"

namespace vitrum::cuda {
namespace {

using Op = SpectralAttention;

/// Rows of v ∘ guide of a band: v from a row of the buffer on, the guide from a pixel of the picture on.
struct GuidedLoad {
    Matrix v, guide;
    int channels;

    struct Row {
        float const *v, *guide;
    };
    [[nodiscard]] __device__ Row row(std::int64_t m) const {
        return {v.at(m), guide.data == nullptr ? nullptr : guide.at(m)};
    }
    using Quad = PlainQuad;
    [[nodiscard]] __device__ Quad quad(int k) const { return {k, channels - k}; }
    struct Raw {
        float4 v, guide;
    };
    [[nodiscard]] __device__ Raw fetch(Row const& row, Quad const& quad) const {
        Raw raw{fetch4(row.v + quad.first, quad.count, v.vector), make_float4(1, 1, 1, 1)};
        if (row.guide != nullptr) raw.guide = fetch4(row.guide + quad.first, quad.count, guide.vector);
        return raw;
    }
    [[nodiscard]] __device__ float4 finish(Row const&, Quad const& quad, Raw const& raw) const {
        float4 const g = raw.guide, x = raw.v;
        return first4(make_float4(x.x * g.x, x.y * g.y, x.z * g.z, x.w * g.w), quad.count);
    }
};

template <Precision operands>
struct Parts {
    std::int64_t stride;   ///< of a pixel with C channels
    std::int64_t at_once;  ///< pixels of a chunk of the first pass; q and k lie where the second pass has v
    Bands bands;
    SpectralSums sums;
    std::byte* matrices;  ///< of each picture, as packed weights
    float *q, *k, *v, *features;
    std::size_t bytes;

    Parts(Op const& op, Shape const& x, std::byte* workspace)
        : stride(padded_channels(x[3])), bands(Bands::choose(x[0], x[1], x[2], 2, 2 * stride * 4)), sums(op, x) {
        std::int64_t const pixels = bands.most_pixels();
        WorkspaceParts parts(workspace);
        sums.take(parts);
        matrices = parts.take<std::byte>(x[0] * WeightLayout<operands>(x[3], x[3]).extent.bytes());
        v = q = parts.take<float>(pixels * stride);
        features = k = parts.take<float>(pixels * stride);
        at_once = std::min(pixels, x[1] * x[2]);
        bytes = parts.bytes();
    }
};

/// The attention of each picture, as weights of a product.
template <Precision operands>
void first_pass(Launch const& launch, Parts<operands> const& parts) {
    Pixels const x(launch.inputs[Op::kX]);
    Matrix const q(parts.q, parts.stride), k(parts.k, parts.stride);
    Weight<operands> const query(launch.packed[0], x.c, x.c), key(launch.packed[1], x.c, x.c);
    std::int64_t const plane = x.h * x.w;
    for (std::int64_t n = 0; n < x.n; ++n) {
        bool is_first = true;
        for (std::int64_t begin = 0; begin < plane; begin += parts.at_once) {
            std::int64_t const pixels = std::min(parts.at_once, plane - begin);
            Matrix const from = x.from(n * plane + begin);
            multiply(launch.stream, pixels, rows_of(from, x.c), query, rows_to(q, x.c));
            multiply(launch.stream, pixels, rows_of(from, x.c), key, rows_to(k, x.c));
            parts.sums.add(launch.stream, q, k, pixels, n, is_first);
            is_first = false;
        }
    }
    parts.sums.template make_matrices<operands>(launch.stream, floats(launch.inputs[Op::kRescale]),
                                                floats(launch.inputs[Op::kProjWeight]), parts.matrices);
}

/// v of a band with two rows more on either side, its position embedding in y, then the attended values added.
template <Precision operands>
void second_pass(Launch const& launch, Parts<operands> const& parts, std::int64_t index) {
    auto const in = launch.inputs;
    Pixels const x(in[Op::kX]), y(launch.outputs[0]), residual(in[Op::kResidual]), guide(in[Op::kGuide]);
    Matrix const v(parts.v, parts.stride), features(parts.features, parts.stride);
    Weight<operands> const value(launch.packed[2], x.c, x.c);
    Band const band = parts.bands[index];
    std::int64_t const first = (band.first_picture * x.h + band.first_row) * x.w;
    multiply(launch.stream, band.pictures * band.read_rows * x.w,
             rows_of(x.from((band.first_picture * x.h + band.first_read) * x.w), x.c), value, rows_to(v, x.c));
    // A row more on either side for the second convolution, where the picture has it.
    std::int64_t const top = std::max<std::int64_t>(0, band.first_row - 1);
    std::int64_t const rows = std::min(x.h, band.first_row + band.rows + 1) - top;
    DepthwiseQuad const inner{v,    features,        floats(launch.packed[3]), nullptr,         x.c, 3, x.h, x.w, top,
                              rows, band.first_read, band.read_rows,           Activation::gelu};
    for_each(launch.stream, inner.items(band.pictures), inner);
    DepthwiseQuad const outer{features,
                              y.from(first),
                              floats(launch.packed[4]),
                              floats(in[Op::kProjBias]),
                              x.c,
                              3,
                              x.h,
                              x.w,
                              band.first_row,
                              band.rows,
                              top,
                              rows,
                              Activation::none,
                              Matrix(),
                              residual.from(first)};
    for_each(launch.stream, outer.items(band.pictures), outer);
    std::int64_t const matrix_bytes = WeightLayout<operands>(x.c, x.c).extent.bytes();
    for (std::int64_t n = 0; n < band.pictures; ++n) {
        std::int64_t const own = (n * band.read_rows + band.first_row - band.first_read) * x.w;
        std::int64_t const pixel = first + n * x.h * x.w;
        Weight<operands> const matrix(parts.matrices + (band.first_picture + n) * matrix_bytes, x.c, x.c);
        Matrix const to = y.from(pixel);
        multiply(launch.stream, band.rows * x.w, GuidedLoad{v.from(own), guide.from(pixel), x.c}, matrix,
                 rows_to(to, x.c, {}, to));
    }
}

}  // namespace

template <Precision operands>
std::size_t SpectralAttentionKernel<operands>::workspace_bytes(Op const& op, Problem const& problem, int) {
    return Parts<operands>(op, problem.inputs[Op::kX], nullptr).bytes;
}

template <Precision operands>
void SpectralAttentionKernel<operands>::launch(Op const& op, Launch const& launch) {
    Parts<operands> const parts(op, launch.inputs[Op::kX].shape, launch.workspace);
    first_pass(launch, parts);
    for (std::int64_t i = 0; i < parts.bands.count(); ++i) second_pass(launch, parts, i);
}

template struct SpectralAttentionKernel<Precision::tf32>;
template struct SpectralAttentionKernel<Precision::fp32>;

}  // namespace vitrum::cuda
