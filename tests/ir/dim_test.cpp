// SPDX-License-Identifier: Apache-2.0
#include "ir/dim.h"

#include <gtest/gtest.h>

namespace vitrum {
namespace {

Dim const kH{Symbol::h};
Dim const kW{Symbol::w};
Dim const kN{Symbol::n};

TEST(Dim, TakesConcreteSizes) {
    Sizes const sizes{.n = 2, .h = 13, .w = 21};
    EXPECT_EQ(Dim(7).at(sizes), 7);
    EXPECT_EQ(kN.at(sizes), 2);
    EXPECT_EQ(kH.at(sizes), 13);
    EXPECT_EQ(kW.times(3).at(sizes), 63);
    EXPECT_EQ(kH.ceil_div(4).at(sizes), 4);
    EXPECT_EQ(kH.round_up(8).at(sizes), 16);
    EXPECT_EQ(kH.round_up(8).times(4).ceil_div(3).at(sizes), 22);
}

TEST(Dim, RoundsUpAroundEveryMultiple) {
    for (std::int64_t h = 1; h <= 40; ++h) {
        std::int64_t const rounded = kH.round_up(8).at({.h = h});
        EXPECT_EQ(rounded % 8, 0);
        EXPECT_TRUE(h <= rounded && rounded < h + 8);
    }
}

TEST(Dim, FoldsConstants) {
    EXPECT_TRUE(Dim(13).round_up(8).is_constant());
    EXPECT_EQ(Dim(13).round_up(8), Dim(16));
    EXPECT_EQ(Dim(6).times(2).ceil_div(5), Dim(3));
    EXPECT_FALSE(kH.is_constant());
}

TEST(Dim, ComparesEqualExtentsEqual) {
    EXPECT_EQ(kH.times(2).times(3), kH.times(6));
    EXPECT_EQ(kH.times(4).ceil_div(4), kH);
    EXPECT_EQ(kH.times(6).ceil_div(2), kH.times(3));
    EXPECT_EQ(kH.times(1), kH);
    EXPECT_EQ(kH.ceil_div(1), kH);
    EXPECT_EQ(kH.round_up(8).round_up(8), kH.round_up(8));
    EXPECT_EQ(kH.round_up(8).round_up(4), kH.round_up(8));
    EXPECT_EQ(kH.round_up(8).times(4).round_up(32), kH.round_up(8).times(4));
}

TEST(Dim, ComparesDifferentExtentsDifferent) {
    EXPECT_NE(kH, kW);
    EXPECT_NE(kH, Dim(8));
    EXPECT_NE(kH.round_up(8), kH);
    EXPECT_NE(kH.round_up(8), kH.round_up(4));
    EXPECT_NE(kH.ceil_div(2).times(2), kH.times(2).ceil_div(2));
}

TEST(Dim, ShowsItsSteps) {
    EXPECT_EQ(Dim(3).str(), "3");
    EXPECT_EQ(kN.str(), "N");
    EXPECT_EQ(kH.round_up(8).str(), "ceil(H/8)*8");
    EXPECT_EQ(kW.round_up(8).times(2).str(), "ceil(W/8)*16");
}

TEST(Dim, RefusesToDivideByZero) {
    EXPECT_DEATH(static_cast<void>(kH.ceil_div(0)), "divisor > 0");
}

}  // namespace
}  // namespace vitrum
