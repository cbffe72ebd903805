// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>

#include "harness.h"
#include "position_cases.h"

namespace vitrum::test {
namespace {

using Floats = std::vector<float>;

TEST(ResizeDefinition, PutsCentresAtHalves) {
    constexpr ResizeCase kCase{.name = "row", .w = 2, .c = 1, .to_h = 1, .to_w = 4};
    EXPECT_EQ(reference_output(to_case(kCase), {{8, 16}, {}}), (Floats{8, 10, 14, 16}));
}

TEST(ResizeDefinition, HalvingAveragesAndQuarteringTakesTheMiddle) {
    constexpr ResizeCase kHalf{.name = "half", .w = 4, .c = 1, .to_h = 1, .to_w = 2};
    EXPECT_EQ(reference_output(to_case(kHalf), {{1, 3, 10, 20}, {}}), (Floats{2, 15}));
    constexpr ResizeCase kQuarter{.name = "quarter", .w = 4, .c = 1, .to_h = 1, .to_w = 1};
    EXPECT_EQ(reference_output(to_case(kQuarter), {{1, 3, 10, 20}, {}}), (Floats{6.5F}));
}

TEST(ResizeDefinition, TreatsRowsLikeColumnsAndAdds) {
    constexpr ResizeCase kCase{.name = "column", .h = 2, .c = 2, .to_h = 3, .to_w = 1, .add = true};
    EXPECT_EQ(reference_output(to_case(kCase), {{0, 1, 6, 4}, {10, 20, 30, 40, 50, 60}}),
              (Floats{10, 21, 33, 42.5F, 56, 64}));
}

TEST(ResizeDefinition, KeepsAMapOfTheSameSize) {
    constexpr ResizeCase kCase{.name = "same", .h = 3, .w = 5, .c = 4, .to_h = 3, .to_w = 5};
    Values const values = make_values(to_case(kCase));
    EXPECT_EQ(reference_output(to_case(kCase), values), values[0]);
}

TEST(SinePositionDefinition, RowsThenColumnsSineThenCosine) {
    // Two rows, one column, eight channels: frequencies 1 and 1/100 in each half.
    constexpr SinePositionCase kCase{.name = "two", .h = 2, .w = 1, .c = 8};
    auto const result = reference_output(to_case(kCase), {{0, 0, 0, 0, 100, 0, 0, 0}});
    double const half = 3.14159265358979 * 2 / 2.000001;
    double const whole = 3.14159265358979 * 2 / 1.000001;
    auto const expected = [&](double row, double column) {
        return std::vector<double>{std::sin(row),          std::cos(row),          std::sin(row / 100),
                                   std::cos(row / 100),    100 + std::sin(column), std::cos(column),
                                   std::sin(column / 100), std::cos(column / 100)};
    };
    for (std::size_t i = 0; i < 8; ++i) {
        EXPECT_NEAR(result[i], expected(half, whole)[i], 1e-5) << i;
        EXPECT_NEAR(result[8 + i], expected(2 * half, whole)[i], 1e-5) << i;
    }
}

TEST(AddPositionDefinition, AddsTheSameToEveryPicture) {
    constexpr AddPositionCase kCase{.name = "two", .n = 2, .w = 2, .c = 1};
    EXPECT_EQ(reference_output(to_case(kCase), {{1, 2, 3, 4}, {10, 20}}), (Floats{11, 22, 13, 24}));
}

TEST(TokensDefinition, RepeatsTheTable) {
    constexpr TokensCase kCase{.name = "two", .batch = 2, .q = 2, .c = 2};
    EXPECT_EQ(reference_output(to_case(kCase), {{1, 2, 3, 4}}), (Floats{1, 2, 3, 4, 1, 2, 3, 4}));
}

}  // namespace
}  // namespace vitrum::test
