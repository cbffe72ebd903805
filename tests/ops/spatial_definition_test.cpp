// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "harness.h"
#include "spatial_cases.h"

namespace vitrum::test {
namespace {

using Row = std::vector<float>;

/// 0, 1, 2, … as one row padded to `multiple`: the table of source indices.
Row padded_row(int size, int multiple) {
    ReflectPadCase const c{.name = "row", .h = 1, .w = size, .c = 1, .multiple = multiple};
    Row x;
    for (int i = 0; i < size; ++i) x.push_back(static_cast<float>(i));
    auto const y = reference_output(to_case(c), {x, {1}, {0}});
    Row first(y.begin(), y.begin() + static_cast<std::ptrdiff_t>(y.size()) / multiple);
    for (std::size_t i = 0; i < y.size(); ++i) EXPECT_EQ(y[i], first[i % first.size()]);  // one row repeats itself
    return first;
}

TEST(ReflectPadDefinition, ReflectsWithoutTheEdge) {
    EXPECT_EQ(padded_row(5, 8), (Row{0, 1, 2, 3, 4, 3, 2, 1}));
    EXPECT_EQ(padded_row(8, 8), (Row{0, 1, 2, 3, 4, 5, 6, 7}));
    EXPECT_EQ(padded_row(9, 4), (Row{0, 1, 2, 3, 4, 5, 6, 7, 8, 7, 6, 5}));
}

TEST(ReflectPadDefinition, GoesBackAndForthWherePaddingIsLonger) {
    EXPECT_EQ(padded_row(3, 8), (Row{0, 1, 2, 1, 0, 1, 2, 1}));
    EXPECT_EQ(padded_row(2, 7), (Row{0, 1, 0, 1, 0, 1, 0}));
    EXPECT_EQ(padded_row(1, 4), (Row{0, 0, 0, 0}));
}

TEST(ReflectPadDefinition, ReflectsBothAxesThenScales) {
    constexpr ReflectPadCase kCase{.name = "both", .h = 2, .w = 2, .c = 1, .multiple = 3};
    EXPECT_EQ(reference_output(to_case(kCase), {{1, 2, 3, 4}, {10}, {0.5F}}),
              (Row{10.5F, 20.5F, 10.5F, 30.5F, 40.5F, 30.5F, 10.5F, 20.5F, 10.5F}));
}

TEST(CropDefinition, TakesTheTopLeftAndScalesByChannel) {
    constexpr CropCase kCase{.name = "crop", .h = 2, .w = 3, .c = 2, .to_h = 2, .to_w = 2};
    EXPECT_EQ(reference_output(to_case(kCase), {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, {1, 10}, {100, 0}}),
              (Row{101, 20, 103, 40, 107, 80, 109, 100}));
}

TEST(PixelShuffleDefinition, OrdersChannelsAsPyTorch) {
    // torch.nn.PixelShuffle(2) of eight channels at one pixel: two channels of [[0, 1], [2, 3]] and [[4, 5], [6, 7]].
    constexpr PixelShuffleCase kCase{.name = "table", .c = 8};
    EXPECT_EQ(reference_output(to_case(kCase), {{0, 1, 2, 3, 4, 5, 6, 7}}), (Row{0, 4, 1, 5, 2, 6, 3, 7}));
}

TEST(PixelShuffleDefinition, KeepsPixelsTogether) {
    constexpr PixelShuffleCase kCase{.name = "pixels", .h = 1, .w = 2, .c = 4};
    EXPECT_EQ(reference_output(to_case(kCase), {{0, 1, 2, 3, 10, 11, 12, 13}}), (Row{0, 1, 10, 11, 2, 3, 12, 13}));
}

TEST(ResizeNearestDefinition, RepeatsEachPixel) {
    constexpr ResizeNearestCase kCase{.name = "repeat", .h = 1, .w = 2, .c = 1};
    EXPECT_EQ(reference_output(to_case(kCase), {{1, 2}}), (Row{1, 1, 2, 2, 1, 1, 2, 2}));
}

}  // namespace
}  // namespace vitrum::test
