// SPDX-License-Identifier: Apache-2.0
#include "../general_kernels.h"
#include "depthwise.cuh"
#include "rows.cuh"

namespace vitrum::cuda {
namespace {

using Op = ConvMlp;

/// The moments of all pixels; the hidden layer of a band with a row more on either side, and of the band itself
/// after the depthwise convolution.
struct Parts {
    std::int64_t stride;
    Bands bands;
    Moments* moments;
    float *hidden, *filtered;
    std::size_t bytes;

    Parts(Shape const& x, std::int64_t hidden_channels, std::byte* workspace)
        : stride(padded_channels(hidden_channels)), bands(Bands::choose(x[0], x[1], x[2], 1, 2 * stride * 4)) {
        WorkspaceParts parts(workspace);
        moments = parts.take<Moments>(x[0] * x[1] * x[2]);
        hidden = parts.take<float>(bands.most_pixels() * stride);
        filtered = parts.take<float>(bands.most_pixels() * stride);
        bytes = parts.bytes();
    }
};

}  // namespace

template <Precision operands>
std::size_t ConvMlpKernel<operands>::workspace_bytes(Op const&, Problem const& problem, int) {
    return Parts(problem.inputs[Op::kX], problem.inputs[Op::kFc1Weight][0], nullptr).bytes;
}

template <Precision operands>
void ConvMlpKernel<operands>::launch(Op const& op, Launch const& launch) {
    auto const in = launch.inputs;
    Pixels const x(in[Op::kX]), y(launch.outputs[0]), residual(in[Op::kResidual]);
    int const channels = static_cast<int>(in[Op::kFc1Weight].shape[0]);
    Parts const parts(in[Op::kX].shape, channels, launch.workspace);
    Matrix const hidden(parts.hidden, parts.stride), filtered(parts.filtered, parts.stride);
    Weight<operands> const fc1(launch.packed[0], channels, x.c), fc2(launch.packed[1], x.c, channels);
    Norm norm = prepare_norm(launch.stream, x, x.count(), x.c, in[Op::kNormWeight], in[Op::kNormBias], op.norm_epsilon,
                             parts.moments);
    for (std::int64_t i = 0; i < parts.bands.count(); ++i) {
        Band const band = parts.bands[i];
        std::int64_t const read = (band.first_picture * x.h + band.first_read) * x.w;
        std::int64_t const first = (band.first_picture * x.h + band.first_row) * x.w;
        if (norm.moments != nullptr) norm.moments = parts.moments + read;
        multiply(launch.stream, band.pictures * band.read_rows * x.w, rows_of(x.from(read), x.c, norm), fc1,
                 rows_to(hidden, channels, {nullptr, Activation::gelu}));
        DepthwiseQuad const filter{
            hidden,         filtered,  floats(launch.packed[2]), nullptr,        channels,        3, x.h, x.w,
            band.first_row, band.rows, band.first_read,          band.read_rows, Activation::gelu};
        for_each(launch.stream, filter.items(band.pictures), filter);
        multiply(launch.stream, band.pictures * band.rows * x.w, rows_of(filtered, channels), fc2,
                 rows_to(y.from(first), x.c, {}, residual.from(first)));
    }
}

template struct ConvMlpKernel<Precision::fp16>;
template struct ConvMlpKernel<Precision::tf32>;
template struct ConvMlpKernel<Precision::fp32>;

}  // namespace vitrum::cuda
