// SPDX-License-Identifier: Apache-2.0
#include "base/shape.h"

#include <gtest/gtest.h>

#include <limits>

namespace vitrum {
namespace {

constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max();

TEST(Shape, CountsElements) {
    EXPECT_EQ((Shape{2, 3, 4}).count(), 24);
    EXPECT_EQ(Shape{}.count(), 1);  // a scalar
    EXPECT_EQ((Shape{5, 0}).count(), 0);
}

TEST(Shape, RefusesCountsThatOverflow) {
    EXPECT_EQ((Shape{kLargest, 1}).checked_count(), kLargest);
    EXPECT_FALSE((Shape{kLargest, 2}).checked_count());
    EXPECT_FALSE((Shape{std::int64_t{1} << 32, std::int64_t{1} << 31}).checked_count());
    EXPECT_EQ((Shape{std::int64_t{1} << 31, std::int64_t{1} << 31}).checked_count(), std::int64_t{1} << 62);
}

TEST(Shape, RefusesNegativeExtents) {
    EXPECT_FALSE(Shape{-1}.checked_count());
    EXPECT_FALSE((Shape{-2, -3}).checked_count());  // whose product looks fine
    EXPECT_FALSE((Shape{0, -1}).checked_count());
}

TEST(Shape, AssertsThatKnownShapesAreSane) {
    EXPECT_DEATH(static_cast<void>(Shape{-1}.count()), "internal error");
    EXPECT_DEATH((Shape{1, 2, 3, 4, 5, 6, 7, 8, 9}), "internal error");
}

TEST(Shape, ComparesRankAndExtents) {
    EXPECT_EQ((Shape{1, 2}), (Shape{1, 2}));
    EXPECT_NE((Shape{1, 2}), (Shape{2, 1}));
    EXPECT_NE((Shape{1}), (Shape{1, 1}));
    Shape changed{1, 2, 3};
    changed[1] = 7;
    EXPECT_EQ(changed, (Shape{1, 7, 3}));
}

TEST(Shape, StridesAndText) {
    EXPECT_EQ((Shape{2, 3, 4}).contiguous_strides(), (Shape{12, 4, 1}));
    EXPECT_EQ(Shape{}.contiguous_strides(), Shape{});
    EXPECT_EQ((Shape{64, 3, 3, 3}).str(), "[64, 3, 3, 3]");
    EXPECT_EQ(Shape{}.str(), "[]");
}

}  // namespace
}  // namespace vitrum
