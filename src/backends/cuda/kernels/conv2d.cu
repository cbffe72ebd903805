// SPDX-License-Identifier: Apache-2.0
// Convolutions as implicit matrix products: a row is an output pixel, the depth runs over taps and channels.
#include "../kernels.h"
#include "rows.cuh"

namespace vitrum::cuda {
namespace {

struct ConvLoad {
    Pixels x;
    int kernel, stride, padding;
    std::int64_t rows, columns;  ///< of the output, before the shuffle
    Divisor padded_channels;

    struct Row {
        std::int64_t picture;  ///< its first pixel
        std::int64_t top, left;
    };
    [[nodiscard]] __device__ Row row(std::int64_t m) const {
        Place const at(m, rows, columns);
        return {at.n * x.h * x.w, at.row * stride - padding, at.column * stride - padding};
    }
    [[nodiscard]] __device__ float4 operator()(Row const& row, int k) const {
        int const tap = padded_channels.whole(k);
        int const c = k - tap * padded_channels.by;
        std::int64_t const i = row.top + tap / kernel;
        std::int64_t const j = row.left + tap % kernel;
        bool const inside = i >= 0 && i < x.h && j >= 0 && j < x.w && tap < kernel * kernel;
        if (!inside) return make_float4(0, 0, 0, 0);
        return load4(x.at(row.picture + i * x.w + j) + c, x.c - c, x.vector);
    }
};

/// PyTorch's pixel_shuffle: channel c · r² + i · r + j goes to offset (i, j) of channel c.
struct ShuffledStore {
    Pixels y;
    Matrix residual;
    std::int64_t rows, columns;  ///< before the shuffle
    int channels, factor;        ///< channels before the shuffle
    Finish finish;

    struct Row {
        std::int64_t m;
        float* corner;
    };
    [[nodiscard]] __device__ Row row(std::int64_t m) const {
        Place const at(m, rows, columns);
        return {m, y.at((at.n * y.h + at.row * factor) * y.w + at.column * factor)};
    }
    __device__ void operator()(Row const& row, int column, float4 sums) const {
        int const left = channels - column;
        float4 added = make_float4(0, 0, 0, 0);
        if (residual.data != nullptr) added = load4(residual.at(row.m) + column, left, residual.vector);
        float4 const v = finish(sums, added, column, channels);
        put(row, column, v.x);
        if (left > 1) put(row, column + 1, v.y);
        if (left > 2) put(row, column + 2, v.z);
        if (left > 3) put(row, column + 3, v.w);
    }
    __device__ void put(Row const& row, int channel, float value) const {
        int const offset = channel % (factor * factor);
        row.corner[(offset / factor * y.w + offset % factor) * y.stride + channel / (factor * factor)] = value;
    }
};

}  // namespace

void Conv2dKernel::launch(Conv2d const& op, Launch const& launch) {
    Pixels const x(launch.inputs[Conv2d::kX]), y(launch.outputs[0]);
    Pixels const residual(launch.inputs[Conv2d::kResidual]);
    Shape const& weight = launch.inputs[Conv2d::kWeight].shape;
    int const channels = static_cast<int>(weight[0]);
    Weight const b(floats(launch.packed[0]), channels, x.c, std::int64_t{op.kernel} * op.kernel);
    std::int64_t const rows = y.h / op.pixel_shuffle, columns = y.w / op.pixel_shuffle;
    ConvLoad const load{x, op.kernel, op.stride, op.padding(), rows, columns, Divisor(x.quads() * 4)};
    Finish const finish{floats(launch.inputs[Conv2d::kBias]), op.activation, op.negative_slope,
                        op.residual_place == ResidualPlace::before_activation};
    std::int64_t const pixels = x.n * rows * columns;
    if (op.pixel_shuffle == 1) {
        multiply(launch.stream, pixels, load, b, rows_to(y, channels, finish, residual));
    } else {
        ShuffledStore const store{y, residual, rows, columns, channels, op.pixel_shuffle, finish};
        multiply(launch.stream, pixels, load, b, store);
    }
}

}  // namespace vitrum::cuda
