// SPDX-License-Identifier: Apache-2.0
#include "pictures.h"

namespace vitrum::image_test {
namespace {

/// What passes for an ICC profile: a header, and a table of one tag whose content no loader looks into.
Bytes profile(std::string_view space) {
    Bytes bytes(400);
    for (std::size_t i = 144; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * i * 37 >> 3);
    std::ranges::copy(from_hex("00000190"), bytes.begin());
    bytes[8] = std::byte{2};
    std::ranges::copy(from_text("mntr"), bytes.begin() + 12);
    std::ranges::copy(from_text(space), bytes.begin() + 16);
    std::ranges::copy(from_text("XYZ "), bytes.begin() + 20);
    std::ranges::copy(from_text("acsp"), bytes.begin() + 36);
    std::ranges::copy(from_hex("0000f6d6000100000000d32d"), bytes.begin() + 68);
    std::ranges::copy(from_hex("00000001637072740000009000000100"), bytes.begin() + 128);
    return bytes;
}

class Kept : public testing::TestWithParam<std::pair<ImageFormat, ImageFormat>> {};

TEST_P(Kept, ProfileResolutionExifAndXmp) {
    auto const [first, second] = GetParam();
    Image image = gradient(12, 8, 3, SampleType::u8);
    image.metadata.dpi_x = image.metadata.dpi_y = 300;
    image.metadata.blocks["icc-profile-data"] = profile("RGB ");
    image.metadata.blocks["exif-data"] = exif_with_orientation(1);
    image.metadata.blocks["xmp-data"] = from_text("<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"/>");
    Image const once = decode_image(encode_image(image, first), "once");
    Image const twice = decode_image(encode_image(once, second), "twice");
    EXPECT_EQ(twice.metadata.blocks.at("icc-profile-data"), profile("RGB "));
    EXPECT_EQ(twice.metadata.blocks.at("xmp-data"), image.metadata.blocks.at("xmp-data"));
    EXPECT_EQ(twice.metadata.blocks.contains("exif-data"), second != ImageFormat::tiff);
    EXPECT_NEAR(twice.metadata.dpi_x, 300, 0.1);
    EXPECT_NEAR(twice.metadata.dpi_y, 300, 0.1);
}

INSTANTIATE_TEST_SUITE_P(
    Formats, Kept,
    testing::Values(std::pair(ImageFormat::png, ImageFormat::png), std::pair(ImageFormat::jpeg, ImageFormat::jpeg),
                    std::pair(ImageFormat::jpeg, ImageFormat::png), std::pair(ImageFormat::png, ImageFormat::jpeg),
                    std::pair(ImageFormat::webp, ImageFormat::webp), std::pair(ImageFormat::tiff, ImageFormat::tiff)));

TEST(Metadata, ProfileOfTheWrongChannelsIsLeftOutAndReported) {
    Image image = gradient(12, 8, 1, SampleType::u8);
    image.metadata.blocks["icc-profile-data"] = profile("RGB ");
    SaveReport report;
    Image const back = decode_image(encode_image(image, ImageFormat::png, {}, &report), "case");
    EXPECT_TRUE(report.metadata_dropped);
    EXPECT_TRUE(back.metadata.icc_profile().empty());
    image.metadata.blocks["icc-profile-data"] = profile("GRAY");
    (void)encode_image(image, ImageFormat::png, {}, &report);
    EXPECT_FALSE(report.metadata_dropped);
    (void)encode_image(image, ImageFormat::bmp, {}, &report);
    EXPECT_TRUE(report.metadata_dropped);
}

// libvips 8.14 adds an EXIF block with the resolution to every WebP.
TEST(Metadata, StrippedPicturesGetNoExifFromUs) {
    for (ImageFormat const format : {ImageFormat::png, ImageFormat::jpeg}) {
        Image const back = decode_image(encode_image(gradient(12, 8, 3, SampleType::u8), format), "case");
        EXPECT_TRUE(back.metadata.blocks.empty()) << name_of(format);
    }
}

// A picture of 3x2 whose samples count 1, 2, 3 / 4, 5, 6, as each orientation makes it upright.
struct Turn {
    int orientation;
    std::int64_t width;
    std::vector<std::uint8_t> upright;
};

class Orientation : public testing::TestWithParam<Turn> {};

TEST_P(Orientation, IsAppliedAndThenRecordedAsUpright) {
    auto const& [orientation, width, upright] = GetParam();
    Image image(3, 2, 1, SampleType::u8);
    std::ranges::copy(std::vector{1, 2, 3, 4, 5, 6}, image.row<std::uint8_t>(0));
    image.metadata.blocks["exif-data"] = exif_with_orientation(orientation);
    image.metadata.blocks["xmp-data"] =
        from_text("<x:xmpmeta tiff:Orientation=\"" + std::to_string(orientation) + "\"/>");
    Bytes const file = encode_image(image, ImageFormat::png);
    Image const loaded = decode_image(file, "loaded");
    EXPECT_EQ(loaded.width(), width);
    EXPECT_EQ(probe_image(file, "loaded").width, width);
    EXPECT_EQ(colours<std::uint8_t>(loaded), upright);
    EXPECT_EQ(loaded.metadata.blocks.at("xmp-data"), from_text("<x:xmpmeta tiff:Orientation=\"1\"/>"));
    for (ImageFormat const format : {ImageFormat::png, ImageFormat::jpeg, ImageFormat::webp}) {
        Image const again = decode_image(encode_image(loaded, format), "again");
        EXPECT_EQ(again.width(), width) << name_of(format);
        EXPECT_TRUE(again.metadata.blocks.contains("exif-data"));
    }
    EXPECT_TRUE(same_pixels(decode_image(encode_image(loaded, ImageFormat::png), "again"), loaded));
}

INSTANTIATE_TEST_SUITE_P(All, Orientation,
                         testing::Values(Turn{1, 3, {1, 2, 3, 4, 5, 6}}, Turn{2, 3, {3, 2, 1, 6, 5, 4}},
                                         Turn{3, 3, {6, 5, 4, 3, 2, 1}}, Turn{4, 3, {4, 5, 6, 1, 2, 3}},
                                         Turn{5, 2, {1, 4, 2, 5, 3, 6}}, Turn{6, 2, {4, 1, 5, 2, 6, 3}},
                                         Turn{7, 2, {6, 3, 5, 2, 4, 1}}, Turn{8, 2, {3, 6, 2, 5, 1, 4}}));

}  // namespace
}  // namespace vitrum::image_test
