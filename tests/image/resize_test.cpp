// SPDX-License-Identifier: Apache-2.0
#include "pictures.h"

namespace vitrum::image_test {
namespace {

TEST(Resize, KeepsAFlatPictureAndTheSameSizeExactly) {
    for (SampleType const type : {SampleType::u8, SampleType::u16}) {
        Image image(5, 4, 3, type, true);
        std::ranges::fill(image.colour_bytes(), std::byte{0x77});
        std::ranges::fill(image.alpha_bytes(), std::byte{0xFF});
        Image const larger = resize_bicubic(image, 17, 9);
        EXPECT_TRUE(std::ranges::all_of(larger.colour_bytes(), [](std::byte b) { return b == std::byte{0x77}; }));
        EXPECT_TRUE(std::ranges::all_of(larger.alpha_bytes(), [](std::byte b) { return b == std::byte{0xFF}; }));
        Image const same = gradient(7, 5, 3, type, true);
        EXPECT_TRUE(same_pixels(resize_bicubic(same, 7, 5), same));
    }
}

// imresize([0 100], [1 4], 'bicubic') by its definition, worked by hand.
TEST(Resize, AgreesWithImresize) {
    Image row(2, 1, 1, SampleType::f32);
    std::ranges::copy(std::vector{0.0F, 100.0F}, row.row<float>(0));
    Image const twice = resize_bicubic(row, 4, 1);
    // The taps lie 1.75, 0.75, 0.25, 1.25 from the first centre; its edge is mirrored.
    std::vector<float> const expected{-9.375F, 20.3125F, 79.6875F, 109.375F};
    for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(colours<float>(twice)[i], expected[i], 1e-4);
}

TEST(Resize, ShrinkingDoesNotAlias) {
    Image stripes(64, 8, 1, SampleType::f32);
    for (std::int64_t i = 0; i < 64 * 8; ++i) stripes.row<float>(0)[i] = static_cast<float>(i % 2);
    Image const small = resize_bicubic(stripes, 16, 8);
    for (std::int64_t x = 2; x < 14; ++x) EXPECT_NEAR(small.row<float>(4)[x], 0.5, 0.001);
}

TEST(SideBySide, JoinsDifferentKinds) {
    Image const grey = gradient(3, 2, 1, SampleType::u8, true);
    Image const colour = gradient(2, 2, 3, SampleType::u16);
    Image const both = side_by_side(grey, colour, 1);
    EXPECT_EQ(both.width(), 6);
    EXPECT_EQ(both.channels(), 3);
    EXPECT_EQ(both.type(), SampleType::u16);
    EXPECT_FALSE(both.has_alpha());
    EXPECT_EQ(both.row<std::uint16_t>(1)[3 * 3], 65535);
    EXPECT_TRUE(
        std::equal(colour.row<std::uint16_t>(1), colour.row<std::uint16_t>(1) + 6, both.row<std::uint16_t>(1) + 4 * 3));
    EXPECT_NE(error_of([&] { (void)side_by_side(grey, gradient(3, 3, 1, SampleType::u8)); }), "");
}

}  // namespace
}  // namespace vitrum::image_test
