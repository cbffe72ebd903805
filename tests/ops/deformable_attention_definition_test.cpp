// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "harness.h"
#include "query_cases.h"

namespace vitrum::test {
namespace {

using Doubles = std::vector<double>;

/// A fully connected layer on one vector.
Doubles linear(Doubles const& x, std::vector<float> const& weight, std::vector<float> const& bias) {
    Doubles y(bias.begin(), bias.end());
    for (std::size_t o = 0; o < y.size(); ++o) {
        for (std::size_t i = 0; i < x.size(); ++i) y[o] += weight[o * x.size() + i] * x[i];
    }
    return y;
}

/// One level's values as grid_sample sees them: a grid from −1 to 1, zeros outside (align_corners=False).
struct Map {
    std::vector<float> const& values;
    std::int64_t n, h, w, c;

    [[nodiscard]] double at(std::int64_t i, std::int64_t j, std::int64_t channel) const {
        if (i < 0 || i >= h || j < 0 || j >= w) return 0;
        return values[static_cast<std::size_t>(((n * h + i) * w + j) * c + channel)];
    }
    [[nodiscard]] double grid_sample(double x, double y, std::int64_t channel) const {
        double const column = ((x + 1) * static_cast<double>(w) - 1) / 2;
        double const row = ((y + 1) * static_cast<double>(h) - 1) / 2;
        auto const j = static_cast<std::int64_t>(std::floor(column));
        auto const i = static_cast<std::int64_t>(std::floor(row));
        double const right = column - std::floor(column);
        double const below = row - std::floor(row);
        return (1 - below) * ((1 - right) * at(i, j, channel) + right * at(i, j + 1, channel)) +
               below * ((1 - right) * at(i + 1, j, channel) + right * at(i + 1, j + 1, channel));
    }
};

/// The original's way (msdeformattn.py, ops/functions/ms_deform_attn_func.py): locations in [0, 1], grid_sample.
Doubles naive_token(DeformableAttentionCase const& c, OpCase const& op_case, Values const& values, std::int64_t pixel) {
    auto const& x = values[DeformableAttention::kX];
    std::int64_t const per_picture = c.h * c.w;
    Doubles own, query;
    for (std::int64_t i = 0; i < c.c; ++i) {
        own.push_back(x[static_cast<std::size_t>(pixel * c.c + i)]);
        query.push_back(
            own.back() +
            values[DeformableAttention::kPosition][static_cast<std::size_t>(pixel % per_picture * c.c + i)]);
    }
    auto const offsets =
        linear(query, values[DeformableAttention::kOffsetWeight], values[DeformableAttention::kOffsetBias]);
    auto const scores =
        linear(query, values[DeformableAttention::kScoreWeight], values[DeformableAttention::kScoreBias]);
    double const reference_x = (static_cast<double>(pixel % c.w) + 0.5) / c.w;
    double const reference_y = (static_cast<double>(pixel / c.w % c.h) + 0.5) / c.h;
    auto const own_samples = static_cast<std::size_t>(DeformableAttention::kLevels * c.points);
    Doubles sampled;
    for (std::int64_t channel = 0; channel < c.c; ++channel) {
        std::size_t const first = static_cast<std::size_t>(channel / (c.c / c.heads)) * own_samples;
        double total = 0, sum = 0;
        for (std::size_t s = first; s < first + own_samples; ++s) {
            std::size_t const level = (s - first) / static_cast<std::size_t>(c.points);
            Shape const& shape = op_case.inputs[DeformableAttention::kValue0 + level].shape;
            Map const map{values[DeformableAttention::kValue0 + level], pixel / per_picture, shape[1], shape[2], c.c};
            double const u = reference_x + offsets[2 * s] / static_cast<double>(map.w);
            double const v = reference_y + offsets[2 * s + 1] / static_cast<double>(map.h);
            double const weight = std::exp(scores[s]);
            total += weight;
            sum += weight * map.grid_sample(2 * u - 1, 2 * v - 1, channel);
        }
        sampled.push_back(sum / total);
    }
    auto y = linear(sampled, values[DeformableAttention::kProjWeight], values[DeformableAttention::kProjBias]);
    for (std::size_t i = 0; i < y.size(); ++i) y[i] += own[i];
    return y;
}

Doubles normalised(Doubles y, Values const& values) {
    double mean = 0, square = 0;
    for (double const value : y) {
        mean += value / static_cast<double>(y.size());
        square += value * value / static_cast<double>(y.size());
    }
    for (std::size_t i = 0; i < y.size(); ++i) {
        y[i] = (y[i] - mean) / std::sqrt(square - mean * mean + 1e-5) * values[DeformableAttention::kNormWeight][i] +
               values[DeformableAttention::kNormBias][i];
    }
    return y;
}

TEST(DeformableAttentionDefinition, AgreesWithTheOriginalsWay) {
    for (DeformableAttentionCase const& c : kDeformableAttentionCases) {
        OpCase const op_case = to_case(c);
        Values const values = make_values(op_case);
        auto const result = reference_output(op_case, values);
        std::int64_t const pixels = c.n * c.h * c.w;
        for (std::int64_t pixel = 0; pixel < pixels; pixel += 1 + pixels / 40) {  // a sample: each costs much
            auto const expected = normalised(naive_token(c, op_case, values, pixel), values);
            for (std::size_t i = 0; i < expected.size(); ++i) {
                ASSERT_NEAR(result[static_cast<std::size_t>(pixel) * expected.size() + i], expected[i],
                            1e-6 * (1 + std::abs(expected[i])))
                    << c.name << " pixel " << pixel << " channel " << i;
            }
        }
    }
}

}  // namespace
}  // namespace vitrum::test
