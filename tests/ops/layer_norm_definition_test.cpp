// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>

#include "elementwise_cases.h"
#include "harness.h"
#include "layer_norm_cases.h"
#include "mlp_cases.h"

namespace vitrum::test {
namespace {

TEST(LayerNormDefinition, ConstantPixelsBecomeTheBias) {
    constexpr LayerNormCase kCase{.name = "constant", .h = 1, .w = 2, .c = 3};
    auto const result = reference_output(to_case(kCase), {{5, 5, 5, -1e6F, -1e6F, -1e6F}, {2, 3, 4}, {7, 8, 9}});
    EXPECT_EQ(result, (std::vector<float>{7, 8, 9, 7, 8, 9}));
}

TEST(LayerNormDefinition, DividesByThePopulationDeviation) {
    // Mean 0, variance 4 (not 4 · 2 / 1): epsilon 0 leaves ±1.
    constexpr LayerNormCase kCase{.name = "pair", .c = 2, .epsilon = 0};
    EXPECT_EQ(reference_output(to_case(kCase), {{-2, 2}, {3, 3}, {10, 20}}), (std::vector<float>{7, 23}));
}

TEST(LayerNormDefinition, AddsEpsilonToTheVariance) {
    constexpr LayerNormCase kCase{.name = "epsilon", .c = 2, .epsilon = 12};
    EXPECT_EQ(reference_output(to_case(kCase), {{-2, 2}, {1, 1}, {0, 0}}), (std::vector<float>{-0.5F, 0.5F}));
}

float gelu_of(float x) {
    constexpr ActivateCase kCase{.name = "gelu", .c = 1, .activation = Activation::gelu};
    return reference_output(to_case(kCase), {{x}})[0];
}

TEST(ActivateDefinition, GeluIsTheErfForm) {
    // x · Φ(x) to ten digits; the tanh approximation gives 0.8411920 at 1 and -0.0454023 at -2.
    EXPECT_EQ(gelu_of(0), 0);
    EXPECT_FLOAT_EQ(gelu_of(1), 0.8413447461F);
    EXPECT_FLOAT_EQ(gelu_of(-1), -0.1586552539F);
    EXPECT_FLOAT_EQ(gelu_of(-2), -0.0455002639F);
    EXPECT_FLOAT_EQ(gelu_of(3), 2.9959503059F);
    EXPECT_FLOAT_EQ(gelu_of(-3), -0.0040496941F);
    EXPECT_EQ(gelu_of(20), 20);
    EXPECT_EQ(gelu_of(-60), 0);
}

TEST(ActivateDefinition, LeakyReluScalesNegatives) {
    constexpr ActivateCase kCase{.name = "leaky", .c = 4, .negative_slope = 0.25F};
    EXPECT_EQ(reference_output(to_case(kCase), {{-8, -0.0F, 0, 8}}), (std::vector<float>{-2, 0, 0, 8}));
}

TEST(AddDefinition, RoundsOnce) {
    constexpr AddCase kCase{.name = "add", .c = 3};
    EXPECT_EQ(reference_output(to_case(kCase), {{1, 1e8F, 0.1F}, {2, 1, 0.2F}}),
              (std::vector<float>{3, 1e8F, 0.1F + 0.2F}));
}

/// One output of an MLP as one expression over plain loops, hidden channel by hidden channel.
double naive_mlp(MlpCase const& c, Values const& values, std::size_t pixel, std::size_t o) {
    auto const channels = static_cast<std::size_t>(c.c);
    float const* const x = values[Mlp::kX].data() + pixel * channels;
    double mean = 0;
    double square = 0;
    for (std::size_t k = 0; k < channels; ++k) {
        mean += static_cast<double>(x[k]) / c.c;
        square += static_cast<double>(x[k]) * x[k] / c.c;
    }
    double const deviation = std::sqrt(square - mean * mean + static_cast<double>(Mlp{}.norm_epsilon));
    double y = values[Mlp::kFc2Bias][o];
    for (std::size_t i = 0; i < static_cast<std::size_t>(c.hidden); ++i) {
        double inner = values[Mlp::kFc1Bias][i];
        for (std::size_t k = 0; k < channels; ++k) {
            double const in =
                c.norm ? (x[k] - mean) / deviation * values[Mlp::kNormWeight][k] + values[Mlp::kNormBias][k] : x[k];
            inner += in * values[Mlp::kFc1Weight][i * channels + k];
        }
        bool const relu = c.activation == Activation::leaky_relu;
        y += (relu ? std::max(inner, 0.0) : inner * std::erfc(-inner / std::sqrt(2.0)) / 2) *
             values[Mlp::kFc2Weight][o * static_cast<std::size_t>(c.hidden) + i];
    }
    return c.residual == Residual::none ? y : y + values[Mlp::kResidual][pixel * channels + o];
}

TEST(MlpDefinition, AgreesWithPlainLoops) {
    for (MlpCase const& c : kMlpCases) {
        Values const values = make_values(to_case(c));
        auto const result = reference_output(to_case(c), values);
        auto const channels = static_cast<std::size_t>(c.c);
        for (std::size_t i = 0; i < result.size(); i += 1 + result.size() / 500) {  // a sample: each costs a network
            double const expected = naive_mlp(c, values, i / channels, i % channels);
            ASSERT_NEAR(result[i], expected, 1e-7 * (1 + std::abs(expected))) << c.name << " at " << i;
        }
    }
}

}  // namespace
}  // namespace vitrum::test
