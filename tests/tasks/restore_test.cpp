// SPDX-License-Identifier: Apache-2.0
#include "vitrum/restore.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "networks.h"
#include "vitrum/error.h"

namespace vitrum {
namespace {

Image noise(std::int64_t width, std::int64_t height, int channels, SampleType type, bool alpha = false) {
    Image image(width, height, channels, type, alpha);
    std::mt19937 random(3);
    visit_samples(type, [&]<class T>(T) {
        T* const samples = image.row<T>(0);
        for (std::int64_t i = 0; i < width * height * channels; ++i) {
            if constexpr (std::is_same_v<T, float>) samples[i] = static_cast<float>(random() % 1000) / 999.0F;
            else samples[i] = static_cast<T>(random());
        }
    });
    return image;
}

template <class T>
void fill_alpha(Image& image, T value) {
    std::fill_n(image.alpha_row<T>(0), image.width() * image.height(), value);
}

bool same_colours(Image const& a, Image const& b) {
    return std::ranges::equal(a.colour_bytes(), b.colour_bytes());
}

ErrorKind kind_of_failure(Session& session, Image const& picture, RestoreOptions const& options = {}) {
    try {
        static_cast<void>(restore(session, picture, options));
    } catch (Error const& error) {
        return error.kind();
    }
    ADD_FAILURE() << "restore() threw nothing";
    return ErrorKind::failed;
}

TEST(Restore, IdentityKeepsEverySampleTypeExactly) {
    for (SampleType const type : {SampleType::u8, SampleType::u16, SampleType::f32}) {
        for (int const channels : {1, 3}) {
            Session session(make_engine({.channels = channels}));
            Image const picture = noise(37, 23, channels, type);
            EXPECT_TRUE(same_colours(restore(session, picture).image, picture)) << name_of(type) << channels;
        }
    }
}

TEST(Restore, ValueRangeOfTheNetworkIsMetAndUndone) {
    Session session(make_engine({.value_range = 255}));
    Image const picture = noise(37, 23, 3, SampleType::u8);
    EXPECT_TRUE(same_colours(restore(session, picture).image, picture));
}

TEST(Restore, TilesGiveWhatTheWholePictureGives) {
    for (int const scale : {1, 2, 3}) {
        ConvNetwork network = kBlur;
        network.scale = scale;
        Session session(make_engine(network));
        Image const picture = noise(203, 77, 3, SampleType::f32);
        RestoreReport const whole = restore(session, picture, {.tile = 0});
        RestoreReport const tiled = restore(session, picture, {.tile = 48});
        EXPECT_EQ(whole.tiles, 1);
        EXPECT_EQ(tiled.tiles, 10);
        EXPECT_LE(tiled.tile_width, 48);
        for (std::int64_t i = 0; i < whole.image.width() * whole.image.height() * 3; ++i) {
            ASSERT_NEAR(whole.image.row<float>(0)[i], tiled.image.row<float>(0)[i], 1e-6F) << scale << " at " << i;
        }
    }
}

TEST(Restore, AnyOverlapGivesWhatTheWholePictureGives) {
    Session session(make_engine(kBlur));
    Image const picture = noise(150, 130, 3, SampleType::u16);
    Image const whole = restore(session, picture, {.tile = 0}).image;
    for (int const overlap : {8, 16, 24}) {
        EXPECT_TRUE(same_colours(restore(session, picture, {.tile = 64, .tile_overlap = overlap}).image, whole))
            << overlap;
    }
}

TEST(Restore, GreyNetworkRestoresEachChannel) {
    ConvNetwork grey = kBlur, colour = kBlur;
    grey.channels = 1;
    grey.scale = colour.scale = 2;
    Session one(make_engine(grey)), three(make_engine(colour));
    Image const picture = noise(90, 70, 3, SampleType::u8);
    EXPECT_TRUE(same_colours(restore(one, picture).image, restore(three, picture).image));
    EXPECT_TRUE(same_colours(restore(one, picture, {.tile = 40}).image, restore(three, picture).image));
}

TEST(Restore, ColourNetworkGivesGreyFromGrey) {
    ConvNetwork grey = kBlur;
    grey.channels = 1;
    Session one(make_engine(grey)), three(make_engine(kBlur));
    Image const picture = noise(90, 70, 1, SampleType::u8);
    Image const result = restore(three, picture).image;
    EXPECT_EQ(result.channels(), 1);
    EXPECT_TRUE(same_colours(result, restore(one, picture).image));
}

TEST(Restore, AlphaIsEnlargedAndStaysOpaqueWhereItWas) {
    Session session(make_engine({.scale = 2}));
    Image picture = noise(40, 30, 3, SampleType::u16, true);
    fill_alpha<std::uint16_t>(picture, 65535);
    Image const result = restore(session, picture).image;
    ASSERT_TRUE(result.has_alpha());
    for (std::int64_t i = 0; i < 80 * 60; ++i) ASSERT_EQ(result.alpha_row<std::uint16_t>(0)[i], 65535);
}

TEST(Restore, TransparentPixelsDoNotTintTheirVisibleNeighbours) {
    // Red to the left, transparent black to the right: a blur would draw a dark fringe along the edge.
    Session session(make_engine(kBlur));
    Image picture(32, 32, 3, SampleType::u8, true);
    for (std::int64_t y = 0; y < 32; ++y) {
        for (std::int64_t x = 0; x < 16; ++x) {
            picture.row<std::uint8_t>(y)[x * 3] = 255;
            picture.alpha_row<std::uint8_t>(y)[x] = 255;
        }
    }
    Image const result = restore(session, picture).image;
    for (std::int64_t x = 2; x < 16; ++x) EXPECT_EQ(result.row<std::uint8_t>(16)[x * 3], 255) << x;
    EXPECT_EQ(result.alpha_row<std::uint8_t>(16)[15], 255);
    EXPECT_EQ(result.alpha_row<std::uint8_t>(16)[16], 0);
}

TEST(Restore, MetadataIsCarriedOver) {
    Session session(make_engine(kIdentity));
    Image picture = noise(16, 16, 3, SampleType::u8);
    picture.metadata.texts["exif-ifd0-Make"] = "Leica";
    EXPECT_EQ(restore(session, picture).image.metadata.texts.at("exif-ifd0-Make"), "Leica");
}

TEST(Restore, InfiniteOutputIsAnAccuracyError) {
    Session session(make_engine({.centre = 3e38F, .around = 3e38F}));
    EXPECT_EQ(kind_of_failure(session, noise(16, 16, 3, SampleType::u8)), ErrorKind::accuracy);
    EXPECT_EQ(kind_of_failure(session, noise(200, 200, 3, SampleType::f32), {.tile = 64}), ErrorKind::accuracy);
}

TEST(Restore, ProgressRisesToOne) {
    Session session(make_engine(kIdentity));
    std::vector<double> seen;
    auto const watch = [&](double fraction) {
        seen.push_back(fraction);
        return true;
    };
    static_cast<void>(restore(session, noise(200, 200, 3, SampleType::u8), {.tile = 64, .progress = watch}));
    EXPECT_LE(seen.front(), 1.0 / 16);
    EXPECT_DOUBLE_EQ(seen.back(), 1.0);
    EXPECT_TRUE(std::ranges::is_sorted(seen));
    EXPECT_GE(seen.size(), 16U);  // once per tile at least
}

TEST(Restore, ProgressCanCancel) {
    Session session(make_engine(kIdentity));
    auto const stop = [](double fraction) { return fraction < 0.5; };
    EXPECT_EQ(kind_of_failure(session, noise(200, 200, 3, SampleType::u8), {.tile = 64, .progress = stop}),
              ErrorKind::failed);
}

TEST(Restore, SenselessRequestsAreUsageErrors) {
    Session session(make_engine(kIdentity));
    Image const picture = noise(100, 100, 3, SampleType::u8);
    EXPECT_EQ(kind_of_failure(session, Image()), ErrorKind::usage);
    EXPECT_EQ(kind_of_failure(session, picture, {.tile = 8}), ErrorKind::usage);
    EXPECT_EQ(kind_of_failure(session, picture, {.tile = 64, .tile_overlap = 40}), ErrorKind::usage);
    Session spectral(make_engine({.channels = 2}));
    EXPECT_EQ(kind_of_failure(spectral, picture), ErrorKind::usage);
}

TEST(Restore, TilesThatWouldChangeTheResultAreRefusedUnlessAllowed) {
    Session session(make_engine({.mixes_whole_picture = true}));
    Image const picture = noise(200, 100, 3, SampleType::u8);
    EXPECT_EQ(kind_of_failure(session, picture, {.tile = 64}), ErrorKind::usage);
    EXPECT_EQ(restore(session, picture, {.tile = 256}).tiles, 1);  // no tile is needed
    EXPECT_GT(restore(session, picture, {.tile = 64, .approximate = true}).tiles, 8);
    EXPECT_EQ(kind_of_failure(session, picture, {.memory_bytes = 1}), ErrorKind::out_of_memory);
}

TEST(Restore, SinglePixelsAndLinesWork) {
    Session session(make_engine({.scale = 2}));
    for (auto const& [width, height] : {std::pair(1, 1), std::pair(1, 300), std::pair(300, 1), std::pair(3, 2)}) {
        Image const picture = noise(width, height, 3, SampleType::u8);
        EXPECT_EQ(restore(session, picture).image.width(), 2 * width);
        EXPECT_EQ(restore(session, picture, {.tile = 64}).image.height(), 2 * height);
    }
}

}  // namespace
}  // namespace vitrum
