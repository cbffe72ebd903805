// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "vitrum/error.h"
#include "vitrum/measure.h"

namespace vitrum {
namespace {

Image noise(std::int64_t width, std::int64_t height, int channels, unsigned seed) {
    Image image(width, height, channels, SampleType::u8);
    std::mt19937 random(seed);
    for (std::byte& sample : image.colour_bytes()) sample = static_cast<std::byte>(random() % 200);
    return image;
}

Image brighter(Image const& image, int by) {
    Image result = image.clone();
    for (std::byte& sample : result.colour_bytes()) sample = static_cast<std::byte>(static_cast<int>(sample) + by);
    return result;
}

/// The formula of Wang et al. written down window by window, two-dimensional.
double ssim_by_definition(Image const& a, Image const& b) {
    constexpr int n = 11;
    double kernel[n][n], total = 0;
    for (int y = 0; y < n; ++y) {
        for (int x = 0; x < n; ++x) total += kernel[y][x] = std::exp(-((y - 5) * (y - 5) + (x - 5) * (x - 5)) / 4.5);
    }
    double const c1 = 6.5025, c2 = 58.5225;
    double sum = 0, windows = 0;
    for (std::int64_t top = 0; top + n <= a.height(); ++top) {
        for (std::int64_t left = 0; left + n <= a.width(); ++left, ++windows) {
            double ma = 0, mb = 0, va = 0, vb = 0, covariance = 0;
            auto const each = [&](auto const& body) {
                for (int y = 0; y < n; ++y) {
                    for (int x = 0; x < n; ++x) {
                        body(kernel[y][x] / total, a.row<std::uint8_t>(top + y)[left + x],
                             b.row<std::uint8_t>(top + y)[left + x]);
                    }
                }
            };
            each([&](double w, double pa, double pb) { ma += w * pa, mb += w * pb; });
            each([&](double w, double pa, double pb) {
                va += w * (pa - ma) * (pa - ma);
                vb += w * (pb - mb) * (pb - mb);
                covariance += w * (pa - ma) * (pb - mb);
            });
            sum += (2 * ma * mb + c1) * (2 * covariance + c2) / ((ma * ma + mb * mb + c1) * (va + vb + c2));
        }
    }
    return sum / windows;
}

TEST(PictureQuality, EqualPicturesAreInfinitelyGood) {
    Image const picture = noise(20, 16, 3, 1);
    PictureQuality const quality = compare_pictures(picture, picture, 2);
    EXPECT_TRUE(std::isinf(quality.psnr_y_db));
    EXPECT_TRUE(std::isinf(quality.psnr_rgb_db));
    EXPECT_NEAR(quality.ssim_y, 1.0, 1e-12);
}

TEST(PictureQuality, OneLevelApartIsAKnownNumberOfDecibels) {
    Image const picture = noise(20, 16, 3, 1);
    PictureQuality const quality = compare_pictures(picture, brighter(picture, 1), 0);
    EXPECT_NEAR(quality.psnr_rgb_db, 20 * std::log10(255.0), 1e-9);
    // Y of BT.601 spans 219 levels where RGB spans 255; it is not rounded.
    EXPECT_NEAR(quality.psnr_y_db, 20 * std::log10(255.0 * 255.0 / (65.481 + 128.553 + 24.966)), 1e-9);
}

TEST(PictureQuality, GreyIsMeasuredOnItsOwnValues) {
    Image const picture = noise(20, 16, 1, 1);
    PictureQuality const quality = compare_pictures(picture, brighter(picture, 2), 0);
    EXPECT_NEAR(quality.psnr_y_db, 20 * std::log10(255.0 / 2), 1e-9);
    EXPECT_NEAR(quality.psnr_rgb_db, quality.psnr_y_db, 1e-9);
}

TEST(PictureQuality, TheBorderDoesNotCount) {
    Image const picture = noise(20, 16, 3, 1);
    Image framed = picture.clone();
    for (std::int64_t x = 0; x < 20 * 3; ++x) framed.row<std::uint8_t>(0)[x] = framed.row<std::uint8_t>(15)[x] = 255;
    for (std::int64_t y = 0; y < 16; ++y) framed.row<std::uint8_t>(y)[0] = framed.row<std::uint8_t>(y)[59] = 255;
    EXPECT_TRUE(std::isinf(compare_pictures(picture, framed, 1).psnr_rgb_db));
    EXPECT_FALSE(std::isinf(compare_pictures(picture, framed, 0).psnr_rgb_db));
}

TEST(PictureQuality, SsimIsWhatThePaperDefines) {
    Image const a = noise(19, 15, 1, 1), b = noise(19, 15, 1, 2);
    EXPECT_NEAR(compare_pictures(a, b, 0).ssim_y, ssim_by_definition(a, b), 1e-9);
    EXPECT_NEAR(compare_pictures(a, brighter(a, 9), 0).ssim_y, ssim_by_definition(a, brighter(a, 9)), 1e-9);
}

TEST(PictureQuality, DifferentOrTinySizesAreErrors) {
    EXPECT_THROW(static_cast<void>(compare_pictures(noise(20, 16, 3, 1), noise(16, 20, 3, 1), 0)), Error);
    EXPECT_THROW(static_cast<void>(compare_pictures(noise(14, 14, 3, 1), noise(14, 14, 3, 1), 2)), Error);
}

}  // namespace
}  // namespace vitrum
