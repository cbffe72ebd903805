// SPDX-License-Identifier: Apache-2.0
#include "tasks/segment/geometry.h"

#include <gtest/gtest.h>

namespace vitrum {
namespace {

constexpr auto kOriginal = SegmentRules::original, kHuggingFace = SegmentRules::hugging_face;

// The expected sizes are those of detectron2's ResizeShortestEdge and transformers' get_size_with_aspect_ratio.

TEST(SegmentGeometry, OriginalKeepsTheShapeAndPads) {
    SegmentGeometry const photo = plan_geometry({427, 640}, kOriginal, 800, 1333);
    EXPECT_EQ(photo.resized, (Extent{800, 1199}));
    EXPECT_EQ(photo.network, (Extent{800, 1216}));
    EXPECT_EQ(photo.picture, (Extent{427, 640}));
    SegmentGeometry const wide = plan_geometry({100, 1000}, kOriginal, 800, 1333);
    EXPECT_EQ(wide.resized, (Extent{133, 1333}));
    EXPECT_EQ(wide.network, (Extent{160, 1344}));
    EXPECT_EQ(plan_geometry({1000, 100}, kOriginal, 800, 1333).resized, (Extent{1333, 133}));
}

TEST(SegmentGeometry, HuggingFaceStretches) {
    EXPECT_EQ(plan_geometry({427, 640}, kHuggingFace, 800, 1333).resized, (Extent{800, 1216}));
    EXPECT_EQ(plan_geometry({427, 640}, kHuggingFace, 800, 1333).network, (Extent{800, 1216}));
    EXPECT_EQ(plan_geometry({100, 1000}, kHuggingFace, 800, 1333).network, (Extent{160, 1344}));
    EXPECT_EQ(plan_geometry({64, 96}, kHuggingFace, 64, 1333).network, (Extent{64, 96}));
}

TEST(SegmentGeometry, WithoutResizingOnlyTheOriginalPads) {
    EXPECT_EQ(plan_geometry({33, 50}, kOriginal, 0, 1333).resized, (Extent{33, 50}));
    EXPECT_EQ(plan_geometry({33, 50}, kOriginal, 0, 1333).network, (Extent{64, 64}));
    EXPECT_EQ(plan_geometry({33, 50}, kHuggingFace, 0, 1333).network, (Extent{33, 50}));
}

TEST(SegmentGeometry, LinesAndSinglePixelsKeepASide) {
    for (auto const rules : {kOriginal, kHuggingFace}) {
        EXPECT_EQ(plan_geometry({1, 9000}, rules, 800, 1333).network, (Extent{32, 1344}));
        EXPECT_EQ(plan_geometry({9000, 1}, rules, 800, 1333).network, (Extent{1344, 32}));
        EXPECT_EQ(plan_geometry({1, 1}, rules, 800, 1333).network, (Extent{800, 800}));
    }
}

}  // namespace
}  // namespace vitrum
