// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <filesystem>

#include "formats/checkpoint.h"
#include "image/resize.h"
#include "tasks/segment/instance.h"
#include "tasks/segment/panoptic.h"
#include "tasks/segment/run_lengths.h"
#include "tasks/segment/semantic.h"

// Post-processing on plain arrays, against what PyTorch and transformers gave (zoo/make_segment_cases.py).

namespace vitrum {
namespace {

namespace fs = std::filesystem;

fs::path const kFolder = fs::path(VITRUM_TEST_DATA) / "segment";

struct Array {
    Shape shape;
    std::vector<float> values;
    [[nodiscard]] float const* row(std::int64_t i) const { return values.data() + i * shape[1]; }
};

Array read(Checkpoint const& file, std::string const& name) {
    CheckpointTensor const* const tensor = file.find(name);
    if (tensor == nullptr) throw std::runtime_error(name + " is missing");
    Array array{tensor->view.shape, std::vector<float>(static_cast<std::size_t>(tensor->view.shape.count()))};
    copy_to_f32(tensor->view, array.values.data());
    return array;
}

class SegmentAnswer : public testing::TestWithParam<char const*> {
protected:
    SegmentAnswer()
        : file_(open_checkpoint(kFolder / (std::string(GetParam()) + ".safetensors"))),
          logits_(read(file_, "logits")),
          masks_(read(file_, "masks")) {
        answer_ = {
            logits_.values, masks_.values, logits_.shape[0], logits_.shape[1] - 1, {masks_.shape[0], masks_.shape[1]}};
        Array const sizes = read(file_, "geometry");
        auto const extent = [&](std::size_t at) {
            return Extent{static_cast<std::int64_t>(sizes.values[at]), static_cast<std::int64_t>(sizes.values[at + 1])};
        };
        geometry_ = {extent(0), extent(2), extent(4)};
        for (float const is_stuff : read(file_, "stuff").values) stuff_.push_back(is_stuff != 0);
    }

    [[nodiscard]] std::vector<bool> things() const {
        std::vector<bool> flags = stuff_;
        flags.flip();
        return flags;
    }

    /// Ids, classes and scores of the segments, and the pixels' ids.
    void expect_panoptic(PanopticMap const& map, std::string const& name) {
        Array const labels = read(file_, name + "_map"), segments = read(file_, name + "_segments");
        EXPECT_EQ(different(map.labels, labels), 0);
        ASSERT_EQ(map.segments.size(), static_cast<std::size_t>(segments.shape[0]));
        for (std::size_t i = 0; i < map.segments.size(); ++i) {
            float const* const expected = segments.row(static_cast<std::int64_t>(i));
            EXPECT_EQ(map.segments[i].id, static_cast<int>(expected[0]));
            EXPECT_EQ(map.segments[i].class_index, static_cast<int>(expected[1]));
            EXPECT_NEAR(map.segments[i].score, expected[2], 1e-6);
        }
    }

    void expect_instances(std::vector<Segment> const& found, std::string const& name) {
        Array const expected = read(file_, name);
        ASSERT_EQ(found.size(), static_cast<std::size_t>(expected.shape[0]));
        for (std::size_t i = 0; i < found.size(); ++i) {
            float const* const row = expected.row(static_cast<std::int64_t>(i));
            EXPECT_EQ(found[i].id, static_cast<int>(i + 1));
            EXPECT_EQ(found[i].class_index, static_cast<int>(row[0])) << i;
            EXPECT_NEAR(found[i].score, row[1], 2e-6) << i;
            EXPECT_EQ(found[i].area, static_cast<std::int64_t>(row[2])) << i;
            EXPECT_EQ(found[i].area, area_of(found[i].runs));
        }
    }

    static std::ptrdiff_t different(std::vector<std::uint16_t> const& labels, Array const& expected) {
        EXPECT_EQ(labels.size(), expected.values.size());
        std::ptrdiff_t count = 0;
        for (std::size_t i = 0; i < labels.size(); ++i) count += labels[i] == expected.values[i] ? 0 : 1;
        return count;
    }

    Checkpoint file_;
    Array logits_, masks_;
    NetworkAnswer answer_;
    SegmentGeometry geometry_;
    std::vector<bool> stuff_;
    ThreadPool threads_{2};
};

TEST_P(SegmentAnswer, PanopticByTheOriginalsRules) {
    expect_panoptic(panoptic_map(answer_, geometry_, {SegmentRules::original, 0.8, 0.8, stuff_}, threads_), "original");
}

TEST_P(SegmentAnswer, PanopticByHuggingFacesRules) {
    std::vector<bool> const none(stuff_.size());
    PanopticRules rules{SegmentRules::hugging_face, 0.5, 0.8, none};
    expect_panoptic(panoptic_map(answer_, geometry_, rules, threads_), "hf_plain");
}

TEST_P(SegmentAnswer, PanopticByHuggingFacesRulesWithStuffJoined) {
    PanopticRules const rules{SegmentRules::hugging_face, 0.5, 0.8, stuff_};
    expect_panoptic(panoptic_map(answer_, geometry_, rules, threads_), "hf_fused");
}

TEST_P(SegmentAnswer, Semantic) {
    EXPECT_EQ(
        different(semantic_map(answer_, geometry_, SegmentRules::original, threads_), read(file_, "original_semantic")),
        0);
    EXPECT_EQ(
        different(semantic_map(answer_, geometry_, SegmentRules::hugging_face, threads_), read(file_, "hf_semantic")),
        0);
}

TEST_P(SegmentAnswer, InstancesByTheOriginalsRules) {
    InstanceRules const rules{SegmentRules::original, 0, 10, things()};
    expect_instances(find_instances(answer_, geometry_, rules, threads_), "original_instances");
}

TEST_P(SegmentAnswer, InstancesByHuggingFacesRules) {
    InstanceRules rules{SegmentRules::hugging_face, 0, 10, std::vector<bool>(stuff_.size(), true)};
    expect_instances(find_instances(answer_, geometry_, rules, threads_), "hf_instances_0.0");
    rules.threshold = 0.5;
    expect_instances(find_instances(answer_, geometry_, rules, threads_), "hf_instances_0.5");
}

INSTANTIATE_TEST_SUITE_P(Golden, SegmentAnswer,
                         testing::Values("upwards", "downwards", "one_query", "one_pixel", "wide", "unsure"),
                         [](auto const& c) { return std::string(c.param); });

TEST(ResizeBilinear, EqualsPillowToTheBit) {
    Checkpoint const file = open_checkpoint(kFolder / "resize.safetensors");
    for (int i = 0; file.find("from_" + std::to_string(i)) != nullptr; ++i) {
        Array const from = read(file, "from_" + std::to_string(i)), to = read(file, "to_" + std::to_string(i));
        Image picture(from.shape[1], from.shape[0], 3, SampleType::u8, true);
        std::ranges::copy(from.values, picture.row<std::uint8_t>(0));
        Image const resized = resize_bilinear(picture, to.shape[1], to.shape[0]);
        EXPECT_FALSE(resized.has_alpha());
        EXPECT_TRUE(std::ranges::equal(to.values, std::span(resized.row<std::uint8_t>(0), to.values.size()))) << i;
    }
}

TEST(PanopticMap, AreasAndBoxesAreOfTheLabels) {
    std::vector<std::uint16_t> const labels = {0, 2, 2, 0,  //
                                               0, 0, 2, 1};
    std::vector<Segment> segments(3);
    for (int i = 0; i < 3; ++i) segments[static_cast<std::size_t>(i)].id = i + 1;
    measure(labels, 4, segments);
    EXPECT_EQ(segments[0].area, 1);
    EXPECT_EQ(segments[0].box, (Box{3, 1, 1, 1}));
    EXPECT_EQ(segments[1].area, 3);
    EXPECT_EQ(segments[1].box, (Box{1, 0, 2, 2}));
    EXPECT_EQ(segments[2].area, 0);
    EXPECT_EQ(segments[2].box, (Box{}));
}

}  // namespace
}  // namespace vitrum
