// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "rows.cuh"

namespace vitrum::cuda {

/// Stores pixels of a convolution, before a shuffle counted in rows and columns of its own. PyTorch's pixel_shuffle:
/// channel c · r² + i · r + j goes to offset (i, j) of channel c.
struct ConvStore {
    Pixels y;
    Matrix residual;  ///< null: none
    int channels, factor;
    std::int64_t rows, columns;  ///< of the picture before the shuffle
    Finish finish;

    ConvStore(Conv2d const& op, Launch const& launch)
        : y(launch.outputs[0]),
          residual(Pixels(launch.inputs[Conv2d::kResidual])),
          channels(static_cast<int>(launch.inputs[Conv2d::kWeight].shape[0])),
          factor(op.pixel_shuffle),
          rows(y.h / factor),
          columns(y.w / factor),
          finish{floats(launch.inputs[Conv2d::kBias]), op.activation, op.negative_slope,
                 op.residual_place == ResidualPlace::before_activation} {}
    [[nodiscard]] std::int64_t pixels() const { return y.n * rows * columns; }

    struct Row {
        std::int64_t m;
        float* corner;
    };
    [[nodiscard]] __device__ Row row(std::int64_t m) const {
        if (factor == 1) return {m, y.at(m)};
        Place const at(m, rows, columns);
        return {m, y.at((at.n * y.h + at.row * factor) * y.w + at.column * factor)};
    }
    using Column = BiasedColumn;
    [[nodiscard]] __device__ Column column(int first) const { return {first, finish.bias_of(first, channels)}; }
    using Raw = float4;
    [[nodiscard]] __device__ Raw fetch(Row const& row, Column const& at) const {
        int const count = residual.data == nullptr ? 0 : channels - at.first;
        return fetch4(residual.at(row.m) + at.first, count, residual.vector);
    }
    __device__ void store(Row const& row, Column const& at, Raw const& added, float4 sums) const {
        int const column = at.first, left = channels - column;
        float4 const v = finish(sums, at.bias, added);
        if (factor == 1) return store4(row.corner + column, v, left, y.vector);
        put(row, column, v.x);
        if (left > 1) put(row, column + 1, v.y);
        if (left > 2) put(row, column + 2, v.z);
        if (left > 3) put(row, column + 3, v.w);
    }
    __device__ void operator()(Row const& row, Column const& at, float4 sums) const {
        store(row, at, fetch(row, at), sums);
    }
    __device__ void put(Row const& row, int channel, float value) const {
        int const offset = channel % (factor * factor);
        row.corner[(offset / factor * y.w + offset % factor) * y.stride + channel / (factor * factor)] = value;
    }
};

}  // namespace vitrum::cuda
