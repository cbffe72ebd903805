// SPDX-License-Identifier: Apache-2.0
#include "lanes.h"

#include <gtest/gtest.h>

namespace vitrum::cli {
namespace {

int lanes_in(std::uint64_t free_bytes, std::uint64_t each_bytes) {
    return lane_count(
        {.free_bytes = free_bytes, .each_bytes = each_bytes, .pixels = 500 * 500, .threads = 16, .jobs = 50});
}

TEST(Lanes, AreAsManyAsHalfOfTheMemoryHolds) {
    EXPECT_EQ(lanes_in(1000, 100), 3);
    EXPECT_EQ(lanes_in(1000, 250), 2);
    EXPECT_EQ(lanes_in(1000, 251), 1);
    EXPECT_EQ(lanes_in(1000, 5000), 1) << "tiles of one session may still fit";
    EXPECT_EQ(lanes_in(0, 0), 1);
}

TEST(Lanes, AreMoreForSmallPicturesAndFewerForFewCoresOrInputs) {
    LaneLimits limits{.free_bytes = 1000, .each_bytes = 1, .pixels = 64 * 64, .threads = 16, .jobs = 50};
    EXPECT_EQ(lane_count(limits), 8);
    limits.jobs = 5;
    EXPECT_EQ(lane_count(limits), 5);
    limits.threads = 6;
    EXPECT_EQ(lane_count(limits), 3);
    limits.threads = 1;
    EXPECT_EQ(lane_count(limits), 2);
    limits.jobs = 1;
    EXPECT_EQ(lane_count(limits), 1);
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
