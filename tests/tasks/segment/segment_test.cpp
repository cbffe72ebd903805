// SPDX-License-Identifier: Apache-2.0
#include "vitrum/segment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "colour_network.h"
#include "fake_engine.h"
#include "image/convert.h"
#include "vitrum/error.h"

namespace vitrum {
namespace {

/// Black with a red left third and a blue right third.
Image flag(std::int64_t width = 96, std::int64_t height = 32) {
    Image image(width, height, 3, SampleType::u8);
    for (std::int64_t y = 0; y < height; ++y) {
        for (std::int64_t x = 0; x < width; ++x) {
            if (x < width / 3) image.row<std::uint8_t>(y)[x * 3] = 255;
            else if (x >= width * 2 / 3) image.row<std::uint8_t>(y)[x * 3 + 2] = 255;
        }
    }
    return image;
}

SegmentOptions as_it_is(Segmentation kind = Segmentation::panoptic) {
    SegmentOptions options;
    options.kind = kind;
    options.short_edge = 0;
    return options;
}

SegmentReport run(Image const& picture, SegmentOptions const& options = as_it_is(), ColourNetwork const& network = {}) {
    Session session(make_colour_engine(network));
    return segment(session, picture, options);
}

ErrorKind failure(Image const& picture, SegmentOptions const& options = as_it_is(), ColourNetwork const& network = {}) {
    try {
        static_cast<void>(run(picture, options, network));
    } catch (Error const& error) {
        return error.kind();
    }
    ADD_FAILURE() << "segment() threw nothing";
    return ErrorKind::failed;
}

TEST(Segment, FindsThePanopticSegments) {
    SegmentReport const report = run(flag());
    ASSERT_EQ(report.segments.size(), 2U);
    EXPECT_EQ(report.segments[0].class_index, 0);
    EXPECT_EQ(report.segments[1].class_index, 2);
    EXPECT_NEAR(static_cast<double>(report.segments[0].area), 32 * 32, 96);
    EXPECT_EQ(report.labels[0], 1);
    EXPECT_EQ(report.labels[48], 0);
    EXPECT_EQ(report.labels[95], 2);
    EXPECT_EQ(report.segments[0].box.x, 0);
    EXPECT_EQ(report.segments[0].box.height, 32);
    EXPECT_GT(report.segments[0].score, 0.99);
    EXPECT_EQ(report.network_width, 96);
}

TEST(Segment, PaddingIsCutOffAgain) {
    SegmentReport const report = run(flag(75, 33));
    EXPECT_EQ(report.network_width, 96);
    EXPECT_EQ(report.network_height, 64);
    EXPECT_EQ(report.labels.size(), 75U * 33U);
    EXPECT_EQ(report.labels.back(), 2);
    EXPECT_EQ(report.segments[1].box.x + report.segments[1].box.width, 75);
}

TEST(Segment, ResizesAndComesBack) {
    SegmentOptions options;
    options.short_edge = 64;
    options.long_edge = 150;
    for (auto const rules : {SegmentRules::original, SegmentRules::hugging_face}) {
        options.rules = rules;
        SegmentReport const report = run(flag(), options);
        EXPECT_EQ(report.network_width, 160);
        EXPECT_EQ(report.network_height, 64);
        EXPECT_EQ(report.labels.size(), 96U * 32U);
        ASSERT_EQ(report.segments.size(), 2U);
        EXPECT_NEAR(static_cast<double>(report.segments[0].area), 32 * 32, 200);
    }
}

TEST(Segment, DefaultSizeIsThatOfTheOriginal) {
    SegmentReport const report = run(flag(), {});
    EXPECT_EQ(report.network_width, 1344);
    EXPECT_EQ(report.network_height, 448);
}

TEST(Segment, SemanticGivesEveryPixelAClass) {
    SegmentReport const report = run(flag(), as_it_is(Segmentation::semantic));
    EXPECT_EQ(report.labels[0], 0);
    EXPECT_EQ(report.labels[95], 2);
    std::int64_t all = 0;
    for (Segment const& s : report.segments) {
        EXPECT_EQ(s.id, s.class_index);
        all += s.area;
    }
    EXPECT_EQ(all, 96 * 32);
}

TEST(Segment, InstancesHaveMasksAndFallingScores) {
    SegmentReport const report = run(flag(), as_it_is(Segmentation::instance));
    EXPECT_TRUE(report.labels.empty());
    ASSERT_GE(report.segments.size(), 2U);
    EXPECT_TRUE(std::ranges::is_sorted(report.segments, std::greater(), &Segment::score));
    Segment const& first = report.segments[0];
    EXPECT_EQ(first.id, 1);
    EXPECT_GT(first.score, 0.8);
    std::int64_t pixels = 0;
    for (std::uint32_t const run : first.runs) pixels += run;
    EXPECT_EQ(pixels, 96 * 32);
}

TEST(Segment, TopKAndThresholdLimitTheInstances) {
    SegmentOptions options = as_it_is(Segmentation::instance);
    options.top_k = 1;
    EXPECT_EQ(run(flag(), options).segments.size(), 1U);
    options.top_k = 100;
    options.threshold = 0.5;
    EXPECT_EQ(run(flag(), options).segments.size(), 2U);
}

TEST(Segment, StuffIsJoinedAndIsNoInstance) {
    // Two queries of one class: class 0 is stuff, and both colours are it.
    SegmentOptions options = as_it_is();
    options.classes = {"test", {{"sky", false, 5}, {"a", true, 6}, {"sea", false, 7}, {"b", true, 8}}, true};
    EXPECT_EQ(run(flag(), options).segments.size(), 2U);
    options.kind = Segmentation::instance;
    for (Segment const& s : run(flag(), options).segments) EXPECT_TRUE(s.class_index == 1 || s.class_index == 3);
}

TEST(Segment, NothingSureGivesAnEmptyMap) {
    SegmentReport const unsure = run(flag(), as_it_is(), {.sureness = 0});
    EXPECT_TRUE(unsure.segments.empty());
    EXPECT_TRUE(std::ranges::all_of(unsure.labels, [](int label) { return label == 0; }));
    Image const grey(50, 40, 1, SampleType::u8);
    EXPECT_TRUE(run(grey).segments.empty());
    EXPECT_TRUE(run(grey, as_it_is(Segmentation::instance)).segments.empty());
}

TEST(Segment, EverySampleTypeAndAlphaGiveTheSame) {
    Image const picture = flag();
    std::vector<std::uint16_t> const labels = run(picture).labels;
    EXPECT_EQ(run(convert_samples(picture, SampleType::u16)).labels, labels);
    EXPECT_EQ(run(convert_samples(picture, SampleType::f32)).labels, labels);
    Image transparent(96, 32, 3, SampleType::u8, true);
    std::ranges::copy(picture.colour_bytes(), transparent.colour_bytes().begin());
    EXPECT_EQ(run(transparent).labels, labels);
}

TEST(Segment, SinglePixelsAndLinesWork) {
    for (auto const& [width, height] : {std::pair(1, 1), std::pair(1, 3000), std::pair(3000, 1), std::pair(5, 2)}) {
        for (auto const kind : {Segmentation::panoptic, Segmentation::instance, Segmentation::semantic}) {
            for (auto const rules : {SegmentRules::original, SegmentRules::hugging_face}) {
                SegmentOptions options;
                options.kind = kind;
                options.rules = rules;
                options.short_edge = 64;
                options.long_edge = 128;
                SegmentReport const report = run(flag(width, height), options);
                std::size_t const pixels =
                    kind == Segmentation::instance ? 0U : static_cast<std::size_t>(width * height);
                EXPECT_EQ(report.labels.size(), pixels);
            }
        }
    }
}

TEST(Segment, SenselessRequestsAreUsageErrors) {
    EXPECT_EQ(failure(Image()), ErrorKind::usage);
    SegmentOptions options = as_it_is();
    options.threshold = 1.5;
    EXPECT_EQ(failure(flag(), options), ErrorKind::usage);
    options = as_it_is();
    options.overlap_threshold = -0.1;
    EXPECT_EQ(failure(flag(), options), ErrorKind::usage);
    options = as_it_is();
    options.top_k = 0;
    EXPECT_EQ(failure(flag(), options), ErrorKind::usage);
    options = as_it_is();
    options.short_edge = -5;
    EXPECT_EQ(failure(flag(), options), ErrorKind::usage);
    options = as_it_is();
    options.classes.classes.resize(3);
    EXPECT_EQ(failure(flag(), options), ErrorKind::usage);
}

TEST(Segment, TilesAreJoined) {
    // Red and blue bars across four parts: each is seen twice or more, and is one segment all the same.
    SegmentOptions options = as_it_is();
    options.tile = 100;
    options.tile_overlap = 32;
    options.approximate = true;
    Image const picture = flag(288, 160);
    SegmentReport const whole = run(picture, as_it_is()), tiled = run(picture, options);
    EXPECT_GT(tiled.tiles, 3);
    EXPECT_EQ(tiled.segments.size(), 2U);
    EXPECT_EQ(tiled.labels, whole.labels);
    options.kind = Segmentation::semantic;
    SegmentReport const semantic = run(picture, options);
    EXPECT_EQ(semantic.labels, run(picture, as_it_is(Segmentation::semantic)).labels);
    EXPECT_EQ(semantic.segments.front().id, semantic.segments.front().class_index);
}

TEST(Segment, InstancesAreJoinedAcrossTiles) {
    SegmentOptions options = as_it_is(Segmentation::instance);
    options.threshold = 0.5;
    Image const picture = flag(288, 160);
    SegmentReport const whole = run(picture, options);
    options.tile = 100;
    options.tile_overlap = 32;
    options.approximate = true;
    SegmentReport const tiled = run(picture, options);
    EXPECT_GT(tiled.tiles, 3);
    ASSERT_EQ(tiled.segments.size(), 2U);
    for (Segment const& segment : tiled.segments) {
        auto const same = std::ranges::find(whole.segments, segment.class_index, &Segment::class_index);
        ASSERT_NE(same, whole.segments.end());
        EXPECT_EQ(segment.runs, same->runs);
        EXPECT_EQ(segment.area, same->area);
        EXPECT_EQ(segment.box, same->box);
        EXPECT_NEAR(segment.score, same->score, 2e-3);
    }
    options.top_k = 1;
    EXPECT_EQ(run(picture, options).segments.size(), 1U);
}

TEST(Segment, TilesThatWouldChangeTheResultAreRefused) {
    SegmentOptions options = as_it_is();
    options.tile = 64;
    EXPECT_EQ(failure(flag(), options), ErrorKind::usage);
    EXPECT_EQ(run(flag(60, 32), options).tiles, 1);  // the whole picture is one tile
    options.approximate = true;
    options.tile = 16;
    EXPECT_EQ(failure(flag(), options), ErrorKind::usage);
}

TEST(Segment, InfiniteOutputIsAnAccuracyError) {
    EXPECT_EQ(failure(flag(), as_it_is(), {.sureness = std::numeric_limits<float>::infinity()}), ErrorKind::accuracy);
    EXPECT_EQ(failure(flag(), as_it_is(), {.gain = std::numeric_limits<float>::infinity()}), ErrorKind::accuracy);
}

TEST(Segment, WhatOverflowsIsRunAgain) {
    test::FakeLog log;
    log.rounds = true;
    Engine const engine = make_colour_engine();
    for (float& deviation : engine.data().info.segmentation.pixel_std) deviation *= 1e-5F;  // pixels reach 2e5
    Session exact(engine), session(test::on_fake_device(engine, log, Precision::fp16));
    SegmentReport const report = segment(session, flag(), as_it_is());
    EXPECT_EQ(report.reruns, (Reruns{1, 0}));
    EXPECT_EQ(report.labels, segment(exact, flag(), as_it_is()).labels);
}

TEST(Segment, MemoryLimitIsKept) {
    SegmentOptions options;
    options.memory_bytes = 1 << 20;
    EXPECT_EQ(failure(flag(), options), ErrorKind::out_of_memory);
}

TEST(Segment, ProgressCanCancel) {
    SegmentOptions options = as_it_is();
    options.progress = [](double) { return false; };
    EXPECT_EQ(failure(flag(), options), ErrorKind::failed);
}

}  // namespace
}  // namespace vitrum
