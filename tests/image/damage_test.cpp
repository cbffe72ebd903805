// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <atomic>
#include <thread>

#include "pictures.h"

namespace vitrum::image_test {
namespace {

constexpr std::array kFormats{ImageFormat::png, ImageFormat::jpeg, ImageFormat::webp, ImageFormat::tiff,
                              ImageFormat::bmp, ImageFormat::pnm,  ImageFormat::pfm};

// Noise, so that no format can do without the bytes that are cut off.
Image noise(SampleType type) {
    Image image(64, 48, 3, type);
    std::uint32_t state = 1;
    visit_samples(type, [&]<class T>(T) {
        for (std::int64_t i = 0; i < 64 * 48 * 3; ++i) {
            state = state * 1664525 + 1013904223;
            image.row<T>(0)[i] = static_cast<T>(type == SampleType::f32 ? state >> 31 : state >> 24);
        }
    });
    return image;
}

TEST(Damage, FilesCutShortAreRefusedAndNeverHalfGrey) {
    for (ImageFormat const format : kFormats) {
        Bytes const file = encode_image(noise(SampleType::u8), format);
        for (double const share : {0.9, 0.5, 0.2, 0.02}) {
            auto const cut = std::span(file).first(static_cast<std::size_t>(share * static_cast<double>(file.size())));
            std::string const error = error_of([&] { (void)decode_image(cut, "cut"); });
            EXPECT_TRUE(error.starts_with("cut: ")) << name_of(format) << " at " << share << ": " << error;
        }
    }
}

TEST(Damage, NoFlippedByteCrashes) {
    for (ImageFormat const format : kFormats) {
        Bytes const file = encode_image(gradient(9, 7, 3, SampleType::u8), format);
        for (std::size_t at = 0; at < std::min<std::size_t>(file.size(), 700); ++at) {
            Bytes flipped = file;
            flipped[at] ^= std::byte{0xFF};
            (void)error_of([&] { (void)decode_image(flipped, "case", {.max_pixels = 1 << 20}); });
        }
    }
}

TEST(Damage, TooManyPixelsAreRefusedBeforeTheyAreDecoded) {
    for (ImageFormat const format : kFormats) {
        Bytes const file = encode_image(gradient(9, 7, 3, SampleType::u8), format);
        std::string const error = error_of([&] { (void)decode_image(file, "big", {.max_pixels = 62}); });
        EXPECT_NE(error.find("9x7 pixels are more than the limit of 62"), std::string::npos) << error;
        EXPECT_EQ(error_of([&] { (void)decode_image(file, "fits", {.max_pixels = 63}); }), "");
        EXPECT_NE(error_of([&] { (void)probe_image(file, "big", {.max_pixels = 62}); }), "");
    }
}

// A header of 30000x30000 over a few bytes: told by the file's length, or by the pixels that do not come.
TEST(Damage, LyingHeadersAreRefused) {
    Bytes png = encode_image(gradient(9, 7, 3, SampleType::u8), ImageFormat::png);
    png[18] = png[22] = std::byte{0x75};
    png[19] = png[23] = std::byte{0x30};
    EXPECT_NE(error_of([&] { (void)decode_image(png, "png"); }), "");
    Bytes jpeg = encode_image(gradient(9, 7, 3, SampleType::u8), ImageFormat::jpeg);
    auto const start_of_frame = from_hex("ffc0001108");
    auto const frame = std::search(jpeg.begin(), jpeg.end(), start_of_frame.begin(), start_of_frame.end()) + 5;
    frame[0] = frame[2] = std::byte{0x75};
    frame[1] = frame[3] = std::byte{0x30};
    EXPECT_NE(error_of([&] { (void)decode_image(jpeg, "jpeg"); }).find("30000x30000"), std::string::npos);
    EXPECT_NE(error_of([] { (void)decode_image(from_text("P6 30000 30000 255\nabc"), "pnm"); }), "");
    EXPECT_NE(error_of([] { (void)decode_image(from_text("P6 99999999999 1 255\nabc"), "pnm"); }), "");
    EXPECT_NE(error_of([] { (void)decode_image(from_text("P5 0 7 255\n"), "pnm"); }), "");
    EXPECT_NE(error_of([] { (void)decode_image(from_text("P5 1 1 0\nx"), "pnm"); }), "");
}

TEST(Damage, ThreadsDoNotDisturbOneAnother) {
    Image const image = gradient(40, 30, 3, SampleType::u8, true);
    Bytes const whole = encode_image(image, ImageFormat::png);
    std::atomic<int> right{0};
    auto const work = [&] {
        for (int i = 0; i < 20; ++i) {
            if (same_pixels(decode_image(whole, "whole"), image)) ++right;
            if (!error_of([&] { (void)decode_image(std::span(whole).first(200), "cut"); }).empty()) ++right;
        }
    };
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) threads.emplace_back(work);
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(right, 4 * 20 * 2);
}

}  // namespace
}  // namespace vitrum::image_test
