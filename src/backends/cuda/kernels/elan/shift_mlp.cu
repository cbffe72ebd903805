// SPDX-License-Identifier: Apache-2.0
#include "../../general_kernels.h"
#include "../rows.cuh"

namespace vitrum::cuda {
namespace {

using Op = ShiftMlp;

/// Rows of shift(x): four fifths of the channels come from a neighbour, zero outside of the picture. A row of the
/// product is a pixel of a band; x has rows of its own, which may begin above the band.
struct ShiftLoad {
    Matrix x;
    int channels;
    std::int64_t h, w;                 ///< of a picture
    std::int64_t first_row, rows;      ///< of the band, whose pixels are the product's rows
    std::int64_t x_first_row, x_rows;  ///< of what x holds of each picture

    struct Row {
        std::int64_t at;  ///< the pixel itself in x
        std::int64_t row, column;
    };
    [[nodiscard]] __device__ Row row(std::int64_t m) const {
        Place const at(m, rows, w);
        std::int64_t const row = first_row + at.row;
        return {(at.n * x_rows + row - x_first_row) * w + at.column, row, at.column};
    }
    struct Quad : PlainQuad {
        int group[4];  ///< of each channel
    };
    [[nodiscard]] __device__ Quad quad(int k) const {
        int const size = channels / 5;
        auto const group = [&](int c) {
            return (c >= size ? 1 : 0) + (c >= 2 * size ? 1 : 0) + (c >= 3 * size ? 1 : 0) + (c >= 4 * size ? 1 : 0);
        };
        return {{k, channels - k}, {group(k), group(k + 1), group(k + 2), group(k + 3)}};
    }
    using Raw = float4;
    [[nodiscard]] __device__ Raw fetch(Row const& row, Quad const& quad) const {
        if (x.vector && channels / 5 % 4 == 0) {  // a quad has one neighbour
            std::int64_t const pixel = source(row, quad.group[0]);
            return fetch4(x.at(pixel) + quad.first, pixel < 0 ? 0 : quad.count, true);
        }
        return each(make_float4(0, 0, 0, 0), [&](float, int i) {
            std::int64_t const pixel = source(row, quad.group[i]);
            return i < quad.count && pixel >= 0 ? x.at(pixel)[quad.first + i] : 0.0F;
        });
    }
    [[nodiscard]] __device__ float4 finish(Row const&, Quad const& quad, Raw const& raw) const {
        return first4(raw, quad.count);
    }
    /// Where a group's channels of the pixel come from; −1: from outside of the picture.
    [[nodiscard]] __host__ __device__ std::int64_t source(Row const& row, int group) const {
        std::int64_t const right = group == 0 ? 1 : group == 1 ? -1 : 0, down = group == 2 ? 1 : group == 3 ? -1 : 0;
        bool const inside =
            row.column + right >= 0 && row.column + right < w && row.row + down >= 0 && row.row + down < h;
        return inside ? row.at + down * w + right : -1;
    }
};

/// The hidden layer of a band with a row more on either side.
struct Parts {
    std::int64_t stride;
    Bands bands;
    float* hidden;
    std::size_t bytes;

    Parts(Shape const& x, std::int64_t hidden_channels, std::byte* workspace)
        : stride(padded_channels(hidden_channels)), bands(Bands::choose(x[0], x[1], x[2], 1, stride * 4)) {
        WorkspaceParts parts(workspace);
        hidden = parts.take<float>(bands.most_pixels() * stride);
        bytes = parts.bytes();
    }
};

}  // namespace

template <Precision operands>
std::size_t ShiftMlpKernel<operands>::workspace_bytes(Op const&, Problem const& problem, int) {
    return Parts(problem.inputs[Op::kX], problem.inputs[Op::kFc1Weight][0], nullptr).bytes;
}

template <Precision operands>
void ShiftMlpKernel<operands>::launch(Op const&, Launch const& launch) {
    auto const in = launch.inputs;
    Pixels const x(in[Op::kX]), y(launch.outputs[0]), residual(in[Op::kResidual]);
    int const channels = static_cast<int>(in[Op::kFc1Weight].shape[0]);
    Parts const parts(in[Op::kX].shape, channels, launch.workspace);
    Matrix const hidden(parts.hidden, parts.stride);
    Weight<operands> const fc1(launch.packed[0], channels, x.c), fc2(launch.packed[1], x.c, channels);
    for (std::int64_t i = 0; i < parts.bands.count(); ++i) {
        Band const band = parts.bands[i];
        ShiftLoad const shifted_x{
            x.from(band.first_picture * x.h * x.w), x.c, x.h, x.w, band.first_read, band.read_rows, 0, x.h};
        multiply(launch.stream, band.pictures * band.read_rows * x.w, shifted_x, fc1,
                 rows_to(hidden, channels, {floats(in[Op::kFc1Bias]), Activation::leaky_relu}));
        ShiftLoad const shifted_hidden{hidden,    channels,        x.h,           x.w, band.first_row,
                                       band.rows, band.first_read, band.read_rows};
        std::int64_t const first = (band.first_picture * x.h + band.first_row) * x.w;
        multiply(launch.stream, band.pictures * band.rows * x.w, shifted_hidden, fc2,
                 rows_to(y.from(first), x.c, {floats(in[Op::kFc2Bias])}, residual.from(first)));
    }
}

template struct ShiftMlpKernel<Precision::tf32>;
template struct ShiftMlpKernel<Precision::fp32>;

}  // namespace vitrum::cuda
