// SPDX-License-Identifier: Apache-2.0
#include "files.h"
#include "pictures.h"

namespace vitrum::image_test {
namespace {

using U8 = std::vector<std::uint8_t>;
using U16 = std::vector<std::uint16_t>;

Image decode_hex(char const* digits) {
    return decode_image(from_hex(digits), "case");
}

TEST(Png, PaletteWithTransparencyBecomesRgbAndAlpha) {
    Image const image = decode_hex(kPalettePng);
    EXPECT_EQ(colours<std::uint8_t>(image), (U8{255, 0, 0, 0, 255, 0, 0, 0, 255}));
    EXPECT_EQ(alphas<std::uint8_t>(image), (U8{255, 128, 0}));
}

TEST(Png, OneBitBecomesEightBitGrey) {
    EXPECT_EQ(colours<std::uint8_t>(decode_hex(kOneBitPng)), (U8{0, 255, 0, 255, 255, 255, 0, 0, 255}));
}

TEST(Jpeg, CmykBecomesRed) {
    Image const image = decode_hex(kCmykJpeg);
    ASSERT_EQ(image.channels(), 3);
    EXPECT_FALSE(image.has_alpha());
    EXPECT_TRUE(image.metadata.icc_profile().empty());
    auto const* const pixel = image.row<std::uint8_t>(3);
    EXPECT_GT(pixel[0], 200);
    EXPECT_LT(pixel[1], 70);
    EXPECT_LT(pixel[2], 70);
}

TEST(Tiff, LabBecomesSrgb) {
    Image const image = decode_hex(kLabTiff);
    EXPECT_EQ(image.channels(), 3);
    EXPECT_NEAR(image.row<std::uint8_t>(0)[1], 119, 1);
    EXPECT_GT(image.row<std::uint8_t>(0)[3], 248);
}

TEST(Tiff, AssociatedAlphaBecomesStraight) {
    Image const image = decode_hex(kAssociatedTiff);
    EXPECT_NEAR(image.row<std::uint8_t>(0)[0], 100, 1);
    EXPECT_NEAR(image.row<std::uint8_t>(0)[1], 50, 1);
    EXPECT_EQ(alphas<std::uint8_t>(image), (U8{128, 0}));
    EXPECT_NEAR(decode_hex(kAssociated16Tiff).row<std::uint16_t>(0)[0], 40000, 2);
}

TEST(Tiff, OddKindsAreRefusedByName) {
    EXPECT_NE(error_of([] { (void)decode_hex(kFiveBandTiff); }).find("5 channels"), std::string::npos);
    EXPECT_NE(error_of([] { (void)decode_hex(kInt32Tiff); }).find("samples of type int"), std::string::npos);
}

TEST(Pnm, TextFormsAreRead) {
    EXPECT_EQ(colours<std::uint8_t>(decode_image(from_text("P1\n# a comment\n3 2\n1 0 1\n010"), "case")),
              (U8{0, 255, 0, 255, 0, 255}));
    EXPECT_EQ(colours<std::uint8_t>(decode_image(from_text("P2 2 1 15 0 15"), "case")), (U8{0, 255}));
    EXPECT_EQ(colours<std::uint16_t>(decode_image(from_text("P3 1 1 1000 0 500 1000\n"), "case")),
              (U16{0, 32768, 65535}));
}

TEST(Pnm, BinaryFormsAreScaledToFullRange) {
    EXPECT_EQ(colours<std::uint8_t>(decode_image(from_text("P4\n9 1\n\x80\x7f"), "case")),
              (U8{0, 255, 255, 255, 255, 255, 255, 255, 255}));
    EXPECT_EQ(colours<std::uint8_t>(decode_image(from_text("P5 3 1 3\n\x01\x02\x03"), "case")), (U8{85, 170, 255}));
    EXPECT_EQ(colours<std::uint16_t>(decode_image(from_text("P5 1 1 1023\n\x03\xff"), "case")), (U16{65535}));
}

TEST(Pnm, PfmRunsFromTheBottomInEitherByteOrder) {
    using namespace std::string_view_literals;
    Image const big = decode_image(from_text("Pf\n1 2\n1.0\n\x3f\x80\0\0\x40\0\0\0"sv), "case");
    EXPECT_EQ(colours<float>(big), (std::vector<float>{2, 1}));
    Image const little = decode_image(from_text("Pf\n1 2\n-1.0\n\0\0\x80\x3f\0\0\0\x40"sv), "case");
    EXPECT_EQ(colours<float>(little), (std::vector<float>{2, 1}));
}

// A BMP of a 40-byte header; `rest` is the palette, masks and pixels, `pixels_at` counts from the file's start.
Bytes bmp(char const* pixels_at, char const* size, char const* bits_and_compression, char const* rest) {
    return from_hex(std::string("424d0000000000000000") + pixels_at + "28000000" + size + "0100" +
                    bits_and_compression + "00000000" + "130b0000130b0000" + "0000000000000000" + rest);
}

TEST(Bmp, TopDownBitfieldsAreRead) {
    // 2x-1, 16 bits, 5-6-5: pure red, pure blue.
    Image const image = decode_image(bmp("42000000", "02000000ffffffff", "100003000000",
                                         "00f80000"
                                         "e0070000"
                                         "1f000000"
                                         "00f81f00"),
                                     "case");
    EXPECT_EQ(colours<std::uint8_t>(image), (U8{255, 0, 0, 0, 0, 255}));
    EXPECT_NEAR(image.metadata.dpi_x, 72, 0.1);
}

TEST(Bmp, RunLengthsAreRead) {
    // 4x2, 8 bits, two palette entries (black, white), the pixels at 54 + 8: bottom row 3 white and the end of the
    // row; top row a literal of 3 (white, black, white), padding, the end.
    Bytes file = bmp("3e000000", "0400000002000000", "080001000000",
                     "00000000"
                     "ffffff00"
                     "03010000"
                     "0003010001000001");
    file[46] = std::byte{2};
    EXPECT_EQ(colours<std::uint8_t>(decode_image(file, "case")), (U8{255, 0, 255, 0, 255, 255, 255, 0}));
}

TEST(Bmp, FourBitsAndPaddingAlphaAreRead) {
    Bytes four = bmp("3e000000", "0300000001000000", "040000000000",
                     "00000000"
                     "0000ff00"
                     "01100000");
    four[46] = std::byte{2};
    EXPECT_EQ(colours<std::uint8_t>(decode_image(four, "case")), (U8{0, 0, 0, 255, 0, 0, 255, 0, 0}));
    Image const plain = decode_image(bmp("36000000", "0100000001000000", "200000000000", "01020300"), "case");
    EXPECT_FALSE(plain.has_alpha());
    EXPECT_EQ(colours<std::uint8_t>(plain), (U8{3, 2, 1}));
}

TEST(Sniff, NamesWhatIsNotRead) {
    EXPECT_NE(error_of([] { (void)decode_image(from_text("GIF89a......"), "a.png"); }).find("a.png: a GIF"),
              std::string::npos);
    EXPECT_NE(error_of([] { (void)decode_image(from_text("%PDF-1.4"), "b"); }).find("PDF"), std::string::npos);
    EXPECT_NE(error_of([] { (void)decode_image({}, "c"); }).find("empty"), std::string::npos);
    EXPECT_NE(error_of([] { (void)decode_image(from_text("hello"), "d"); }).find("not a picture"), std::string::npos);
}

}  // namespace
}  // namespace vitrum::image_test
