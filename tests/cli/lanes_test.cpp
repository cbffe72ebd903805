// SPDX-License-Identifier: Apache-2.0
#include "lanes.h"

#include <gtest/gtest.h>

namespace vitrum::cli {
namespace {

TEST(Lanes, AreAsManyAsHalfOfTheMemoryHolds) {
    EXPECT_EQ(lane_count(1000, 100, 50), 3);
    EXPECT_EQ(lane_count(1000, 250, 50), 2);
    EXPECT_EQ(lane_count(1000, 251, 50), 1);
    EXPECT_EQ(lane_count(1000, 5000, 50), 1) << "tiles of one session may still fit";
    EXPECT_EQ(lane_count(0, 0, 50), 1);
}

TEST(Lanes, AreNoMoreThanInputs) {
    EXPECT_EQ(lane_count(1000, 1, 1), 1);
    EXPECT_EQ(lane_count(1000, 1, 2), 2);
}

TEST(Lanes, TheLargestPictureIsTheOneOfMostPixels) {
    EXPECT_EQ(largest_of({{"a", "b", 10, 10}, {"c", "d", 2, 60}, {"e", "f"}}), (Sizes{1, 2, 60}));
    EXPECT_EQ(largest_of({{"e", "f"}}), (Sizes{1, 0, 0}));
}

TEST(Lanes, ACpuHasOne) {
    Engine const engine = Engine::open(VITRUM_TEST_DATA "/swinir_lightweight_x2.safetensors", {.threads = 1});
    EXPECT_EQ(make_lanes(engine, {1, 8, 8}, 0, 50).size(), 1U);
}

}  // namespace
}  // namespace vitrum::cli
