// SPDX-License-Identifier: Apache-2.0
#include "tasks/tiling.h"

#include <gtest/gtest.h>

#include <vector>

namespace vitrum {
namespace {

/// Every pixel's weights over all tiles of an axis, as the blending applies them.
std::vector<double> weight_sums(AxisTiles const& axis, std::int64_t length) {
    std::vector<double> sums(static_cast<std::size_t>(length), 0.0);
    for (std::int64_t i = 0; i < axis.count(); ++i) {
        std::int64_t const origin = axis.origins[static_cast<std::size_t>(i)];
        for (std::int64_t x = origin; x < std::min(origin + axis.tile, length); ++x) {
            double weight = 1;
            if (i > 0) {
                Seam const left = seam_after(axis, i - 1);
                if (x < left.begin) weight = 0;
                else if (x < left.begin + left.width) weight *= fade_in(x - left.begin, left.width);
            }
            if (i + 1 < axis.count()) {
                Seam const right = seam_after(axis, i);
                if (x >= right.begin + right.width) weight = 0;
                else if (x >= right.begin) weight *= 1.0F - fade_in(x - right.begin, right.width);
            }
            sums[static_cast<std::size_t>(x)] += weight;
        }
    }
    return sums;
}

struct Case {
    std::int64_t length, max_tile, overlap, multiple;
};

std::vector<Case> cases() {
    std::vector<Case> all;
    for (std::int64_t const multiple : {1, 7, 8, 16, 64}) {
        for (std::int64_t const tile : {64, 65, 100, 128, 192}) {
            for (std::int64_t const overlap : {0, 1, 8, 17, 32, 96, 1000}) {
                for (std::int64_t length = 1; length < 700; length += 13)
                    all.push_back({length, tile, overlap, multiple});
            }
        }
    }
    return all;
}

TEST(Tiling, EveryTileHasOneShapeAndAlignedOrigins) {
    for (Case const& c : cases()) {
        AxisTiles const axis = cover_axis(c.length, c.max_tile, c.overlap, c.multiple);
        ASSERT_LE(axis.tile, c.max_tile);
        ASSERT_EQ(axis.origins.front(), 0);
        if (axis.count() == 1) {
            ASSERT_EQ(axis.tile, c.length);
            continue;
        }
        ASSERT_EQ(axis.tile % c.multiple, 0);
        ASSERT_GE(axis.origins.back() + axis.tile, c.length);
        ASSERT_LT(axis.origins.back() + axis.tile, c.length + c.multiple);
        for (std::size_t i = 1; i < axis.origins.size(); ++i) {
            ASSERT_EQ(axis.origins[i] % c.multiple, 0);
            ASSERT_GE(axis.origins[i - 1] + axis.tile - axis.origins[i], axis.overlap);
        }
    }
}

TEST(Tiling, OverlapIsAsAskedUnlessHalfATileIsLess) {
    EXPECT_EQ(cover_axis(500, 128, 30, 8).overlap, 32);
    EXPECT_EQ(cover_axis(500, 128, 0, 8).overlap, 0);
    EXPECT_EQ(cover_axis(500, 128, 1000, 8).overlap, 64);
}

TEST(Tiling, TilesAreNoLargerThanTheirNumberNeeds) {
    // Three tiles of 512 would cover 1472 pixels; 1080 need only 384 each.
    AxisTiles const axis = cover_axis(1080, 512, 32, 8);
    EXPECT_EQ(axis.count(), 3);
    EXPECT_EQ(axis.tile, 384);
}

TEST(Tiling, WeightsSumToOneEverywhere) {
    for (Case const& c : cases()) {
        AxisTiles const axis = cover_axis(c.length, c.max_tile, c.overlap, c.multiple);
        for (double const sum : weight_sums(axis, c.length)) {
            ASSERT_EQ(static_cast<float>(sum), 1.0F)
                << c.length << " " << c.max_tile << " " << c.overlap << " " << c.multiple;
        }
    }
}

TEST(Tiling, SeamsLieInOrderAndLeaveTheOuterQuartersOfTheOverlapOut) {
    for (Case const& c : cases()) {
        AxisTiles const axis = cover_axis(c.length, c.max_tile, c.overlap, c.multiple);
        std::int64_t last_end = 0;
        for (std::int64_t i = 0; i + 1 < axis.count(); ++i) {
            Seam const seam = seam_after(axis, i);
            ASSERT_GE(seam.begin, last_end);
            last_end = seam.begin + seam.width;
            ASSERT_LE(last_end, c.length);
            ASSERT_GE(seam.begin - axis.origins[static_cast<std::size_t>(i) + 1], axis.overlap / 4);
            ASSERT_GE(axis.origins[static_cast<std::size_t>(i)] + axis.tile - last_end, axis.overlap / 4);
        }
    }
}

TEST(Tiling, LargestTileIsTheWholePictureWhereThatFits) {
    auto const always = [](std::int64_t, std::int64_t) { return true; };
    EXPECT_EQ(largest_tile(300, 500, 32, 8, always), 500);
}

TEST(Tiling, LargestTileFitsAndTheNextDoesNot) {
    auto const within = [](std::int64_t limit) {
        return [limit](std::int64_t h, std::int64_t w) { return h * w <= limit; };
    };
    std::int64_t const side = largest_tile(1000, 1000, 32, 8, within(300 * 300));
    TilePlan const plan = plan_tiles(1000, 1000, side, 32, 8);
    EXPECT_LE(plan.y.tile * plan.x.tile, 300 * 300);
    EXPECT_EQ(plan.y.count(), 4);
    // A panorama keeps its whole height.
    std::int64_t const wide = largest_tile(100, 10000, 32, 8, within(100 * 500));
    EXPECT_EQ(plan_tiles(100, 10000, wide, 32, 8).y.tile, 100);
}

TEST(Tiling, NothingFitsGivesZero) {
    auto const never = [](std::int64_t, std::int64_t) { return false; };
    EXPECT_EQ(largest_tile(1000, 1000, 32, 8, never), 0);
    EXPECT_EQ(largest_tile(20, 20, 32, 8, never), 0);
}

}  // namespace
}  // namespace vitrum
