// SPDX-License-Identifier: Apache-2.0
// The reference convolution against hand-made tables and a formulation of its own.
#include <gtest/gtest.h>

#include "conv2d_cases.h"
#include "harness.h"

namespace vitrum::test {
namespace {

/// Spreads each input value over the outputs that it touches: the transpose of how the reference gathers.
/// Returns conv(x, weight) + bias in float64, [n, h, w, c_out].
std::vector<double> scattered(Conv2dCase const& c, Values const& values) {
    auto const& [x, weight, bias, residual] = std::tie(values[0], values[1], values[2], values[3]);
    int const h = (c.h + c.stride - 1) / c.stride, w = (c.w + c.stride - 1) / c.stride;
    int const padding = std::max(0, (c.kernel - c.stride + 1) / 2);
    std::vector<double> y(static_cast<std::size_t>(c.n * h * w * c.c_out));
    for (std::size_t i = 0; i < y.size(); ++i) y[i] = bias.empty() ? 0 : bias[i % static_cast<std::size_t>(c.c_out)];
    std::size_t from = 0;
    for (int n = 0; n < c.n; ++n) {
        for (int row = 0; row < c.h; ++row) {
            for (int column = 0; column < c.w; ++column) {
                for (int ci = 0; ci < c.c_in; ++ci, ++from) {
                    std::size_t tap = 0;
                    for (int i = 0; i < c.c_out * c.kernel * c.kernel; ++i) {
                        int const co = i / (c.kernel * c.kernel);
                        int to_row = row + padding - i / c.kernel % c.kernel;
                        int to_column = column + padding - i % c.kernel;
                        if (to_row < 0 || to_column < 0 || to_row % c.stride != 0 || to_column % c.stride != 0)
                            continue;
                        to_row /= c.stride;
                        to_column /= c.stride;
                        if (to_row >= h || to_column >= w) continue;
                        tap = static_cast<std::size_t>((co * c.c_in + ci) * c.kernel * c.kernel +
                                                       i % (c.kernel * c.kernel));
                        auto const to = ((n * h + to_row) * w + to_column) * c.c_out + co;
                        y[static_cast<std::size_t>(to)] += static_cast<double>(x[from]) * weight[tap];
                    }
                }
            }
        }
    }
    return y;
}

TEST(Conv2dDefinition, AgreesWithScatter) {
    for (Conv2dCase const& c : kConv2dCases) {
        if (c.activation != Activation::none || c.pixel_shuffle != 1 || c.c_in * c.c_out > 64 * 64) continue;
        Values const values = make_values(to_case(c));
        auto const result = reference_output(to_case(c), values);
        auto expected = scattered(c, values);
        for (std::size_t i = 0; i < expected.size(); ++i) {
            if (c.residual) expected[i] += values[Conv2d::kResidual][i];
            ASSERT_NEAR(result[i], expected[i], 1e-7 * (1 + std::abs(expected[i]))) << c.name << " at " << i;
        }
    }
}

TEST(Conv2dDefinition, CountsTheTapsInside) {
    constexpr Conv2dCase kCase{.name = "count", .h = 3, .w = 4, .bias = false};
    auto const result = reference_output(to_case(kCase), {std::vector(12, 1.0F), std::vector(9, 1.0F), {}, {}});
    EXPECT_EQ(result, (std::vector<float>{4, 6, 6, 4, 6, 9, 9, 6, 4, 6, 6, 4}));
}

TEST(Conv2dDefinition, IsACorrelation) {
    // Tap (0, 2) is one row up and one column to the right, as in PyTorch: no flip.
    constexpr Conv2dCase kCase{.name = "tap", .h = 2, .w = 3, .bias = false};
    auto const result = reference_output(to_case(kCase), {{1, 2, 3, 4, 5, 6}, {0, 0, 1, 0, 0, 0, 0, 0, 0}, {}, {}});
    EXPECT_EQ(result, (std::vector<float>{0, 0, 0, 2, 3, 0}));
}

TEST(Conv2dDefinition, ActivatesThenAddsThenShuffles) {
    constexpr Conv2dCase kCase{.name = "order",
                               .h = 1,
                               .w = 2,
                               .c_in = 1,
                               .c_out = 4,
                               .kernel = 1,
                               .activation = Activation::leaky_relu,
                               .negative_slope = 0.5F,
                               .pixel_shuffle = 2,
                               .residual = true};
    // Before the activation: x + bias = {1, 2, 3, -4} at x = 1 and {-1, 0, 1, -6} at x = -1.
    auto const result =
        reference_output(to_case(kCase), {{1, -1}, {1, 1, 1, 1}, {0, 1, 2, -5}, {10, 20, 30, 40, 50, 60, 70, 80}});
    // Pixel 0: {1, 2, 3, -2} + residual, pixel 1: {-0.5, 0, 1, -3} + residual, each as a 2 x 2 square.
    EXPECT_EQ(result, (std::vector<float>{11, 22, 49.5F, 60, 33, 38, 71, 77}));
}

TEST(Conv2dDefinition, ShufflesAsPixelShuffleDoes) {
    constexpr Conv2dCase kCase{
        .name = "shuffle", .h = 1, .w = 1, .c_in = 1, .c_out = 18, .kernel = 1, .pixel_shuffle = 3, .bias = true};
    std::vector<float> bias(18);
    for (std::size_t o = 0; o < bias.size(); ++o) bias[o] = static_cast<float>(o);
    auto const result = reference_output(to_case(kCase), {{0}, std::vector(18, 1.0F), bias, {}});
    // Channel o = c·9 + i·3 + j goes to row i, column j, channel c.
    EXPECT_EQ(result, (std::vector<float>{0, 9, 1, 10, 2, 11, 3, 12, 4, 13, 5, 14, 6, 15, 7, 16, 8, 17}));
}

}  // namespace
}  // namespace vitrum::test
