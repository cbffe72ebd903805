// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "detection.h"
#include "formats/safetensors_writer.h"
#include "vitrum/engine.h"
#include "vitrum/error.h"

namespace vitrum {
namespace {

/// A file that holds these tensors and nothing else, and why it is refused.
std::string refusal_of(std::map<std::string, Shape> const& shapes) {
    std::vector<float> const zeros(1 << 16, 0.0F);
    std::vector<NamedTensor> tensors;
    for (auto const& [name, shape] : shapes) tensors.push_back({name, shape, zeros.data()});
    auto const path = std::filesystem::path(testing::TempDir()) /
                      (std::string("vitrum_") + testing::UnitTest::GetInstance()->current_test_info()->name());
    write_safetensors(path, tensors);
    std::string text = "accepted";
    try {
        (void)Model::load(path);
    } catch (Error const& error) {
        text = error.what();
    }
    std::filesystem::remove(path);
    return text;
}

TEST(DetectMst, ReadsMstPlusPlus) {
    ModelInfo const info = Model::load(data("mstpp.pth")).info();
    EXPECT_EQ(info.family, "MST++");
    EXPECT_EQ(info.kind, Task::spectral);
    EXPECT_EQ(info.in_channels, 3);
    EXPECT_EQ(info.out_channels, 3);
    EXPECT_EQ(info.scale, 1);
    EXPECT_TRUE(info.mixes_whole_picture);
    EXPECT_EQ(value_of(info, "stages"), "2");
    EXPECT_EQ(value_of(info, "num_blocks"), "1, 1, 1");
    EXPECT_EQ(value_of(info, "num_heads"), "1, 2, 4");
    for (auto const& h : info.hyperparameters) EXPECT_FALSE(h.evidence.empty()) << h.name;
}

TEST(DetectMst, TellsTheRgbNetworkFromTheSnapshotNetwork) {
    ModelInfo const rgb = Model::load(data("mst_rgb.pth")).info();
    EXPECT_EQ(rgb.family, "MST");
    EXPECT_EQ(rgb.in_channels, 3);
    EXPECT_EQ(value_of(rgb, "num_blocks"), "2, 1, 1");
    EXPECT_EQ(value_of(rgb, "mask"), "absent");
    ModelInfo const cassi = Model::load(data("mst_cassi.pth")).info();
    EXPECT_EQ(cassi.family, "MST");
    EXPECT_EQ(cassi.in_channels, 4);
    EXPECT_EQ(value_of(cassi, "mask"), "second input");
}

TEST(DetectMst, GivesTheSnapshotNetworkAMaskThatIsWiderByTheDispersion) {
    Engine const engine = Engine::open(data("mst_cassi.pth"));
    auto const inputs = engine.inputs({2, 16, 16});
    ASSERT_EQ(inputs.size(), 2U);
    EXPECT_EQ(inputs[1].name, "input_mask");
    EXPECT_EQ(inputs[1].shape, (std::vector<std::int64_t>{2, 16, 16 + 2 * 3, 4}));
}

TEST(DetectMst, StatesWhichSizesTheSnapshotNetworkTakes) {
    ModelInfo const info = Model::load(data("mst_cassi.pth")).info();
    EXPECT_EQ(size_violation(info, {1, 256, 256}), "");
    EXPECT_EQ(size_violation(info, {3, 4, 4}), "");
    expect_in(size_violation(info, {1, 16, 20}), "square");
    expect_in(size_violation(info, {1, 18, 18}), "multiples of 4");
    expect_in(size_violation(info, {1, 260, 260}), "at most 256");
    EXPECT_EQ(size_violation(Model::load(data("mstpp.pth")).info(), {1, 1, 999}), "");
}

TEST(DetectMst, RefusesOtherSizesAlsoFromAnEngineFile) {
    auto const path = std::filesystem::path(testing::TempDir()) / "vitrum_cassi.vitrum";
    Engine::open(data("mst_cassi.pth")).save(path);
    Session session(Engine::load(path));
    session.prepare({1, 8, 8});
    for (Sizes const& sizes : {Sizes{1, 8, 12}, Sizes{1, 6, 6}, Sizes{1, 512, 512}}) {
        EXPECT_THROW(session.prepare(sizes), Error) << sizes.h << " x " << sizes.w;
    }
    std::filesystem::remove(path);
}

TEST(DetectMst, NamesTheRealDataVariant) {
    std::map<std::string, Shape> const keys = {
        {"embedding.weight", {28, 28, 3, 3}},         {"fution.weight", {28, 28, 3, 3}},
        {"mapping.weight", {28, 28, 3, 3}},           {"encoder_layers.0.0.blocks.0.0.rescale", {1, 1, 1}},
        {"bottleneck.blocks.0.0.rescale", {2, 1, 1}},
    };
    auto const text = refusal_of(keys);
    expect_in(text, "the nearest is MST");
    expect_in(text, "initial_x");
}

TEST(DetectMst, RefusesShapesThatNoNetworkHas) {
    std::map<std::string, Shape> const keys = {
        {"conv_in.weight", {4, 3, 3, 3}},
        {"conv_out.weight", {4, 4, 3, 3}},
        {"body.0.encoder_layers.0.0.blocks.0.0.rescale", {1, 1, 1}},
        {"body.0.bottleneck.blocks.0.0.rescale", {2, 1, 1}},
    };
    expect_in(refusal_of(keys), "missing");  // what follows is about more than the missing weights
    auto const with = [&](std::string const& name, Shape const& shape) {
        auto changed = keys;
        changed[name] = shape;
        return refusal_of(changed);
    };
    expect_in(with("conv_out.weight", {5, 4, 3, 3}), "5 output channels are added to 4");
    expect_in(with("conv_in.weight", {0, 3, 3, 3}), "conv_out.weight");
    expect_in(with("body.0.encoder_layers.0.0.blocks.0.0.rescale", {3, 1, 1}), "3 heads do not divide 4 channels");
    expect_in(with("body.0.encoder_layers.0.0.blocks.0.0.rescale", {0, 1, 1}), "0 heads");
}

TEST(DetectMst, RefusesASnapshotNetworkWhoseMaskDoesNotFit) {
    std::map<std::string, Shape> const keys = {
        {"embedding.weight", {6, 4, 3, 3}},
        {"mapping.weight", {4, 6, 3, 3}},
        {"encoder_layers.0.0.blocks.0.0.rescale", {1, 1, 1}},
        {"encoder_layers.0.0.blocks.0.0.mm.conv1.weight", {6, 6, 1, 1}},
        {"bottleneck.blocks.0.0.rescale", {2, 1, 1}},
    };
    expect_in(refusal_of(keys), "6 features guided by a mask of 4 bands");
}

}  // namespace
}  // namespace vitrum
