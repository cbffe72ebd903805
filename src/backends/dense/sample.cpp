// SPDX-License-Identifier: Apache-2.0
// Resampling: along an axis by tables of taps, and at places that another tensor names.
#include <cmath>
#include <span>

#include "elements.h"
#include "run.h"

namespace vitrum::dense {
namespace {

float* floats(TensorView const& view) {
    return reinterpret_cast<float*>(view.data);
}

/// A position in pixels from a coordinate in −1 … 1.
double unnormalised(double coordinate, std::int64_t size, bool align_corners) {
    auto const n = static_cast<double>(size);
    return align_corners ? (coordinate + 1) / 2 * (n - 1) : ((coordinate + 1) * n - 1) / 2;
}

/// Folded back and forth between two borders.
double reflected(double position, double low, double high) {
    double const span = high - low;
    if (span <= 0) return 0;
    double const within = std::fmod(std::fabs(position - low), 2 * span);
    return low + (within > span ? 2 * span - within : within);
}

double held(double position, std::int64_t size, GridSample const& op) {
    auto const n = static_cast<double>(size);
    if (op.border == SampleBorder::border) return std::clamp(position, 0.0, n - 1);
    if (op.border == SampleBorder::reflection) {
        double const inside = op.align_corners ? reflected(position, 0, n - 1) : reflected(position, -0.5, n - 0.5);
        return std::clamp(inside, 0.0, n - 1);
    }
    return std::clamp(position, -n - 8, 2 * n + 8);  // far outside is outside, and an int64 holds it
}

/// The taps along one side for a position: the first pixel and a weight for each.
struct Side {
    std::int64_t first = 0;
    int count = 1;
    std::array<double, 4> weights{1, 0, 0, 0};
};

/// Keys 1981 with a = −0.75, as PyTorch has it.
double cubic(double distance) {
    constexpr double a = -0.75;
    double const d = std::fabs(distance);
    if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
    return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

Side side_at(double position, SampleMode mode) {
    if (mode == SampleMode::nearest) return {static_cast<std::int64_t>(std::nearbyint(position)), 1, {1, 0, 0, 0}};
    double const floor = std::floor(position), rest = position - floor;
    auto const first = static_cast<std::int64_t>(floor);
    if (mode == SampleMode::linear) return {first, 2, {1 - rest, rest, 0, 0}};
    return {first - 1, 4, {cubic(rest + 1), cubic(rest), cubic(rest - 1), cubic(rest - 2)}};
}

/// The pixel that a tap reads, −1 for zero. Cubic taps may leave the picture also where the position does not.
std::int64_t pixel(std::int64_t tap, std::int64_t size, GridSample const& op) {
    if (tap >= 0 && tap < size) return tap;
    if (op.border == SampleBorder::zeros) return -1;
    return static_cast<std::int64_t>(held(static_cast<double>(tap), size, op));
}

/// The sides of a volume. A picture is one of one plane, a line one of one row: their missing sides have one tap.
using Sample = std::array<Side, 3>;
using Extents = std::array<std::int64_t, 3>;

Extents extents_of(Shape const& shape) {
    Extents extents{1, 1, 1};
    for (int i = 2; i < shape.rank(); ++i) extents[static_cast<std::size_t>(i + 3 - shape.rank())] = shape[i];
    return extents;
}

/// What a place that is no number gives, whatever the border: a lost number must show.
constexpr Side kNowhere{0, 1, {std::numeric_limits<double>::quiet_NaN(), 0, 0, 0}};

/// Coordinates are those of the last side first.
Sample sample_at(std::span<float const> place, Extents const& x, GridSample const& op) {
    Sample sample;
    std::size_t side = x.size();
    for (float const coordinate : place) {
        --side;
        double position = unnormalised(static_cast<double>(coordinate), x[side], op.align_corners);
        if (!std::isfinite(position)) return {kNowhere, kNowhere, kNowhere};
        if (op.mode != SampleMode::cubic) position = held(position, x[side], op);
        sample[side] = side_at(std::clamp(position, -1e9, 1e9), op.mode);
    }
    return sample;
}

double plane_sum(Sample const& s, float const* plane, Extents const& x, GridSample const& op) {
    auto const& [depth, rows, columns] = s;
    double sum = 0;
    for (int i = 0; i < rows.count; ++i) {
        std::int64_t const row = pixel(rows.first + i, x[1], op);
        for (int j = 0; row >= 0 && j < columns.count; ++j) {
            std::int64_t const column = pixel(columns.first + j, x[2], op);
            if (column < 0) continue;
            sum += rows.weights[static_cast<std::size_t>(i)] * columns.weights[static_cast<std::size_t>(j)] *
                   static_cast<double>(plane[row * x[2] + column]);
        }
    }
    return sum;
}

double sampled(Sample const& s, float const* volume, Extents const& x, GridSample const& op) {
    double sum = 0;
    for (int i = 0; i < s[0].count; ++i) {
        std::int64_t const plane = pixel(s[0].first + i, x[0], op);
        if (plane < 0) continue;
        sum += s[0].weights[static_cast<std::size_t>(i)] * plane_sum(s, volume + plane * x[1] * x[2], x, op);
    }
    return sum;
}

}  // namespace

void run(Taps const& op, Launch const& launch, Precision) {
    TensorView const &x = launch.inputs[0], &y = launch.outputs[0];
    auto const* const indices = reinterpret_cast<std::int64_t const*>(launch.inputs[1].data);
    float const* const weights = floats(launch.inputs[2]);
    std::int64_t const taps = launch.inputs[1].shape[1];
    Lines const from(x.shape, op.axis), to(y.shape, op.axis);
    if (to.inner == 0) return;
    launch.threads->parallel_for(to.outer * to.length, [&](std::int64_t item, int) {
        std::int64_t const row = item % to.length * taps;
        float const* const begin = floats(x) + item / to.length * from.length * from.inner;
        float* const result = floats(y) + item * to.inner;
        for (std::int64_t j = 0; j < to.inner; ++j) {
            double sum = 0;
            for (std::int64_t t = 0; t < taps; ++t) {
                std::int64_t const i = std::clamp<std::int64_t>(indices[row + t], 0, from.length - 1);
                sum += static_cast<double>(weights[row + t]) * static_cast<double>(begin[i * from.inner + j]);
            }
            result[j] = indices[row] < 0 ? op.outside : static_cast<float>(sum);
        }
    });
}

void run(GridSample const& op, Launch const& launch, Precision) {
    TensorView const &x = launch.inputs[0], &grid = launch.inputs[1], &y = launch.outputs[0];
    Extents const in = extents_of(x.shape), out = extents_of(y.shape);
    std::int64_t const places = out[0] * out[1] * out[2], plane = in[0] * in[1] * in[2];
    auto const coordinates = static_cast<std::size_t>(x.shape.rank() - 2);
    launch.threads->parallel_for(y.shape[0] * places, [&](std::int64_t item, int) {
        std::int64_t const n = item / places;
        float const* const place = floats(grid) + item * static_cast<std::int64_t>(coordinates);
        Sample const sample = sample_at({place, coordinates}, in, op);
        for (std::int64_t c = 0; c < x.shape[1]; ++c) {
            std::int64_t const p = n * x.shape[1] + c;
            floats(y)[p * places + item % places] = static_cast<float>(sampled(sample, floats(x) + p * plane, in, op));
        }
    });
}

}  // namespace vitrum::dense
