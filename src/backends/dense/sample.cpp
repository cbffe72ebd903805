// SPDX-License-Identifier: Apache-2.0
// Resampling: along an axis by tables of taps, and at places that another tensor names.
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

struct Sample {
    Side row, column;
};

/// What a place that is no number gives, whatever the border: a lost number must show.
constexpr Side kNowhere{0, 1, {std::numeric_limits<double>::quiet_NaN(), 0, 0, 0}};

Sample sample_at(float const* place, Shape const& x, GridSample const& op) {
    double row = unnormalised(static_cast<double>(place[1]), x[2], op.align_corners);
    double column = unnormalised(static_cast<double>(place[0]), x[3], op.align_corners);
    if (!std::isfinite(row + column)) return {kNowhere, kNowhere};
    if (op.mode != SampleMode::cubic) {
        row = held(row, x[2], op);
        column = held(column, x[3], op);
    }
    row = std::clamp(row, -1e9, 1e9);
    column = std::clamp(column, -1e9, 1e9);
    return {side_at(row, op.mode), side_at(column, op.mode)};
}

double sampled(Sample const& s, float const* plane, Shape const& x, GridSample const& op) {
    double sum = 0;
    for (int i = 0; i < s.row.count; ++i) {
        std::int64_t const y = pixel(s.row.first + i, x[2], op);
        for (int j = 0; y >= 0 && j < s.column.count; ++j) {
            std::int64_t const column = pixel(s.column.first + j, x[3], op);
            if (column < 0) continue;
            sum += s.row.weights[static_cast<std::size_t>(i)] * s.column.weights[static_cast<std::size_t>(j)] *
                   static_cast<double>(plane[y * x[3] + column]);
        }
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
    std::int64_t const places = y.shape[2] * y.shape[3];
    std::int64_t const plane = x.shape[2] * x.shape[3];
    launch.threads->parallel_for(y.shape[0] * places, [&](std::int64_t item, int) {
        std::int64_t const n = item / places;
        Sample const sample = sample_at(floats(grid) + item * 2, x.shape, op);
        for (std::int64_t c = 0; c < x.shape[1]; ++c) {
            std::int64_t const p = n * x.shape[1] + c;
            floats(y)[p * places + item % places] =
                static_cast<float>(sampled(sample, floats(x) + p * plane, x.shape, op));
        }
    });
}

}  // namespace vitrum::dense
