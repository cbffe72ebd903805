// SPDX-License-Identifier: Apache-2.0
#include "image/convert.h"

#include <cmath>
#include <limits>
#include <random>

#include "pictures.h"

namespace vitrum::image_test {
namespace {

using U8 = std::vector<std::uint8_t>;

TEST(ColourToFloat, ReadsARegionWithAStride) {
    Image const image = gradient(6, 4, 3, SampleType::u8);
    std::vector<float> floats(2 * 3 * 4, -1);
    colour_to_float(image, {1, 2, 3, 2}, 3, 4, floats.data());
    for (std::int64_t y = 0; y < 2; ++y) {
        for (std::int64_t x = 0; x < 3; ++x) {
            for (int c = 0; c < 3; ++c) {
                EXPECT_EQ(floats[(y * 3 + x) * 4 + c],
                          static_cast<float>(image.row<std::uint8_t>(2 + y)[(1 + x) * 3 + c]) / 255.0F);
            }
            EXPECT_EQ(floats[(y * 3 + x) * 4 + 3], -1);
        }
    }
}

TEST(ColourToFloat, RepeatsGreyAndWeighsRgb) {
    Image grey(1, 1, 1, SampleType::u16);
    grey.row<std::uint16_t>(0)[0] = 65535;
    std::array<float, 3> rgb{};
    colour_to_float(grey, whole(grey), 3, 3, rgb.data());
    EXPECT_EQ(rgb, (std::array<float, 3>{1, 1, 1}));
    Image colour(1, 1, 3, SampleType::f32);
    std::ranges::copy(std::vector{1.0F, 0.5F, -2.0F}, colour.row<float>(0));
    float luma = 0;
    colour_to_float(colour, whole(colour), 1, 1, &luma);
    EXPECT_NEAR(luma, 0.299 + 0.587 * 0.5 - 0.114 * 2, 1e-6);
}

TEST(ColourFromFloat, EverySampleSurvivesTheWayThereAndBack) {
    for (SampleType const type : {SampleType::u8, SampleType::u16, SampleType::f32}) {
        Image const image = gradient(300, 300, 1, type);
        std::vector<float> floats(300 * 300);
        colour_to_float(image, whole(image), 1, 1, floats.data());
        Image back(300, 300, 1, type);
        EXPECT_EQ(colour_from_float(floats.data(), 1, whole(back), back), 0);
        EXPECT_TRUE(same_pixels(image, back)) << name_of(type);
    }
}

TEST(ColourFromFloat, ClampsRoundsHalfUpAndCountsWhatIsNotFinite) {
    float const nan = std::numeric_limits<float>::quiet_NaN();
    float const infinity = std::numeric_limits<float>::infinity();
    std::vector<float> const floats{-1, 2, 0.5F / 255, 0.4F / 255, nan, infinity, -infinity, 127.5F / 255, 1};
    Image image(3, 1, 3, SampleType::u8);
    EXPECT_EQ(colour_from_float(floats.data(), 3, whole(image), image), 3);
    EXPECT_EQ(colours<std::uint8_t>(image), (U8{0, 255, 1, 0, 0, 0, 0, 128, 255}));
    Image kept(3, 1, 3, SampleType::f32);
    EXPECT_EQ(colour_from_float(floats.data(), 3, whole(kept), kept), 3);
    EXPECT_TRUE(std::isnan(kept.row<float>(0)[4]));
    EXPECT_EQ(kept.row<float>(0)[1], 2);
}

/// Rows are converted in vectors, single pixels and the ends of rows one by one.
TEST(ColourFromFloat, GivesTheSameInVectorsAsOneByOne) {
    std::vector<float> floats;
    std::mt19937 random(3);
    for (int i = 0; i < 3000; ++i) floats.push_back(static_cast<float>(random() % 140000) / 65535 / 2 - 0.03F);
    for (std::size_t i = 0; i < floats.size(); i += 7) floats[i] = (static_cast<float>(i % 256) + 0.5F) / 255;
    for (std::size_t i = 3; i < floats.size(); i += 61) floats[i] = std::numeric_limits<float>::quiet_NaN();
    for (std::size_t i = 5; i < floats.size(); i += 97) floats[i] = -std::numeric_limits<float>::infinity();
    for (std::size_t i = 8; i < floats.size(); i += 89) floats[i] = std::numeric_limits<float>::max();
    for (SampleType const type : {SampleType::u8, SampleType::u16, SampleType::f32}) {
        Image rows(1000, 1, 3, type), pixels(1000, 1, 3, type);
        std::int64_t const in_rows = colour_from_float(floats.data(), 3, whole(rows), rows);
        std::int64_t in_pixels = 0;
        for (std::int64_t x = 0; x < 1000; ++x) {
            in_pixels += colour_from_float(floats.data() + 3 * x, 3, {x, 0, 1, 1}, pixels);
        }
        EXPECT_EQ(in_rows, in_pixels);
        EXPECT_GT(in_rows, 50);
        EXPECT_TRUE(std::ranges::equal(rows.colour_bytes(), pixels.colour_bytes())) << name_of(type);
    }
}

TEST(ColourToFloat, GivesTheSameWithAndWithoutPaddingBetweenPixels) {
    for (SampleType const type : {SampleType::u8, SampleType::u16, SampleType::f32}) {
        Image const image = gradient(90, 70, 3, type);
        std::vector<float> packed(90 * 70 * 3), padded(90 * 70 * 4, -1.0F);
        colour_to_float(image, whole(image), 3, 3, packed.data());
        colour_to_float(image, whole(image), 3, 4, padded.data());
        for (std::size_t pixel = 0; pixel < 90 * 70; ++pixel) {
            for (std::size_t c = 0; c < 3; ++c) ASSERT_EQ(packed[pixel * 3 + c], padded[pixel * 4 + c]);
        }
    }
}

TEST(ConvertSamples, FullScaleMeetsFullScale) {
    Image const image = gradient(16, 16, 1, SampleType::u8, true);
    for (SampleType const type : {SampleType::u16, SampleType::f32}) {
        Image const wide = convert_samples(image, type);
        EXPECT_TRUE(same_pixels(convert_samples(wide, SampleType::u8), image)) << name_of(type);
    }
    EXPECT_EQ(convert_samples(image, SampleType::u16).row<std::uint16_t>(15)[15], 65535);
    EXPECT_EQ(convert_samples(image, SampleType::f32).row<float>(15)[15], 1.0F);
}

TEST(ConvertChannels, GreyAndBack) {
    Image const grey = gradient(5, 5, 1, SampleType::u8, true);
    Image const rgb = convert_channels(grey, 3);
    EXPECT_EQ(rgb.channels(), 3);
    EXPECT_TRUE(same_pixels(convert_channels(rgb, 1), grey));
}

// Left half visible and red, right half invisible and of a colour that must not leak.
TEST(Bleed, InvisiblePixelsTakeTheColourOfTheVisibleOnes) {
    for (SampleType const type : {SampleType::u8, SampleType::u16, SampleType::f32}) {
        visit_samples(type, [&]<class T>(T) {
            Image image(16, 9, 3, type, true);
            for (std::int64_t i = 0; i < 16 * 9; ++i) {
                bool const visible = i % 16 < 5;
                image.row<T>(0)[i * 3 + (visible ? 0 : 2)] = T{1};
                image.alpha_row<T>(0)[i] = visible ? T{1} : T{0};
            }
            Image const before = image.clone();
            bleed_colour_under_alpha(image);
            for (std::int64_t i = 0; i < 16 * 9; ++i) {
                EXPECT_EQ(image.row<T>(0)[i * 3], T{1});
                EXPECT_EQ(image.row<T>(0)[i * 3 + 2], T{0});
            }
            EXPECT_TRUE(std::ranges::equal(image.alpha_bytes(), before.alpha_bytes()));
        });
    }
}

TEST(Bleed, LeavesWhollyVisibleAndWhollyInvisiblePicturesAlone) {
    Image image = gradient(7, 3, 3, SampleType::u8, true);
    std::ranges::fill(image.alpha_bytes(), std::byte{0});
    Image const before = image.clone();
    bleed_colour_under_alpha(image);
    EXPECT_TRUE(same_pixels(image, before));
    std::ranges::fill(image.alpha_bytes(), std::byte{1});
    bleed_colour_under_alpha(image);
    EXPECT_TRUE(std::ranges::equal(image.colour_bytes(), before.colour_bytes()));
}

}  // namespace
}  // namespace vitrum::image_test
