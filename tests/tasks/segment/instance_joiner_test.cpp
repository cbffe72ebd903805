// SPDX-License-Identifier: Apache-2.0
#include "tasks/segment/instance_joiner.h"

#include <gtest/gtest.h>

#include "tasks/segment/run_lengths.h"

namespace vitrum {
namespace {

constexpr std::int64_t kWidth = 30, kHeight = 20;

/// What a tile shows of a rectangle in the picture.
Segment seen(Box const& box, Region const& tile, double score = 0.9, int class_index = 0) {
    RunBuilder runs;
    for (std::int64_t x = tile.x; x < tile.x + tile.width; ++x) {
        for (std::int64_t y = tile.y; y < tile.y + tile.height; ++y) {
            runs.add(x >= box.x && x < box.x + box.width && y >= box.y && y < box.y + box.height);
        }
    }
    Segment segment;
    segment.class_index = class_index;
    segment.score = score;
    segment.runs = runs.finish();
    return segment;
}

constexpr Region kLeft{0, 0, 20, 20}, kRight{10, 0, 20, 20};
constexpr std::int64_t kSeenByLeft = 20, kAll = 100;

TEST(InstanceJoiner, JoinsWhatTwoTilesSee) {
    InstanceJoiner joiner(kWidth, kHeight);
    constexpr Box kThing{5, 3, 20, 10};
    joiner.add({seen(kThing, kLeft, 0.5)}, kLeft, 0, 0);
    joiner.add({seen(kThing, kRight, 0.7)}, kRight, kSeenByLeft, 0);
    auto const found = joiner.finish(kAll);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].box, kThing);
    EXPECT_EQ(found[0].area, 200);
    EXPECT_EQ(found[0].score, 0.7);
    EXPECT_EQ(found[0].runs, seen(kThing, {0, 0, kWidth, kHeight}).runs);
}

TEST(InstanceJoiner, JoinsAcrossACornerOfFourTiles) {
    InstanceJoiner joiner(kWidth, kHeight);
    constexpr Box kThing{8, 6, 12, 8};
    for (std::int64_t const y : {0, 8}) {
        for (std::int64_t const x : {0, 10}) {
            Region const tile{x, y, 20, 12};
            joiner.add({seen(kThing, tile)}, tile, x == 0 ? 0 : 20, y == 0 ? 0 : 12);
        }
    }
    auto const found = joiner.finish(kAll);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].box, kThing);
}

TEST(InstanceJoiner, KeepsNeighboursAndClassesApart) {
    InstanceJoiner joiner(kWidth, kHeight);
    constexpr Box kUpper{5, 0, 20, 8}, kLower{5, 10, 20, 8};
    joiner.add({seen(kUpper, kLeft), seen(kLower, kLeft, 0.8, 1)}, kLeft, 0, 0);
    joiner.add({seen(kLower, kRight), seen(kUpper, kRight, 0.8, 1)}, kRight, kSeenByLeft, 0);
    EXPECT_EQ(joiner.finish(kAll).size(), 4U);
}

TEST(InstanceJoiner, RivalsForOneThingStayRivals) {
    InstanceJoiner joiner(kWidth, kHeight);
    constexpr Box kThing{5, 3, 20, 10};
    joiner.add({seen(kThing, kLeft, 0.9), seen(kThing, kLeft, 0.2)}, kLeft, 0, 0);
    joiner.add({seen(kThing, kRight, 0.8), seen(kThing, kRight, 0.3)}, kRight, kSeenByLeft, 0);
    auto const found = joiner.finish(kAll);
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(found[0].score, 0.9);
    EXPECT_EQ(found[1].score, 0.3);
    EXPECT_EQ(found[1].box, kThing);
}

TEST(InstanceJoiner, KeepsTheBest) {
    InstanceJoiner joiner(kWidth, kHeight);
    joiner.add({seen({0, 0, 3, 3}, kLeft, 0.4), seen({5, 5, 3, 3}, kLeft, 0.3)}, kLeft, 0, 0);
    joiner.add({seen({25, 5, 3, 3}, kRight, 0.6)}, kRight, kSeenByLeft, 0);
    auto const found = joiner.finish(2);
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(found[0].box, (Box{25, 5, 3, 3}));
    EXPECT_EQ(found[0].id, 1);
    EXPECT_EQ(found[1].score, 0.4);
}

}  // namespace
}  // namespace vitrum
