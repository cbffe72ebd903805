// SPDX-License-Identifier: Apache-2.0
// Convolutions as implicit matrix products: a row is an output pixel, the depth runs over taps and channels.
#include "../general_kernels.h"
#include "conv2d.cuh"

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
    struct Quad {
        int down, across;    ///< of the tap
        int channel, count;  ///< no channels: beyond the last tap
    };
    [[nodiscard]] __device__ Quad quad(int k) const {
        int const tap = padded_channels.whole(k), c = k - tap * padded_channels.by;
        return {tap / kernel, tap % kernel, c, tap < kernel * kernel ? x.c - c : 0};
    }
    using Raw = float4;
    [[nodiscard]] __device__ Raw fetch(Row const& row, Quad const& quad) const {
        std::int64_t const i = row.top + quad.down, j = row.left + quad.across;
        bool const inside = i >= 0 && i < x.h && j >= 0 && j < x.w;
        return fetch4(x.at(row.picture + i * x.w + j) + quad.channel, inside ? quad.count : 0, x.vector);
    }
    /// Outside of the picture nothing was fetched.
    [[nodiscard]] __device__ float4 finish(Row const&, Quad const& quad, Raw const& raw) const {
        return first4(raw, quad.count);
    }
};

}  // namespace

template <Precision operands>
void Conv2dKernel<operands>::launch(Conv2d const& op, Launch const& launch) {
    Pixels const x(launch.inputs[Conv2d::kX]);
    ConvStore const store(op, launch);
    Weight<operands> const b(launch.packed[0], store.channels, x.c, std::int64_t{op.kernel} * op.kernel);
    ConvLoad const load{x, op.kernel, op.stride, op.padding(), store.rows, store.columns, Divisor(x.quads() * 4)};
    multiply(launch.stream, store.pixels(), load, b, store);
}

template struct Conv2dKernel<Precision::tf32>;
template struct Conv2dKernel<Precision::fp32>;

}  // namespace vitrum::cuda
