// SPDX-License-Identifier: Apache-2.0
#include "ir/dim.h"

#include <gtest/gtest.h>

#include <cmath>

#include "symbols.h"

namespace vitrum {
namespace {

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

TEST(Dim, AddsAndDividesAsIntegersDo) {
    for (std::int64_t h = 1; h <= 40; ++h) {
        Sizes const sizes{.h = h};
        EXPECT_EQ(kH.plus(54).at(sizes), h + 54);
        for (std::int64_t const k : {-9, -1, 1, 3, 8, 13}) {
            for (std::int64_t const d : {2, 3, 8}) {
                auto const exact = [&](std::int64_t value) {
                    return static_cast<std::int64_t>(std::ceil(static_cast<double>(value) / static_cast<double>(d)));
                };
                EXPECT_EQ(kH.plus(k).ceil_div(d).at(sizes), exact(h + k));
                EXPECT_EQ(kH.times(6).plus(k).ceil_div(d).at(sizes), exact(6 * h + k));
                EXPECT_EQ(kH.plus(k).times(3).plus(1).ceil_div(d).at(sizes), exact(3 * (h + k) + 1));
            }
        }
    }
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
    EXPECT_EQ(kH.ceil_div(2).ceil_div(4), kH.ceil_div(8));
    EXPECT_EQ(kH.times(6).ceil_div(4), kH.times(3).ceil_div(2));
    EXPECT_EQ(kH.plus(3).plus(-3), kH);
    EXPECT_EQ(kH.plus(2).times(4), kH.times(4).plus(8));
    EXPECT_EQ(kH.round_up(8).plus(-1).ceil_div(2), kH.round_up(8).ceil_div(2));
    EXPECT_EQ(kH.plus(9).ceil_div(4), kH.plus(1).ceil_div(4).plus(2));
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
    EXPECT_EQ(kW.plus(54).str(), "W+54");
    EXPECT_EQ(kH.plus(-1).times(2).ceil_div(3).str(), "ceil((H*2+1)/3)-1");
}

TEST(Dim, RefusesToDivideByZero) {
    EXPECT_DEATH(static_cast<void>(kH.ceil_div(0)), "divisor > 0");
}

}  // namespace
}  // namespace vitrum
