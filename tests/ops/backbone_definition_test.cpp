// SPDX-License-Identifier: Apache-2.0
// The reference kernels of what image backbones add, against hand-made tables.
#include <gtest/gtest.h>

#include <cmath>

#include "conv2d_cases.h"
#include "group_norm_cases.h"
#include "harness.h"
#include "patch_merging_cases.h"
#include "spatial_cases.h"

namespace vitrum::test {
namespace {

TEST(MaxPool2dDefinition, IsPyTorchsKernel3Stride2Padding1) {
    constexpr MaxPool2dCase kCase{.name = "table", .h = 3, .w = 4, .c = 1};
    EXPECT_EQ(reference_output(to_case(kCase), {{-1, -2, -3, -4, -5, -6, -7, -8, -9, -10, -11, -12}}),
              (std::vector<float>{-1, -2, -5, -6}));
}

TEST(GroupNormDefinition, NormalisesOverPixelsAndChannelsOfAGroup) {
    constexpr GroupNormCase kCase{.name = "table", .h = 1, .w = 2, .c = 4, .groups = 2, .epsilon = 0};
    // Group 0: {1, 3, 1, 3}, mean 2, deviation 1. Group 1: {0, 0, 8, 8}, mean 4, deviation 4.
    auto const result = reference_output(to_case(kCase), {{1, 3, 0, 0, 1, 3, 8, 8}, {1, 2, 3, 4}, {0, 0, 10, 20}});
    EXPECT_EQ(result, (std::vector<float>{-1, 2, 7, 16, -1, 2, 13, 24}));
}

TEST(PatchMergingDefinition, JoinsRowsBeforeColumns) {
    constexpr PatchMergingCase kCase{.name = "order", .h = 2, .w = 2, .c = 1, .out = 4};
    std::vector<float> identity(16);
    for (std::size_t i = 0; i < 4; ++i) identity[i * 4 + i] = 1;
    // Mean 4, variance 7.5: weight √7.5 leaves the differences; pixels 00, 10, 01, 11 are 1, 5, 2, 8.
    float const root = std::sqrt(7.5F);
    auto const result =
        reference_output(to_case(kCase), {{1, 2, 5, 8}, std::vector<float>(4, root), {0, 0, 0, 0}, identity});
    std::vector<float> const expected{-3, 1, -2, 4};
    for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(result[i], expected[i], 1e-4) << i;
}

TEST(PatchMergingDefinition, ExtendsOddSidesByZeros) {
    constexpr PatchMergingCase kCase{.name = "odd", .h = 1, .w = 1, .c = 1, .out = 1};
    // {2, 0, 0, 0}: mean 0.5, variance 0.75.
    auto const result = reference_output(to_case(kCase), {{2}, {1, 1, 1, 1}, {0, 0, 0, 0}, {1, 0, 0, 0}});
    EXPECT_NEAR(result[0], 1.5 / std::sqrt(0.75), 1e-4);
}

TEST(Conv2dDefinition, AddsTheResidualBeforeTheActivationWhereAsked) {
    constexpr Conv2dCase kCase{.name = "late",
                               .h = 1,
                               .w = 2,
                               .c_in = 1,
                               .c_out = 1,
                               .kernel = 1,
                               .activation = Activation::leaky_relu,
                               .residual = true,
                               .residual_place = ResidualPlace::before_activation};
    EXPECT_EQ(reference_output(to_case(kCase), {{1, -1}, {2}, {0}, {-3, 5}}), (std::vector<float>{0, 3}));
}

}  // namespace
}  // namespace vitrum::test
