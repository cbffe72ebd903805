// SPDX-License-Identifier: Apache-2.0
#include "models/segmentation_info.h"

#include <gtest/gtest.h>

#include "vitrum/error.h"

namespace vitrum {
namespace {

SegmentationInfo read(Settings const& config, Settings const& preprocessor, std::int64_t classes = 2) {
    return read_segmentation_info(config, preprocessor, "folder", classes);
}

std::string refusal_of(Settings const& config, Settings const& preprocessor) {
    try {
        static_cast<void>(read(config, preprocessor));
    } catch (Error const& error) {
        return error.what();
    }
    return "accepted";
}

TEST(SegmentationInfo, WithoutFilesIsMask2FormersConvention) {
    EXPECT_EQ(read({}, {}), SegmentationInfo{});
}

TEST(SegmentationInfo, ReadsNamesStatisticsAndSize) {
    SegmentationInfo const info = read({{"id2label.0", "cat"}, {"id2label.1", "dog"}}, {{"image_mean.0", "0.5"},
                                                                                        {"image_std.2", "0.25"},
                                                                                        {"size.shortest_edge", "512"},
                                                                                        {"size.longest_edge", "2048"}});
    EXPECT_EQ(info.class_names, (std::vector<std::string>{"cat", "dog"}));
    EXPECT_FLOAT_EQ(info.pixel_mean[0], 127.5F);
    EXPECT_FLOAT_EQ(info.pixel_mean[1], 116.28F);
    EXPECT_FLOAT_EQ(info.pixel_std[2], 63.75F);
    EXPECT_EQ(info.short_edge, 512);
    EXPECT_EQ(info.long_edge, 2048);
    EXPECT_EQ(info.height, 0);
}

TEST(SegmentationInfo, ReadsFixedAndOlderSizes) {
    SegmentationInfo const fixed = read({}, {{"size.height", "384"}, {"size.width", "640"}});
    EXPECT_EQ(fixed.height, 384);
    EXPECT_EQ(fixed.width, 640);
    SegmentationInfo const older = read({}, {{"size", "640"}, {"max_size", "2560"}});
    EXPECT_EQ(older.short_edge, 640);
    EXPECT_EQ(older.long_edge, 2560);
}

TEST(SegmentationInfo, RefusesWhatContradictsOrMakesNoSense) {
    EXPECT_NE(refusal_of({{"id2label.0", "cat"}}, {}).find("names 1 classes (id2label), but the weights tell 2 apart"),
              std::string::npos);
    EXPECT_NE(refusal_of({{"id2label.0", "cat"}, {"id2label.7", "dog"}}, {}).find("no class 1"), std::string::npos);
    EXPECT_NE(refusal_of({}, {{"image_std.0", "0"}}).find("image_std.0 is 0"), std::string::npos);
    EXPECT_NE(refusal_of({}, {{"image_mean.0", "-1"}}).find("image_mean.0 is -1"), std::string::npos);
    EXPECT_NE(refusal_of({}, {{"size.shortest_edge", "big"}}).find("expected a number"), std::string::npos);
    EXPECT_NE(refusal_of({}, {{"size.height", "384"}}).find("both height and width"), std::string::npos);
}

}  // namespace
}  // namespace vitrum
