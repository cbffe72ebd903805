// SPDX-License-Identifier: Apache-2.0
// Tiles whose numbers leave the range of float16 are run again in a more exact precision.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <thread>

#include "fake_engine.h"
#include "networks.h"
#include "vitrum/error.h"
#include "vitrum/restore.h"
#include "vitrum/spectral.h"

namespace vitrum {
namespace {

/// Pixels of 0 … 1e5, of which the brighter third is more than float16 holds.
constexpr ConvNetwork kWide{.value_range = 1e5, .centre = 1};

/// Black, with bright columns at the right end.
Image bright_at_the_right(std::int64_t width, std::int64_t columns) {
    Image picture(width, 64, 3, SampleType::u8);
    for (std::int64_t y = 0; y < picture.height(); ++y) {
        auto* const row = picture.row<std::uint8_t>(y);
        std::fill(row + (width - columns) * 3, row + width * 3, std::uint8_t{250});
    }
    return picture;
}

Session rounding_session(Engine const& engine, test::FakeLog& log, Precision precision) {
    log.rounds = true;
    return Session(test::on_fake_device(engine, log, precision));
}

TEST(Rerun, TilesThatOverflowComeOutRight) {
    test::FakeLog log;
    Session session = rounding_session(make_engine(kWide), log, Precision::fp16);
    Image const picture = bright_at_the_right(256, 16);
    RestoreReport const report = restore(session, picture, {.tile = 64, .tile_overlap = 0});
    EXPECT_EQ(report.tiles, 4);
    EXPECT_EQ(report.reruns, (Reruns{1, 0})) << "three tiles are black";
    EXPECT_TRUE(std::ranges::equal(report.image.colour_bytes(), picture.colour_bytes()));

    EXPECT_EQ(restore(session, picture, {.tile = 0}).reruns, (Reruns{1, 0})) << "counts begin anew with each picture";
    EXPECT_EQ(restore(session, bright_at_the_right(64, 0)).reruns, Reruns{});
}

TEST(Rerun, SessionsSideBySideCountTheirOwn) {
    test::FakeLog log;
    log.rounds = true;
    Engine const engine = test::on_fake_device(make_engine(kWide), log, Precision::fp16);
    std::atomic<int> wrong = 0;
    {
        std::vector<std::jthread> lanes;
        for (int lane = 0; lane < 3; ++lane) {
            lanes.emplace_back([&, lane] {
                Session session(engine);
                for (std::int64_t const width : {64, 128, 192, 64, 128}) {
                    Image const picture = bright_at_the_right(width, lane == 0 ? 0 : 16);
                    RestoreReport const report = restore(session, picture, {.tile = 64, .tile_overlap = 0});
                    bool const same = std::ranges::equal(report.image.colour_bytes(), picture.colour_bytes());
                    if (!same || report.reruns.in_tf32 != (lane == 0 ? 0 : 1)) ++wrong;
                }
            });
        }
    }
    EXPECT_EQ(wrong, 0);
}

TEST(Rerun, WhatFitsIsRunOnce) {
    for (auto const precision : {Precision::bf16, Precision::tf32, Precision::fp32}) {
        test::FakeLog log;
        Session session = rounding_session(make_engine(kWide), log, precision);
        EXPECT_EQ(restore(session, bright_at_the_right(64, 16)).reruns, Reruns{}) << name_of(precision);
    }
}

TEST(Rerun, OnlyWhatFloat32CannotDoIsAnError) {
    test::FakeLog log;
    ConvNetwork const hopeless{.centre = 3e38F, .around = 3e38F};
    Session session = rounding_session(make_engine(hopeless), log, Precision::fp16);
    Image const picture = bright_at_the_right(64, 16);
    try {
        static_cast<void>(restore(session, picture));
        FAIL() << "should have thrown";
    } catch (Error const& error) {
        EXPECT_EQ(error.kind(), ErrorKind::accuracy);
    }
    EXPECT_TRUE(log.precisions.contains(Precision::fp32));
}

TEST(Rerun, GreyNetworksRunEachChannelAgain) {
    test::FakeLog log;
    ConvNetwork grey = kWide;
    grey.channels = 1;
    Session session = rounding_session(make_engine(grey), log, Precision::fp16);
    Image picture = bright_at_the_right(64, 16);
    for (std::int64_t i = 0; i < picture.width() * picture.height(); ++i) picture.row<std::uint8_t>(0)[i * 3 + 1] = 0;
    RestoreReport const report = restore(session, picture);
    EXPECT_EQ(report.reruns, (Reruns{2, 0})) << "green is dark";
    EXPECT_TRUE(std::ranges::equal(report.image.colour_bytes(), picture.colour_bytes()));
}

TEST(Rerun, SpectraToo) {
    test::FakeLog log;
    Session session = rounding_session(make_rgb_to_bands(1e-5F), log, Precision::fp16);
    Image picture(16, 16, 3, SampleType::f32);
    std::fill_n(picture.row<float>(0), 16 * 16 * 3, 9e4F);
    SpectralReport const report = spectral(session, picture, {.normalisation = Normalisation::none, .clip = false});
    EXPECT_EQ(report.reruns, (Reruns{1, 0}));
    EXPECT_NEAR(report.cube.at(3, 3)[30], 0.9, 1e-3);
}

}  // namespace
}  // namespace vitrum
