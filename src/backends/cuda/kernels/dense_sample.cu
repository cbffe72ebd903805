// SPDX-License-Identifier: Apache-2.0
// Resampling: along an axis by tables of taps, and at places that another tensor names.
#include "dense.cuh"

namespace vitrum::cuda {
namespace {

using dense::SampleBorder;
using dense::SampleMode;

struct TapsNumber {
    float const *x, *weights;
    std::int64_t const* indices;
    float* y;
    Lines from, to;
    std::int64_t taps;
    float outside;

    __device__ void operator()(std::int64_t item) const {
        Quotient const by_inner = divide(item, to.inner);
        Quotient const by_line = divide(by_inner.whole, to.length);
        std::int64_t const row = by_line.rest * taps;
        float const* const begin = x + by_line.whole * from.length * from.inner + by_inner.rest;
        double sum = 0;
        for (std::int64_t t = 0; t < taps; ++t) {
            std::int64_t const own = indices[row + t] < 0 ? 0 : min(indices[row + t], from.length - 1);
            sum += static_cast<double>(weights[row + t]) * static_cast<double>(begin[own * from.inner]);
        }
        y[item] = indices[row] < 0 ? outside : static_cast<float>(sum);
    }
};

[[nodiscard]] __device__ inline double limited(double x, double low, double high) {
    return x < low ? low : x > high ? high : x;
}

/// Folded back and forth between two borders.
[[nodiscard]] __device__ inline double reflected(double position, double low, double high) {
    double const span = high - low;
    if (span <= 0) return 0;
    double const within = fmod(fabs(position - low), 2 * span);
    return low + (within > span ? 2 * span - within : within);
}

/// Keys 1981 with a = −0.75, as PyTorch has it.
[[nodiscard]] __device__ inline double cubic(double distance) {
    constexpr double a = -0.75;
    double const d = fabs(distance);
    if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
    return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

/// The taps along one side for a position: the first pixel and a weight for each.
struct Side {
    std::int64_t first;
    int count;
    double weights[4];
};

/// A picture is a volume of one plane, a line one of one row.
struct GridSampleNumber {
    float const *x, *grid;
    float* y;
    std::int64_t channels, depth, h, w, places;
    int coordinates;
    SampleMode mode;
    SampleBorder border;
    bool align_corners;

    [[nodiscard]] __device__ double held_position(double position, std::int64_t size) const {
        auto const n = static_cast<double>(size);
        if (border == SampleBorder::border) return limited(position, 0, n - 1);
        if (border == SampleBorder::reflection) {
            double const inside = align_corners ? reflected(position, 0, n - 1) : reflected(position, -0.5, n - 0.5);
            return limited(inside, 0, n - 1);
        }
        return limited(position, -n - 8, 2 * n + 8);  // far outside is outside, and an int64 holds it
    }
    [[nodiscard]] __device__ Side side(float coordinate, std::int64_t size) const {
        auto const n = static_cast<double>(size);
        double const c = static_cast<double>(coordinate);
        double position = align_corners ? (c + 1) / 2 * (n - 1) : ((c + 1) * n - 1) / 2;
        if (mode != SampleMode::cubic) position = held_position(position, size);
        position = limited(position, -1e9, 1e9);
        if (mode == SampleMode::nearest) return {static_cast<std::int64_t>(nearbyint(position)), 1, {1, 0, 0, 0}};
        double const whole = floor(position), rest = position - whole;
        auto const first = static_cast<std::int64_t>(whole);
        if (mode == SampleMode::linear) return {first, 2, {1 - rest, rest, 0, 0}};
        return {first - 1, 4, {cubic(rest + 1), cubic(rest), cubic(rest - 1), cubic(rest - 2)}};
    }
    /// The pixel that a tap reads, −1 for zero. Cubic taps may leave the picture also where the position does not.
    [[nodiscard]] __device__ std::int64_t pixel(std::int64_t tap, std::int64_t size) const {
        if (tap >= 0 && tap < size) return tap;
        if (border == SampleBorder::zeros) return -1;
        return static_cast<std::int64_t>(held_position(static_cast<double>(tap), size));
    }
    __device__ void operator()(std::int64_t item) const {
        Quotient const by_plane = divide(item, places);
        std::int64_t const n = divide(by_plane.whole, channels).whole;
        float const* const place = grid + (n * places + by_plane.rest) * coordinates;
        double all = 0;
        for (int i = 0; i < coordinates; ++i) all += static_cast<double>(place[i]);
        if (!std::isfinite(all)) {
            y[item] = NAN;  // whatever the border: a lost number must show
            return;
        }
        constexpr Side kOne{0, 1, {1, 0, 0, 0}};
        Side const columns = side(place[0], w), rows = coordinates > 1 ? side(place[1], h) : kOne;
        float const* const volume = x + by_plane.whole * depth * h * w;
        double sum = 0;
        if (coordinates < 3) {
            sum = plane_sum(volume, rows, columns);
        } else {
            Side const planes = side(place[2], depth);
            for (int k = 0; k < planes.count; ++k) {
                std::int64_t const plane = pixel(planes.first + k, depth);
                if (plane >= 0) sum += planes.weights[k] * plane_sum(volume + plane * h * w, rows, columns);
            }
        }
        y[item] = static_cast<float>(sum);
    }
    [[nodiscard]] __device__ double plane_sum(float const* plane, Side const& rows, Side const& columns) const {
        double sum = 0;
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            if (i >= rows.count) continue;
            std::int64_t const row = pixel(rows.first + i, h);
#pragma unroll
            for (int j = 0; j < 4; ++j) {
                if (j >= columns.count || row < 0) continue;
                std::int64_t const column = pixel(columns.first + j, w);
                if (column < 0) continue;
                sum += rows.weights[i] * columns.weights[j] * static_cast<double>(plane[row * w + column]);
            }
        }
        return sum;
    }
};

}  // namespace

void run(dense::Taps const& op, Launch const& launch) {
    TensorView const &x = launch.inputs[0], &indices = launch.inputs[1], &y = launch.outputs[0];
    TapsNumber const taps{floats(x),
                          floats(launch.inputs[2]),
                          reinterpret_cast<std::int64_t const*>(indices.data),
                          reinterpret_cast<float*>(y.data),
                          Lines(x.shape, op.axis),
                          Lines(y.shape, op.axis),
                          indices.shape[1],
                          op.outside};
    for_each(launch.stream, y.shape.count(), taps);
}

void run(dense::GridSample const& op, Launch const& launch) {
    TensorView const &x = launch.inputs[0], &y = launch.outputs[0];
    int const rank = x.shape.rank();
    GridSampleNumber const sample{floats(x),
                                  floats(launch.inputs[1]),
                                  reinterpret_cast<float*>(y.data),
                                  x.shape[1],
                                  rank > 4 ? x.shape[rank - 3] : 1,
                                  rank > 3 ? x.shape[rank - 2] : 1,
                                  x.shape[rank - 1],
                                  product(y.shape, 2, rank),
                                  rank - 2,
                                  op.mode,
                                  op.border,
                                  op.align_corners};
    for_each(launch.stream, y.shape.count(), sample);
}

}  // namespace vitrum::cuda
