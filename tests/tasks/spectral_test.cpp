// SPDX-License-Identifier: Apache-2.0
#include "vitrum/spectral.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>

#include "networks.h"
#include "vitrum/error.h"

namespace vitrum {
namespace {

Image noise(std::int64_t width, std::int64_t height, int channels, SampleType type, bool alpha = false) {
    Image image(width, height, channels, type, alpha);
    std::mt19937 random(3);
    visit_samples(type, [&]<class T>(T) {
        for (std::int64_t i = 0; i < width * height * channels; ++i) {
            // A range that neither begins at black nor ends at white.
            auto const share = 0.2 + 0.5 * static_cast<double>(random() % 1000) / 999;
            if constexpr (std::is_same_v<T, float>) image.row<T>(0)[i] = static_cast<float>(share);
            else image.row<T>(0)[i] = static_cast<T>(share * (sizeof(T) == 1 ? 255 : 65535));
        }
    });
    return image;
}

ErrorKind kind_of_failure(Session& session, Image const& picture, SpectralOptions const& options = {}) {
    try {
        static_cast<void>(spectral(session, picture, options));
    } catch (Error const& error) {
        return error.kind();
    }
    ADD_FAILURE() << "spectral() threw nothing";
    return ErrorKind::failed;
}

/// What the tiny network makes of samples x, in double.
double expected(double mean, std::size_t band) {
    return mean * static_cast<double>(band + 1) / 31;
}

TEST(Spectral, SamplesAreNormalisedByThePicturesRangeLikeTheOriginal) {
    Session session(make_rgb_to_bands());
    for (SampleType const type : {SampleType::u8, SampleType::u16, SampleType::f32}) {
        Image const picture = noise(13, 7, 3, type);
        SpectralReport const report = spectral(session, picture);
        ASSERT_EQ(report.cube.bands(), 31);
        EXPECT_EQ(report.cube.wavelengths().front(), 400);
        EXPECT_EQ(report.cube.wavelengths().back(), 700);
        visit_samples(type, [&]<class T>(T) {
            T const* const x = picture.row<T>(0);
            auto const [low, high] = std::minmax_element(x, x + 13 * 7 * 3);
            for (std::int64_t i = 0; i < 13 * 7; ++i) {
                double mean = 0;
                for (int c = 0; c < 3; ++c) mean += (x[i * 3 + c] - *low) / (static_cast<double>(*high) - *low) / 3;
                auto const spectrum = report.cube.at(i % 13, i / 13);
                for (std::size_t b = 0; b < 31; ++b) ASSERT_NEAR(spectrum[b], expected(mean, b), 1e-6);
            }
        });
    }
}

TEST(Spectral, WithoutNormalisationWhiteIsOne) {
    Session session(make_rgb_to_bands());
    Image picture(4, 4, 3, SampleType::u16);
    std::fill_n(picture.row<std::uint16_t>(0), 48, std::uint16_t{65535});
    SpectralReport const report = spectral(session, picture, {.normalisation = Normalisation::none});
    EXPECT_NEAR(report.cube.at(2, 1)[30], 1.0F, 1e-6);
    EXPECT_EQ(kind_of_failure(session, picture), ErrorKind::usage);  // all samples alike: no range
}

TEST(Spectral, ValuesAreClippedUnlessAskedNotTo) {
    Session session(make_rgb_to_bands(3.0F));
    Image const picture = noise(20, 20, 3, SampleType::f32);
    SpectralReport const clipped = spectral(session, picture), raw = spectral(session, picture, {.clip = false});
    EXPECT_EQ(*std::ranges::max_element(clipped.cube.values()), 1.0F);
    EXPECT_GT(*std::ranges::max_element(raw.cube.values()), 1.5F);
    EXPECT_GT(clipped.clipped, 0);
}

TEST(Spectral, AlphaIsIgnoredAndSaidSo) {
    Session session(make_rgb_to_bands());
    Image picture = noise(9, 9, 3, SampleType::u8, true);
    SpectralReport const with = spectral(session, picture);
    picture.drop_alpha();
    SpectralReport const without = spectral(session, picture);
    EXPECT_TRUE(with.alpha_ignored);
    EXPECT_FALSE(without.alpha_ignored);
    EXPECT_TRUE(std::ranges::equal(with.cube.values(), without.cube.values()));
}

TEST(Spectral, GreyPicturesAndOtherNetworksAreRefused) {
    Session session(make_rgb_to_bands()), restoring(make_engine(kIdentity)), snapshot(make_snapshot_network());
    EXPECT_EQ(kind_of_failure(session, noise(9, 9, 1, SampleType::u8)), ErrorKind::usage);
    EXPECT_EQ(kind_of_failure(session, Image()), ErrorKind::usage);
    EXPECT_EQ(kind_of_failure(restoring, noise(9, 9, 3, SampleType::u8)), ErrorKind::usage);
    EXPECT_EQ(kind_of_failure(snapshot, noise(9, 9, 3, SampleType::u8)), ErrorKind::usage);
}

TEST(Spectral, NaNGoesInOrOutWithAnError) {
    Session session(make_rgb_to_bands()), overflowing(make_rgb_to_bands(std::numeric_limits<float>::max()));
    Image picture = noise(9, 9, 3, SampleType::f32);
    picture.row<float>(0)[5] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_EQ(kind_of_failure(session, picture), ErrorKind::failed);
    picture.row<float>(0)[5] = 3e5F;
    EXPECT_EQ(kind_of_failure(overflowing, picture, {.normalisation = Normalisation::none}), ErrorKind::accuracy);
}

TEST(Spectral, TilesNeedLeaveWhereTheyChangeTheResult) {
    Image const picture = noise(150, 90, 3, SampleType::u8);
    Session mixing(make_rgb_to_bands(1, true)), local(make_rgb_to_bands());
    EXPECT_EQ(kind_of_failure(mixing, picture, {.tile = 64}), ErrorKind::usage);
    EXPECT_EQ(kind_of_failure(mixing, picture, {.memory_bytes = 1}), ErrorKind::out_of_memory);
    SpectralReport const whole = spectral(mixing, picture);
    SpectralReport const approximate = spectral(mixing, picture, {.approximate = true, .tile = 64});
    SpectralReport const tiled = spectral(local, picture, {.tile = 64});
    EXPECT_EQ(whole.tiles, 1);
    EXPECT_GT(approximate.tiles, tiled.tiles);  // more overlap, to hide the seams
    EXPECT_GT(tiled.tiles, 1);
    for (std::size_t i = 0; i < whole.cube.values().size(); ++i) {
        ASSERT_NEAR(tiled.cube.values()[i], whole.cube.values()[i], 1e-6) << i;  // a network of one pixel
    }
}

TEST(Spectral, ProgressIsToldAndCanCancel) {
    Session session(make_rgb_to_bands());
    double last = 0;
    static_cast<void>(spectral(session, noise(20, 20, 3, SampleType::u8), {.progress = [&](double fraction) {
                                   last = fraction;
                                   return true;
                               }}));
    EXPECT_DOUBLE_EQ(last, 1.0);
    EXPECT_EQ(kind_of_failure(session, noise(20, 20, 3, SampleType::u8), {.progress = [](double) { return false; }}),
              ErrorKind::failed);
}

}  // namespace
}  // namespace vitrum
