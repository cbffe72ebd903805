// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels.h"
#include "math.h"

namespace vitrum::reference {
namespace {

using Op = DeformableAttention;

/// One worker's share of the workspace, in float64; C channels, S = heads · levels · points samples.
struct Scratch {
    double* query;    ///< [C] x + position
    double* offsets;  ///< [S][2] along the width, then the height, in pixels of the level
    double* scores;   ///< [S]: the attention's logits, later its weights
    double* sampled;  ///< [C]
    double* result;   ///< [C]

    static std::int64_t doubles(std::int64_t c, std::int64_t s) { return 3 * c + 3 * s; }
    Scratch(double* start, std::int64_t c, std::int64_t s)
        : query(start), offsets(query + c), scores(offsets + 2 * s), sampled(scores + s), result(sampled + c) {}
};

/// Adds weight · map(row, column) to sums: bilinear between pixel centres at whole numbers, zero outside. A place that
/// is no number gives none: a lost one must show.
void add_sample(Nhwc<float> const& map, std::int64_t n, double row, double column, std::int64_t first, std::int64_t dim,
                double weight, double* sums) {
    if (!std::isfinite(row + column)) {
        std::fill_n(sums, dim, std::numeric_limits<double>::quiet_NaN());
        return;
    }
    // Beyond this nothing of the map is left, and the conversion to whole numbers stays defined.
    if (!(row > -1 && row < static_cast<double>(map.h) && column > -1 && column < static_cast<double>(map.w))) return;
    auto const top = static_cast<std::int64_t>(std::floor(row));
    auto const left = static_cast<std::int64_t>(std::floor(column));
    for (std::int64_t i = top; i <= top + 1; ++i) {
        for (std::int64_t j = left; j <= left + 1; ++j) {
            if (i < 0 || i >= map.h || j < 0 || j >= map.w) continue;
            double const share =
                (1 - std::abs(row - static_cast<double>(i))) * (1 - std::abs(column - static_cast<double>(j)));
            float const* const value = map.pixel(n, i, j) + first;
            for (std::int64_t d = 0; d < dim; ++d) sums[d] += weight * share * value[d];
        }
    }
}

class Token {
public:
    Token(Op const& op, Launch const& launch, Scratch const& scratch)
        : op_(op),
          in_(launch.inputs),
          x_(nhwc(in_[Op::kX])),
          position_(nhwc(in_[Op::kPosition])),
          y_(nhwc(launch.outputs[0])),
          samples_(op.samples()),
          offset_{doubles(launch.packed[0]), floats(in_[Op::kOffsetBias]), x_.c, 2 * samples_},
          score_{doubles(launch.packed[1]), floats(in_[Op::kScoreBias]), x_.c, samples_},
          proj_{doubles(launch.packed[2]), floats(in_[Op::kProjBias]), x_.c, x_.c},
          s_(scratch) {}

    void run(std::int64_t pixel) const {
        float const* const x = x_.data + pixel * x_.stride;
        float const* const position = position_.data + pixel % position_.pixels() * position_.stride;
        for (std::int64_t c = 0; c < x_.c; ++c) s_.query[c] = static_cast<double>(x[c]) + position[c];
        offset_(s_.query, 1, s_.offsets);
        score_(s_.query, 1, s_.scores);
        std::fill_n(s_.sampled, x_.c, 0.0);
        for (std::int64_t head = 0; head < op_.heads; ++head) sample(pixel, head);
        proj_(s_.sampled, 1, s_.result);
        for (std::int64_t c = 0; c < x_.c; ++c) s_.result[c] += x[c];
        layer_norm(s_.result, floats(in_[Op::kNormWeight]), floats(in_[Op::kNormBias]), x_.c, op_.norm_epsilon,
                   s_.query);
        std::transform(s_.query, s_.query + x_.c, y_.data + pixel * y_.stride,
                       [](double value) { return static_cast<float>(value); });
    }

private:
    void sample(std::int64_t pixel, std::int64_t head) const {
        std::int64_t const dim = x_.c / op_.heads;
        std::int64_t const own = samples_ / op_.heads;
        double* const weights = s_.scores + head * own;
        softmax(weights, own);
        for (std::int64_t i = 0; i < own; ++i) {
            Nhwc<float> const map = nhwc(in_[static_cast<std::size_t>(Op::kValue0 + i / op_.points)]);
            double const* const offset = s_.offsets + (head * own + i) * 2;
            double const column = scaled(pixel % x_.w, x_.w, map.w) + offset[0];
            double const row = scaled(pixel / x_.w % x_.h, x_.h, map.h) + offset[1];
            add_sample(map, pixel / (x_.h * x_.w), row, column, head * dim, dim, weights[i], s_.sampled + head * dim);
        }
    }

    /// The place in `to` pixels of the centre of pixel i of `from`.
    static double scaled(std::int64_t i, std::int64_t from, std::int64_t to) {
        return (static_cast<double>(i) + 0.5) * static_cast<double>(to) / static_cast<double>(from) - 0.5;
    }

    static void softmax(double* values, std::int64_t count) {
        double const largest = *std::max_element(values, values + count);
        double sum = 0;
        for (std::int64_t i = 0; i < count; ++i) sum += values[i] = std::exp(values[i] - largest);
        for (std::int64_t i = 0; i < count; ++i) values[i] /= sum;
    }

    Op const& op_;
    std::span<TensorView const> in_;
    Nhwc<float> x_, position_, y_;
    std::int64_t samples_;
    Linear offset_, score_, proj_;
    Scratch s_;
};

std::int64_t doubles_per_worker(Op const& op, std::int64_t channels) {
    return Scratch::doubles(channels, op.samples());
}

}  // namespace

std::vector<Packing> DeformableAttentionKernel::packings(Op const&, Problem const& problem) {
    return {panel_packing(Op::kOffsetWeight, problem.inputs[Op::kOffsetWeight]),
            panel_packing(Op::kScoreWeight, problem.inputs[Op::kScoreWeight]),
            panel_packing(Op::kProjWeight, problem.inputs[Op::kProjWeight])};
}

std::size_t DeformableAttentionKernel::workspace_bytes(Op const& op, Problem const& problem, int threads) {
    std::int64_t const needed = doubles_per_worker(op, problem.inputs[Op::kX][3]);
    return static_cast<std::size_t>(threads) * scratch_doubles(needed) * sizeof(double);
}

void DeformableAttentionKernel::launch(Op const& op, Launch const& launch) {
    Nhwc<float> const x = nhwc(launch.inputs[Op::kX]);
    launch.threads->parallel_for(x.pixels(), [&](std::int64_t pixel, int worker) {
        double* const start = scratch_of(launch, worker, doubles_per_worker(op, x.c));
        Token(op, launch, Scratch(start, x.c, op.samples())).run(pixel);
    });
}

}  // namespace vitrum::reference
