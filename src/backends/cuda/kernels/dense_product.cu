// SPDX-License-Identifier: Apache-2.0
// Matrix products, convolutions and pooling on float32: one thread per number, float64 where a sum is not a matrix
// product's.
#include "dense.cuh"

namespace vitrum::cuda {
namespace {

/// Three spatial dimensions, the leading ones of extent `fill` where there are fewer.
struct Volume {
    std::int64_t extent[3];

    Volume(Shape const& shape, int from, std::int64_t fill) : extent{fill, fill, fill} {
        for (int i = from; i < shape.rank(); ++i) extent[3 - shape.rank() + i] = shape[i];
    }
    [[nodiscard]] __host__ __device__ std::int64_t operator[](int i) const { return extent[i]; }
    [[nodiscard]] __host__ __device__ std::int64_t count() const { return extent[0] * extent[1] * extent[2]; }
};

struct Index3 {
    std::int64_t at[3];

    __device__ Index3(std::int64_t index, Volume const& volume) {
        Quotient const line = divide(index, volume[2]);
        Quotient const plane = divide(line.whole, volume[1]);
        at[0] = plane.whole, at[1] = plane.rest, at[2] = line.rest;
    }
};

constexpr int kSide = 16;

struct MatMulExtent {
    Walk<2> batches;  ///< offsets of the batch's matrices
    std::int64_t rows, columns, depth, row_tiles, column_tiles;
};

/// A block has 16 × 16 numbers of a batch's product.
__global__ void __launch_bounds__(kSide* kSide)
    matmul_kernel(MatMulExtent extent, float const* a, float const* b, float* y) {
    __shared__ float left[kSide][kSide], right[kSide][kSide + 1];
    Quotient const by_column = divide(static_cast<std::int64_t>(blockIdx.x), extent.column_tiles);
    Quotient const by_row = divide(by_column.whole, extent.row_tiles);
    int const i = static_cast<int>(threadIdx.x) / kSide, j = static_cast<int>(threadIdx.x) % kSide;
    std::int64_t const row = by_row.rest * kSide + i, column = by_column.rest * kSide + j;
    std::int64_t from[2];
    extent.batches.offsets(by_row.whole, from);
    double total = 0;
    for (std::int64_t k = 0; k < extent.depth; k += kSide) {
        bool const has_left = row < extent.rows && k + j < extent.depth;
        bool const has_right = column < extent.columns && k + i < extent.depth;
        __syncthreads();
        left[i][j] = has_left ? a[from[0] + row * extent.depth + k + j] : 0.0F;
        right[i][j] = has_right ? b[from[1] + (k + i) * extent.columns + column] : 0.0F;
        __syncthreads();
        float sum = 0;
        for (int d = 0; d < kSide; ++d) sum = fmaf(left[i][d], right[d][j], sum);
        total += static_cast<double>(sum);
    }
    bool const exists = row < extent.rows && column < extent.columns;
    if (exists) y[(by_row.whole * extent.rows + row) * extent.columns + column] = static_cast<float>(total);
}

struct Geometry {
    Volume in, out, kernel, strides, dilations, before;
    std::int64_t channels, results;  ///< per group
    std::int64_t all_channels, all_results;
};

struct ConvolutionNumber {
    Geometry g;
    float const *x, *weight, *bias;
    float* y;

    __device__ void operator()(std::int64_t item) const {
        Quotient const by_plane = divide(item, g.out.count());
        Quotient const picture = divide(by_plane.whole, g.all_results);
        Index3 const place(by_plane.rest, g.out);
        std::int64_t const group = divide(picture.rest, g.results).whole;
        float const* const from = x + (picture.whole * g.all_channels + group * g.channels) * g.in.count();
        float const* const taps = weight + picture.rest * g.channels * g.kernel.count();
        double sum = static_cast<double>(bias[picture.rest]);
        for (std::int64_t tap = 0; tap < g.kernel.count(); ++tap) {
            Index3 const k(tap, g.kernel);
            std::int64_t offset = 0;
            bool is_inside = true;
            for (int d = 0; d < 3; ++d) {
                std::int64_t const at = place.at[d] * g.strides[d] - g.before[d] + k.at[d] * g.dilations[d];
                is_inside = is_inside && at >= 0 && at < g.in[d];
                offset = offset * g.in[d] + at;
            }
            if (!is_inside) continue;
            for (std::int64_t c = 0; c < g.channels; ++c) {
                sum += static_cast<double>(from[c * g.in.count() + offset]) *
                       static_cast<double>(taps[c * g.kernel.count() + tap]);
            }
        }
        y[item] = static_cast<float>(sum);
    }
};

struct TransposedNumber {
    Geometry g;
    float const *x, *weight, *bias;
    float* y;

    __device__ void operator()(std::int64_t item) const {
        Quotient const by_plane = divide(item, g.out.count());
        Quotient const picture = divide(by_plane.whole, g.all_results);
        Quotient const group = divide(picture.rest, g.results);
        Index3 const place(by_plane.rest, g.out);
        float const* const from = x + (picture.whole * g.all_channels + group.whole * g.channels) * g.in.count();
        float const* const taps = weight + (group.whole * g.channels * g.results + group.rest) * g.kernel.count();
        double sum = static_cast<double>(bias[picture.rest]);
        for (std::int64_t tap = 0; tap < g.kernel.count(); ++tap) {
            Index3 const k(tap, g.kernel);
            std::int64_t offset = 0;
            bool reaches = true;
            for (int d = 0; d < 3; ++d) {
                std::int64_t const at = place.at[d] + g.before[d] - k.at[d] * g.dilations[d];
                reaches = reaches && at >= 0 && at % g.strides[d] == 0 && at / g.strides[d] < g.in[d];
                offset = offset * g.in[d] + at / g.strides[d];
            }
            if (!reaches) continue;
            for (std::int64_t c = 0; c < g.channels; ++c) {
                sum += static_cast<double>(from[c * g.in.count() + offset]) *
                       static_cast<double>(taps[c * g.results * g.kernel.count() + tap]);
            }
        }
        y[item] = static_cast<float>(sum);
    }
};

struct PoolNumber {
    dense::PoolFunction function;
    double p;
    Volume in, out, kernel, strides, dilations, before, behind;
    float const* x;
    std::byte* y;

    __device__ void operator()(std::int64_t item) const {
        Quotient const by_plane = divide(item, out.count());
        Index3 const place(by_plane.rest, out);
        float const* const from = x + by_plane.whole * in.count();
        bool const wants_place = function == dense::PoolFunction::maximum_place;
        bool const is_maximum = function == dense::PoolFunction::maximum || wants_place;
        std::int64_t best = -1;
        double result = is_maximum ? -INFINITY : 0.0;
        std::int64_t inside = 0, padded = 0;
        for (std::int64_t tap = 0; tap < kernel.count(); ++tap) {
            Index3 const k(tap, kernel);
            std::int64_t offset = 0;
            bool is_inside = true, is_padding = true;
            for (int d = 0; d < 3; ++d) {
                std::int64_t const at = place.at[d] * strides[d] - before[d] + k.at[d] * dilations[d];
                is_inside = is_inside && at >= 0 && at < in[d];
                is_padding = is_padding && at < in[d] + behind[d];
                offset = offset * in[d] + at;
            }
            padded += is_padding ? 1 : 0;
            if (!is_inside) continue;
            ++inside;
            auto const value = static_cast<double>(from[offset]);
            bool const is_first_nan = value != value && result == result;
            if (is_maximum && (best < 0 || value > result || is_first_nan)) {
                best = offset;
                result = value;
            }
            if (!is_maximum) result += function == dense::PoolFunction::norm ? pow(fabs(value), p) : value;
        }
        if (function == dense::PoolFunction::average) result /= static_cast<double>(inside);
        if (function == dense::PoolFunction::average_padded) result /= static_cast<double>(padded);
        if (function == dense::PoolFunction::norm) result = pow(result, 1 / p);
        if (wants_place) reinterpret_cast<std::int64_t*>(y)[item] = best;
        else reinterpret_cast<float*>(y)[item] = static_cast<float>(result);
    }
};

float* result_of(Launch const& launch) {
    return reinterpret_cast<float*>(launch.outputs[0].data);
}

}  // namespace

void run(dense::MatMul const&, Launch const& launch) {
    TensorView const &a = launch.inputs[0], &b = launch.inputs[1], &y = launch.outputs[0];
    if (y.shape.count() == 0) return;
    int const rank = y.shape.rank();
    Shape const a_strides = repeating_strides(a.shape, y.shape), b_strides = repeating_strides(b.shape, y.shape);
    MatMulExtent extent{};
    for (int i = 0; i + 2 < rank; ++i) extent.batches.append(y.shape[i], {a_strides[i], b_strides[i]});
    extent.rows = y.shape[rank - 2];
    extent.columns = y.shape[rank - 1];
    extent.depth = a.shape[a.shape.rank() - 1];
    extent.row_tiles = divide_up(extent.rows, kSide);
    extent.column_tiles = divide_up(extent.columns, kSide);
    std::int64_t const blocks = extent.batches.count * extent.row_tiles * extent.column_tiles;
    start(launch.stream, matmul_kernel, blocks, kSide * kSide, extent, floats(a), floats(b), result_of(launch));
}

void run(dense::Convolution const& op, Launch const& launch) {
    TensorView const &x = launch.inputs[0], &weight = launch.inputs[1], &y = launch.outputs[0];
    Geometry const g{Volume(x.shape, 2, 1),
                     Volume(y.shape, 2, 1),
                     Volume(weight.shape, 2, 1),
                     Volume(op.strides, 0, 1),
                     Volume(op.dilations, 0, 1),
                     Volume(op.before, 0, 0),
                     weight.shape[1],
                     weight.shape[0] / op.groups,
                     x.shape[1],
                     y.shape[1]};
    for_each(launch.stream, y.shape.count(),
             ConvolutionNumber{g, floats(x), floats(weight), floats(launch.inputs[2]), result_of(launch)});
}

void run(dense::TransposedConvolution const& op, Launch const& launch) {
    TensorView const &x = launch.inputs[0], &weight = launch.inputs[1], &y = launch.outputs[0];
    Geometry const g{Volume(x.shape, 2, 1),
                     Volume(y.shape, 2, 1),
                     Volume(weight.shape, 2, 1),
                     Volume(op.strides, 0, 1),
                     Volume(op.dilations, 0, 1),
                     Volume(op.before, 0, 0),
                     x.shape[1] / op.groups,
                     weight.shape[1],
                     x.shape[1],
                     y.shape[1]};
    for_each(launch.stream, y.shape.count(),
             TransposedNumber{g, floats(x), floats(weight), floats(launch.inputs[2]), result_of(launch)});
}

void run(dense::Pool const& op, Launch const& launch) {
    TensorView const &x = launch.inputs[0], &y = launch.outputs[0];
    PoolNumber const pool{op.function,
                          static_cast<double>(op.p),
                          Volume(x.shape, 2, 1),
                          Volume(y.shape, 2, 1),
                          Volume(op.kernel, 0, 1),
                          Volume(op.strides, 0, 1),
                          Volume(op.dilations, 0, 1),
                          Volume(op.before, 0, 0),
                          Volume(op.behind, 0, 0),
                          floats(x),
                          y.data};
    for_each(launch.stream, y.shape.count(), pool);
}

}  // namespace vitrum::cuda
