// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "vitrum/error.h"
#include "vitrum/segment.h"

namespace vitrum {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

ClassList two_classes() {
    return {"test", {{"sky-other-merged", false, 187}, {"cat", true, 17}}, true};
}

Segment segment_of(int id, int class_index, double score, std::int64_t area, Box const& box) {
    Segment segment;
    segment.id = id;
    segment.class_index = class_index;
    segment.score = score;
    segment.area = area;
    segment.box = box;
    return segment;
}

/// 300 ids wide: ids reach beyond one byte.
SegmentReport panoptic_report() {
    SegmentReport report;
    report.classes = two_classes();
    report.width = 40;
    report.height = 30;
    report.labels.assign(40 * 30, 0);
    std::fill_n(report.labels.begin(), 40 * 10, std::uint16_t{1});
    std::fill_n(report.labels.begin() + 40 * 20, 40 * 10, std::uint16_t{300});
    report.segments = {segment_of(1, 0, 0.97, 400, {0, 0, 40, 10}), segment_of(300, 1, 0.8, 400, {0, 20, 40, 10})};
    return report;
}

SegmentReport instance_report() {
    SegmentReport report = panoptic_report();
    report.kind = Segmentation::instance;
    report.labels.clear();
    report.segments = {segment_of(1, 1, 0.9, 300, {0, 0, 10, 30}), segment_of(2, 1, 0.2, 300, {10, 0, 10, 30})};
    report.segments[0].runs = {0, 300, 900};
    report.segments[1].runs = {300, 300, 600};
    return report;
}

class SegmentFilesTest : public testing::Test {
protected:
    SegmentFilesTest() { fs::create_directories(folder_); }
    ~SegmentFilesTest() override { fs::remove_all(folder_); }
    [[nodiscard]] Json json(std::string const& name) const {
        std::ifstream file(folder_ / name);
        return Json::parse(file);
    }
    [[nodiscard]] std::size_t count() const {
        return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
    }
    fs::path folder_ = fs::path(testing::TempDir()) / (std::string("vitrum_segments_") +
                                                       testing::UnitTest::GetInstance()->current_test_info()->name());
    Image picture_{40, 30, 3, SampleType::u8};
};

TEST_F(SegmentFilesTest, PanopticIsCocosPngAndJson) {
    save_segments(panoptic_report(), picture_, "000000439180.jpg", {folder_ / "p.png", folder_ / "p.json", ""});
    Image const labels = load_image(folder_ / "p.png");
    auto const* const first = labels.row<std::uint8_t>(0);
    EXPECT_EQ(first[0] + 256 * first[1] + 65536 * first[2], 1);
    auto const* const last = labels.row<std::uint8_t>(29);
    EXPECT_EQ(last[0] + 256 * last[1] + 65536 * last[2], 300);
    EXPECT_EQ(labels.row<std::uint8_t>(15)[0], 0);

    Json const file = json("p.json");
    EXPECT_EQ(file.at("images").at(0).at("id"), 439180);
    EXPECT_EQ(file.at("images").at(0).at("width"), 40);
    Json const annotation = file.at("annotations").at(0);
    EXPECT_EQ(annotation.at("image_id"), 439180);
    EXPECT_EQ(annotation.at("file_name"), "p.png");
    Json const segment = annotation.at("segments_info").at(1);
    EXPECT_EQ(segment.at("id"), 300);
    EXPECT_EQ(segment.at("category_id"), 17);
    EXPECT_EQ(segment.at("isthing"), 1);
    EXPECT_EQ(segment.at("area"), 400);
    EXPECT_EQ(segment.at("bbox"), Json({0, 20, 40, 10}));
    EXPECT_DOUBLE_EQ(segment.at("score").get<double>(), 0.8);
    EXPECT_EQ(file.at("categories").size(), 2U);
}

TEST_F(SegmentFilesTest, InstancesAreCocoResults) {
    save_segments(instance_report(), picture_, "cat.png", {"", folder_ / "i.json", ""});
    Json const file = json("i.json");
    ASSERT_EQ(file.size(), 2U);
    EXPECT_EQ(file.at(0).at("image_id"), "cat");
    EXPECT_EQ(file.at(0).at("category_id"), 17);
    EXPECT_EQ(file.at(0).at("segmentation").at("size"), Json({30, 40}));
    EXPECT_EQ(file.at(0).at("segmentation").at("counts"), coco_counts({0, 300, 900}));
    EXPECT_EQ(file.at(1).at("bbox"), Json({10, 0, 10, 30}));
}

TEST_F(SegmentFilesTest, NothingFoundIsAnEmptyListAndABlackPicture) {
    SegmentReport report = panoptic_report();
    report.segments.clear();
    std::ranges::fill(report.labels, std::uint16_t{0});
    EXPECT_TRUE(save_segments(report, picture_, "x.png", {folder_ / "p.png", folder_ / "p.json", folder_ / "o.png"}));
    EXPECT_EQ(json("p.json").at("annotations").at(0).at("segments_info"), Json::array());
    EXPECT_TRUE(std::ranges::equal(load_image(folder_ / "o.png").colour_bytes(), picture_.colour_bytes()));
    report = instance_report();
    report.segments.clear();
    save_segments(report, picture_, "x.png", {"", folder_ / "i.json", ""});
    EXPECT_EQ(json("i.json"), Json::array());
}

TEST_F(SegmentFilesTest, SemanticIsAPaletteOfClassNumbers) {
    SegmentReport report = panoptic_report();
    report.kind = Segmentation::semantic;
    std::ranges::replace(report.labels, std::uint16_t{300}, std::uint16_t{0});
    report.segments = {segment_of(0, 0, 0, 800, {0, 0, 40, 30}), segment_of(1, 1, 0, 400, {0, 0, 40, 10})};
    save_segments(report, picture_, "x.png", {folder_ / "s.png", folder_ / "s.json", ""});
    std::ifstream file(folder_ / "s.png", std::ios::binary);
    std::string const bytes{std::istreambuf_iterator<char>(file), {}};
    EXPECT_EQ(bytes[24], 8);  // bits
    EXPECT_EQ(bytes[25], 3);  // colour type: palette
    EXPECT_EQ(bytes.substr(37, 4), "PLTE");
    Image const shown = load_image(folder_ / "s.png");
    ASSERT_EQ(shown.channels(), 3);
    std::string const colour = bytes.substr(41 + 3, 3);  // of class 1
    for (int c = 0; c < 3; ++c) {
        EXPECT_EQ(shown.row<std::uint8_t>(0)[c], static_cast<std::uint8_t>(colour[static_cast<std::size_t>(c)]));
    }
    EXPECT_EQ(json("s.json").at("classes").at(1).at("name"), "cat");
    EXPECT_EQ(json("s.json").at("classes").at(1).at("label"), 1);
}

TEST_F(SegmentFilesTest, ManyClassesNeedSixteenBits) {
    SegmentReport report = panoptic_report();
    report.kind = Segmentation::semantic;
    report.classes.classes.resize(301);
    save_segments(report, picture_, "x.png", {folder_ / "s.png", "", ""});
    Image const labels = load_image(folder_ / "s.png");
    EXPECT_EQ(labels.type(), SampleType::u16);
    EXPECT_EQ(labels.row<std::uint16_t>(29)[0], 300);
}

TEST_F(SegmentFilesTest, AllAreWrittenOrNone) {
    SegmentReport const report = panoptic_report();
    EXPECT_THROW(save_segments(report, picture_, "x.png", {folder_ / "p.png", folder_ / "p.json", folder_ / "o.xyz"}),
                 Error);
    EXPECT_THROW(save_segments(report, picture_, "x.png", {folder_ / "p.png", folder_ / "missing/p.json", ""}), Error);
    EXPECT_THROW(save_segments(instance_report(), picture_, "x.png", {folder_ / "p.png", folder_ / "p.json", ""}),
                 Error);
    EXPECT_EQ(count(), 0U);
}

TEST_F(SegmentFilesTest, OverlayColoursSegmentsAndLeavesTheRest) {
    Image const overlay = draw_overlay(panoptic_report(), picture_);
    auto const is_black = [&](std::int64_t x, std::int64_t y) {
        auto const* const pixel = overlay.row<std::uint8_t>(y) + x * 3;
        return pixel[0] == 0 && pixel[1] == 0 && pixel[2] == 0;
    };
    EXPECT_FALSE(is_black(1, 5));
    EXPECT_TRUE(is_black(1, 15));
    EXPECT_FALSE(is_black(1, 25));
    EXPECT_FALSE(
        std::ranges::equal(std::span(overlay.row<std::uint8_t>(5), 3), std::span(overlay.row<std::uint8_t>(25), 3)));
}

TEST_F(SegmentFilesTest, OverlayShowsOnlySureInstances) {
    auto const brightness = [](Image const& overlay, std::int64_t x) {
        auto const* const pixel = overlay.row<std::uint8_t>(1) + x * 3;
        return pixel[0] + pixel[1] + pixel[2];
    };
    Image const sure = draw_overlay(instance_report(), picture_, 0.5);
    EXPECT_GT(brightness(sure, 1), 0);
    EXPECT_EQ(brightness(sure, 15), 0);
    EXPECT_GT(brightness(draw_overlay(instance_report(), picture_, 0.1), 15), 0);
}

TEST_F(SegmentFilesTest, OverlayNamesRegionsThatHaveRoom) {
    SegmentReport report = panoptic_report();
    report.width = 400;
    report.height = 300;
    report.labels.assign(400 * 300, 1);
    bool has_text = false;
    Image const overlay = draw_overlay(report, Image(400, 300, 3, SampleType::u8), 0.5, &has_text);
    if (!has_text) GTEST_SKIP() << "libvips without Pango";
    std::int64_t white = 0;
    for (std::byte const sample : overlay.colour_bytes()) white += sample == std::byte{255} ? 1 : 0;
    EXPECT_GT(white, 100);
}

TEST_F(SegmentFilesTest, OverlayOfAnotherPictureIsRefused) {
    EXPECT_THROW(static_cast<void>(draw_overlay(panoptic_report(), Image(41, 30, 3, SampleType::u8))), Error);
}

}  // namespace
}  // namespace vitrum
