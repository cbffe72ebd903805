// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "pictures.h"

namespace vitrum::image_test {
namespace {

struct Case {
    ImageFormat format;
    int channels;
    SampleType type;
    bool alpha;
    bool exact;  // comes back bit for bit
};

class RoundTrip : public testing::TestWithParam<Case> {};

TEST_P(RoundTrip, KeepsKindAndPixels) {
    auto const [format, channels, type, alpha, exact] = GetParam();
    Image const image = gradient(13, 5, channels, type, alpha);
    SaveReport report;
    Bytes const file = encode_image(image, format, {.lossless = true}, &report);
    Image const back = decode_image(file, "case");
    ImageInfo const info = probe_image(file, "case");
    EXPECT_EQ(info.format, format);
    EXPECT_EQ(info.width, 13);
    EXPECT_EQ(info.height, 5);
    EXPECT_EQ(info.channels, back.channels());
    EXPECT_EQ(info.type, back.type());
    EXPECT_EQ(info.has_alpha, back.has_alpha());
    if (exact) {
        EXPECT_TRUE(same_pixels(image, back));
        EXPECT_FALSE(report.alpha_flattened || report.depth_reduced || report.metadata_dropped);
    } else {
        EXPECT_EQ(back.type(), SampleType::u8);
    }
}

constexpr auto u8 = SampleType::u8;
constexpr auto u16 = SampleType::u16;
constexpr auto f32 = SampleType::f32;

INSTANTIATE_TEST_SUITE_P(
    Formats, RoundTrip,
    testing::Values(Case{ImageFormat::png, 1, u8, false, true}, Case{ImageFormat::png, 1, u8, true, true},
                    Case{ImageFormat::png, 3, u8, false, true}, Case{ImageFormat::png, 3, u8, true, true},
                    Case{ImageFormat::png, 1, u16, false, true}, Case{ImageFormat::png, 1, u16, true, true},
                    Case{ImageFormat::png, 3, u16, false, true}, Case{ImageFormat::png, 3, u16, true, true},
                    Case{ImageFormat::tiff, 1, u8, false, true}, Case{ImageFormat::tiff, 1, u8, true, true},
                    Case{ImageFormat::tiff, 3, u8, false, true}, Case{ImageFormat::tiff, 3, u8, true, true},
                    Case{ImageFormat::tiff, 1, u16, false, true}, Case{ImageFormat::tiff, 1, u16, true, true},
                    Case{ImageFormat::tiff, 3, u16, false, true}, Case{ImageFormat::tiff, 3, u16, true, true},
                    Case{ImageFormat::tiff, 1, f32, false, true}, Case{ImageFormat::tiff, 1, f32, true, true},
                    Case{ImageFormat::tiff, 3, f32, false, true}, Case{ImageFormat::tiff, 3, f32, true, true},
                    Case{ImageFormat::webp, 3, u8, false, true}, Case{ImageFormat::webp, 3, u16, false, false},
                    Case{ImageFormat::jpeg, 1, u8, false, false}, Case{ImageFormat::jpeg, 3, u8, true, false},
                    Case{ImageFormat::jpeg, 3, f32, false, false}, Case{ImageFormat::bmp, 1, u8, false, true},
                    Case{ImageFormat::bmp, 3, u8, false, true}, Case{ImageFormat::bmp, 3, u16, true, false},
                    Case{ImageFormat::pnm, 1, u8, false, true}, Case{ImageFormat::pnm, 3, u8, false, true},
                    Case{ImageFormat::pnm, 1, u16, false, true}, Case{ImageFormat::pnm, 3, u16, false, true},
                    Case{ImageFormat::pfm, 1, f32, false, true}, Case{ImageFormat::pfm, 3, f32, false, true}));

TEST(Formats, WebpKeepsVisibleColourAndAlpha) {
    Image image = gradient(13, 5, 3, u8, true);
    Image const back = decode_image(encode_image(image, ImageFormat::webp, {.lossless = true}), "case");
    EXPECT_EQ(alphas<std::uint8_t>(back), alphas<std::uint8_t>(image));
    for (std::size_t i = 0; i < colours<std::uint8_t>(image).size(); ++i) {
        if (alphas<std::uint8_t>(image)[i / 3] > 0) {
            EXPECT_EQ(colours<std::uint8_t>(back)[i], colours<std::uint8_t>(image)[i]);
        }
    }
}

TEST(Formats, JpegIsCloseToThePicture) {
    Image const image = gradient(64, 48, 3, u8);
    Image const back = decode_image(encode_image(image, ImageFormat::jpeg), "case");
    ASSERT_EQ(back.channels(), 3);
    for (std::size_t i = 0; i < image.colour_bytes().size(); ++i) {
        EXPECT_NEAR(colours<std::uint8_t>(back)[i], colours<std::uint8_t>(image)[i], 12);
    }
}

TEST(Formats, FloatKeepsItsRangeInTiffAndPfm) {
    Image image(2, 2, 1, f32);
    std::ranges::copy(std::vector{-0.5F, 0.25F, 1.0F, 40.0F}, image.row<float>(0));
    for (ImageFormat const format : {ImageFormat::tiff, ImageFormat::pfm}) {
        EXPECT_TRUE(same_pixels(decode_image(encode_image(image, format), "case"), image)) << name_of(format);
    }
}

TEST(Formats, FloatGoesIntoPngWith16BitsClampedAndRounded) {
    Image image(4, 1, 1, f32);
    std::ranges::copy(std::vector{-0.5F, 0.5F, 1.0F, 40.0F}, image.row<float>(0));
    SaveReport report;
    Image const back = decode_image(encode_image(image, ImageFormat::png, {}, &report), "case");
    EXPECT_EQ(colours<std::uint16_t>(back), (std::vector<std::uint16_t>{0, 32768, 65535, 65535}));
    EXPECT_TRUE(report.depth_reduced);
}

TEST(Formats, AlphaIsComposedOverWhiteWhereTheFormatHasNone) {
    Image image(3, 1, 1, u8, true);
    std::ranges::copy(std::vector{100, 100, 100}, image.row<std::uint8_t>(0));
    std::ranges::copy(std::vector{255, 0, 51}, image.alpha_row<std::uint8_t>(0));
    SaveReport report;
    Image const back = decode_image(encode_image(image, ImageFormat::bmp, {}, &report), "case");
    EXPECT_EQ(colours<std::uint8_t>(back), (std::vector<std::uint8_t>{100, 255, 224}));
    EXPECT_TRUE(report.alpha_flattened);
    EXPECT_TRUE(image.has_alpha());
}

TEST(Formats, ThinPicturesPass) {
    for (ImageFormat const format : {ImageFormat::png, ImageFormat::jpeg, ImageFormat::tiff, ImageFormat::bmp}) {
        for (auto const& image : {gradient(60000, 1, 3, u8), gradient(1, 60000, 3, u8)}) {
            Image const back = decode_image(encode_image(image, format), "case");
            EXPECT_EQ(back.width(), image.width()) << name_of(format);
            EXPECT_EQ(back.height(), image.height()) << name_of(format);
        }
    }
}

}  // namespace
}  // namespace vitrum::image_test
