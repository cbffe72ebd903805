// SPDX-License-Identifier: Apache-2.0
// Matrix products, convolutions and pooling on float32.
#include <cmath>

#include "elements.h"
#include "run.h"

namespace vitrum::dense {
namespace {

float* floats(TensorView const& view) {
    return reinterpret_cast<float*>(view.data);
}

/// Three spatial dimensions, the leading ones of extent 1 where there are fewer.
struct Volume {
    std::array<std::int64_t, 3> extent{1, 1, 1};

    explicit Volume(std::int64_t fill) : extent{fill, fill, fill} {}
    /// The dimensions of a shape from `from` on.
    Volume(Shape const& shape, int from, std::int64_t fill) : Volume(fill) {
        for (int i = from; i < shape.rank(); ++i) extent[3 - static_cast<std::size_t>(shape.rank() - i)] = shape[i];
    }
    [[nodiscard]] std::int64_t operator[](int i) const { return extent[static_cast<std::size_t>(i)]; }
    [[nodiscard]] std::int64_t count() const { return extent[0] * extent[1] * extent[2]; }
};

/// Offsets of a batch's matrices in operands whose batch extents repeat.
std::int64_t batch_offset(std::int64_t index, Shape const& output, TensorView const& operand) {
    Shape const strides = repeating_strides(operand.shape, output);
    std::int64_t offset = 0;
    for (int i = output.rank() - 3; i >= 0; --i) {
        offset += index % output[i] * strides[i];
        index /= output[i];
    }
    return offset;
}

constexpr std::int64_t kColumns = 64;

/// Up to kColumns numbers of a row of a · b.
template <class C>
void product_row(float const* a, float const* b, std::int64_t depth, std::int64_t stride, std::int64_t columns,
                 float* y) {
    C sums[kColumns] = {};
    for (std::int64_t k = 0; k < depth; ++k) {
        auto const factor = static_cast<C>(a[k]);
        float const* const row = b + k * stride;
        for (std::int64_t j = 0; j < columns; ++j) sums[j] += factor * static_cast<C>(row[j]);
    }
    for (std::int64_t j = 0; j < columns; ++j) y[j] = static_cast<float>(sums[j]);
}

struct ConvolutionGeometry {
    Volume in, out, kernel, strides, dilations, before;
    std::int64_t groups, channels, results;  ///< channels and results per group
};

/// Up to kColumns outputs of a row of one plane.
template <class C>
void convolve(ConvolutionGeometry const& g, float const* x, float const* weight, float bias, std::int64_t z,
              std::int64_t y, std::int64_t begin, std::int64_t columns, float* to) {
    C sums[kColumns];
    std::fill_n(sums, columns, static_cast<C>(bias));
    for (std::int64_t c = 0; c < g.channels; ++c) {
        for (std::int64_t tap = 0; tap < g.kernel.count(); ++tap, ++weight) {
            std::int64_t const kz = tap / (g.kernel[1] * g.kernel[2]), ky = tap / g.kernel[2] % g.kernel[1];
            std::int64_t const iz = z * g.strides[0] - g.before[0] + kz * g.dilations[0];
            std::int64_t const iy = y * g.strides[1] - g.before[1] + ky * g.dilations[1];
            if (iz < 0 || iz >= g.in[0] || iy < 0 || iy >= g.in[1]) continue;
            float const* const row = x + ((c * g.in[0] + iz) * g.in[1] + iy) * g.in[2];
            std::int64_t const shift = tap % g.kernel[2] * g.dilations[2] - g.before[2] + begin * g.strides[2];
            std::int64_t const step = g.strides[2];
            std::int64_t const first = shift >= 0 ? 0 : (-shift + step - 1) / step;
            std::int64_t const last = std::min(columns, (g.in[2] - shift + step - 1) / step);
            auto const factor = static_cast<C>(*weight);
            for (std::int64_t j = first; j < last; ++j) sums[j] += factor * static_cast<C>(row[shift + j * step]);
        }
    }
    for (std::int64_t j = 0; j < columns; ++j) to[j] = static_cast<float>(sums[j]);
}

/// One number of a transposed convolution: the inputs that reach it. `weight` is [C / groups][O / groups][kernel…] at
/// the group's first channel and the wanted result.
double gathered(ConvolutionGeometry const& g, float const* x, float const* weight, std::array<std::int64_t, 3> place) {
    double sum = 0;
    for (std::int64_t tap = 0; tap < g.kernel.count(); ++tap) {
        std::array<std::int64_t, 3> const k = {tap / (g.kernel[1] * g.kernel[2]), tap / g.kernel[2] % g.kernel[1],
                                               tap % g.kernel[2]};
        std::int64_t from = 0;
        bool reaches = true;
        for (int i = 0; i < 3; ++i) {
            auto const d = static_cast<std::size_t>(i);
            std::int64_t const at = place[d] + g.before[i] - k[d] * g.dilations[i];
            reaches = reaches && at >= 0 && at % g.strides[i] == 0 && at / g.strides[i] < g.in[i];
            from = from * g.in[i] + at / g.strides[i];
        }
        if (!reaches) continue;
        for (std::int64_t c = 0; c < g.channels; ++c) {
            sum += static_cast<double>(x[c * g.in.count() + from]) *
                   static_cast<double>(weight[c * g.results * g.kernel.count() + tap]);
        }
    }
    return sum;
}

struct PoolGeometry {
    Volume in, out, kernel, strides, dilations, before, behind;
};

/// Calls body for every tap of a window: where it lies in x, whether it does, and whether it lies in x or its padding.
template <class Body>
void for_each_tap(PoolGeometry const& g, std::array<std::int64_t, 3> place, Body const& body) {
    for (std::int64_t tap = 0; tap < g.kernel.count(); ++tap) {
        std::array<std::int64_t, 3> const k = {tap / (g.kernel[1] * g.kernel[2]), tap / g.kernel[2] % g.kernel[1],
                                               tap % g.kernel[2]};
        std::int64_t from = 0;
        bool is_inside = true, is_padding = true;
        for (int i = 0; i < 3; ++i) {
            auto const d = static_cast<std::size_t>(i);
            std::int64_t const at = place[d] * g.strides[i] - g.before[i] + k[d] * g.dilations[i];
            is_inside = is_inside && at >= 0 && at < g.in[i];
            is_padding = is_padding && at < g.in[i] + g.behind[i];
            from = from * g.in[i] + at;
        }
        body(from, is_inside, is_padding);
    }
}

/// The first maximum, or the first NaN; −1 where the window lies beside x.
std::int64_t maximum_place(PoolGeometry const& g, float const* x, std::array<std::int64_t, 3> window) {
    std::int64_t best = -1;
    for_each_tap(g, window, [&](std::int64_t from, bool is_inside, bool) {
        if (!is_inside) return;
        bool const is_first_nan = best >= 0 && std::isnan(x[from]) && !std::isnan(x[best]);
        if (best < 0 || x[from] > x[best] || is_first_nan) best = from;
    });
    return best;
}

double pooled(Pool const& op, PoolGeometry const& g, float const* x, std::array<std::int64_t, 3> window) {
    bool const is_maximum = op.function == PoolFunction::maximum;
    double result = is_maximum ? -std::numeric_limits<double>::infinity() : 0;
    std::int64_t inside = 0, padded = 0;
    for_each_tap(g, window, [&](std::int64_t from, bool is_inside, bool is_padding) {
        padded += is_padding ? 1 : 0;
        if (!is_inside) return;
        ++inside;
        double const value = static_cast<double>(x[from]);
        if (is_maximum) result = value > result || std::isnan(value) ? value : result;
        else result += op.function == PoolFunction::norm ? std::pow(std::fabs(value), op.p) : value;
    });
    switch (op.function) {
        case PoolFunction::average: return result / static_cast<double>(inside);
        case PoolFunction::average_padded: return result / static_cast<double>(padded);
        case PoolFunction::norm: return std::pow(result, 1.0 / op.p);
        default: return result;
    }
}

std::array<std::int64_t, 3> place_of(std::int64_t index, Volume const& volume) {
    return {index / (volume[1] * volume[2]), index / volume[2] % volume[1], index % volume[2]};
}

}  // namespace

void run(MatMul const&, Launch const& launch, Precision precision) {
    TensorView const &a = launch.inputs[0], &b = launch.inputs[1], &y = launch.outputs[0];
    int const rank = y.shape.rank();
    std::int64_t const rows = y.shape[rank - 2], columns = y.shape[rank - 1], depth = a.shape[a.shape.rank() - 1];
    if (y.shape.count() == 0) return;
    launch.threads->parallel_for(y.shape.count() / columns, [&](std::int64_t item, int) {
        std::int64_t const batch = item / rows, row = item % rows;
        float const* const left = floats(a) + batch_offset(batch, y.shape, a) + row * depth;
        float const* const right = floats(b) + batch_offset(batch, y.shape, b);
        for (std::int64_t j = 0; j < columns; j += kColumns) {
            std::int64_t const count = std::min(kColumns, columns - j);
            float* const to = floats(y) + item * columns + j;
            if (precision == Precision::exact) product_row<double>(left, right + j, depth, columns, count, to);
            else product_row<float>(left, right + j, depth, columns, count, to);
        }
    });
}

void run(Convolution const& op, Launch const& launch, Precision precision) {
    TensorView const &x = launch.inputs[0], &weight = launch.inputs[1], &y = launch.outputs[0];
    ConvolutionGeometry const g{Volume(x.shape, 2, 1),
                                Volume(y.shape, 2, 1),
                                Volume(weight.shape, 2, 1),
                                Volume(op.strides, 0, 1),
                                Volume(op.dilations, 0, 1),
                                Volume(op.before, 0, 0),
                                op.groups,
                                weight.shape[1],
                                weight.shape[0] / op.groups};
    std::int64_t const rows = g.out[0] * g.out[1];
    launch.threads->parallel_for(y.shape[0] * y.shape[1] * rows, [&](std::int64_t item, int) {
        std::int64_t const plane = item / rows, row = item % rows;
        std::int64_t const o = plane % y.shape[1], n = plane / y.shape[1];
        float const* const from = floats(x) + (n * x.shape[1] + o / g.results * g.channels) * g.in.count();
        float const* const taps = floats(weight) + o * g.channels * g.kernel.count();
        float const bias = floats(launch.inputs[2])[o];
        for (std::int64_t j = 0; j < g.out[2]; j += kColumns) {
            std::int64_t const count = std::min(kColumns, g.out[2] - j);
            float* const to = floats(y) + item * g.out[2] + j;
            auto const z = row / g.out[1], line = row % g.out[1];
            if (precision == Precision::exact) convolve<double>(g, from, taps, bias, z, line, j, count, to);
            else convolve<float>(g, from, taps, bias, z, line, j, count, to);
        }
    });
}

void run(TransposedConvolution const& op, Launch const& launch, Precision) {
    TensorView const &x = launch.inputs[0], &weight = launch.inputs[1], &y = launch.outputs[0];
    ConvolutionGeometry const g{Volume(x.shape, 2, 1),
                                Volume(y.shape, 2, 1),
                                Volume(weight.shape, 2, 1),
                                Volume(op.strides, 0, 1),
                                Volume(op.dilations, 0, 1),
                                Volume(op.before, 0, 0),
                                op.groups,
                                x.shape[1] / op.groups,
                                weight.shape[1]};
    launch.threads->parallel_for(y.shape[0] * y.shape[1] * g.out[0] * g.out[1], [&](std::int64_t item, int) {
        std::int64_t const plane = item / (g.out[0] * g.out[1]);
        std::int64_t const o = plane % y.shape[1], n = plane / y.shape[1], group = o / g.results;
        float const* const from = floats(x) + (n * x.shape[1] + group * g.channels) * g.in.count();
        float const* const taps = floats(weight) + (group * g.channels * g.results + o % g.results) * g.kernel.count();
        double const bias = static_cast<double>(floats(launch.inputs[2])[o]);
        for (std::int64_t j = 0; j < g.out[2]; ++j) {
            auto const place = place_of(item % (g.out[0] * g.out[1]) * g.out[2] + j, g.out);
            floats(y)[item * g.out[2] + j] = static_cast<float>(bias + gathered(g, from, taps, place));
        }
    });
}

void run(Pool const& op, Launch const& launch, Precision) {
    TensorView const &x = launch.inputs[0], &y = launch.outputs[0];
    PoolGeometry const g{Volume(x.shape, 2, 1),    Volume(y.shape, 2, 1),      Volume(op.kernel, 0, 1),
                         Volume(op.strides, 0, 1), Volume(op.dilations, 0, 1), Volume(op.before, 0, 0),
                         Volume(op.behind, 0, 0)};
    launch.threads->parallel_for(y.shape[0] * y.shape[1], [&](std::int64_t plane, int) {
        float const* const from = floats(x) + plane * g.in.count();
        for (std::int64_t i = 0; i < g.out.count(); ++i) {
            std::int64_t const to = plane * g.out.count() + i;
            if (op.function == PoolFunction::maximum_place)
                reinterpret_cast<std::int64_t*>(y.data)[to] = maximum_place(g, from, place_of(i, g.out));
            else floats(y)[to] = static_cast<float>(pooled(op, g, from, place_of(i, g.out)));
        }
    });
}

}  // namespace vitrum::dense
