// SPDX-License-Identifier: Apache-2.0
// The backbones of Mask2Former against Hugging Face's, from every layout and format of tests/data/backbones.
#include <gtest/gtest.h>

#include <algorithm>

#include "detection.h"
#include "engine/engine_data.h"
#include "mask2former_backbone.h"
#include "passes/passes.h"
#include "vitrum/measure.h"

namespace vitrum {
namespace {

namespace fs = std::filesystem;
using namespace mask2former;

/// A checkpoint's backbone, read and built.
class Loaded {
public:
    explicit Loaded(fs::path const& path, Overrides const& overrides = {})
        : checkpoint_(std::make_shared<Checkpoint const>(open_checkpoint(path))) {
        for (StateDict const& dict : StateDict::candidates(*checkpoint_)) {
            findings = {};
            config = read_backbone(dict, overrides, findings);
            if (!config) continue;
            Weights weights(dict, Weights::Mode::materialise);
            auto const picture = graph.add_input("input", {Dim(Symbol::n), Dim(Symbol::h), Dim(Symbol::w), 3});
            auto const maps = build_backbone(graph, weights, *config, picture);
            for (std::size_t i = 0; i < maps.size(); ++i) graph.add_output("output" + std::to_string(i), maps[i]);
            missing = weights.missing();
            unexpected = weights.unexpected(is_backbone_buffer);
            return;
        }
    }

    [[nodiscard]] std::string evidence(std::string const& name) const {
        auto const found = std::ranges::find(findings.hyperparameters, name, &Hyperparameter::name);
        return found == findings.hyperparameters.end() ? "none" : found->value + " by " + found->evidence;
    }

    Findings findings;
    std::optional<BackboneConfig> config;
    Graph graph;
    std::vector<std::string> missing, unexpected;

private:
    std::shared_ptr<Checkpoint const> checkpoint_;
};

struct Case {
    std::string path, golden;
};

class Backbones : public testing::TestWithParam<std::tuple<Case, Device>> {};

TEST_P(Backbones, AgreeWithHuggingFace) {
    auto const& [c, device] = GetParam();
    bool const in_1x1 = c.path == "resnet_stride_in_1x1.pth";  // which only a config.json tells
    Loaded loaded(data("backbones/" + c.path), in_1x1 ? Overrides{{"stride_in_1x1", "yes"}} : Overrides{});
    ASSERT_TRUE(loaded.config);
    EXPECT_EQ(loaded.missing, std::vector<std::string>{});
    EXPECT_EQ(loaded.unexpected, std::vector<std::string>{});
    ModelInfo info;
    Session session(Engine(
        std::make_shared<Engine::Data>(info, optimise(std::move(loaded.graph)), CompileOptions{.device = device})));
    auto const report = verify_golden(session, data("backbones/" + c.golden + ".io.safetensors"));
    ASSERT_EQ(report.outputs.size(), 4U);
    for (auto const& output : report.outputs) {
        EXPECT_EQ(output.non_finite, 0);
        EXPECT_LT(output.normalised, 2e-5);  // the aim; the limit is 1e-4
    }
}

std::vector<Case> cases() {
    return {{"swin_window7", "swin_window7"},
            {"swin_window7.pkl", "swin_window7"},
            {"swin_window12", "swin_window12"},
            {"swin_window12.pth", "swin_window12"},
            {"resnet", "resnet"},
            {"resnet.pkl", "resnet"},
            {"resnet_stride_in_1x1", "resnet_stride_in_1x1"},
            {"resnet_stride_in_1x1.pth", "resnet_stride_in_1x1"}};
}

INSTANTIATE_TEST_SUITE_P(Data, Backbones,
                         testing::Combine(testing::ValuesIn(cases()), testing::Values(Device::cpu, Device::reference)),
                         [](auto const& param) {
                             std::string name = std::get<0>(param.param).path;
                             std::ranges::replace(name, '.', '_');
                             return name + (std::get<1>(param.param) == Device::cpu ? "_cpu" : "_reference");
                         });

TEST(BackboneDetection, ReadsSwinOffKeysAndShapes) {
    Loaded const loaded(data("backbones/swin_window12.pth"));
    auto const& c = std::get<SwinConfig>(loaded.config.value());
    EXPECT_EQ(c.layout, mask2former::Layout::detectron2);
    EXPECT_EQ(c.embed_dim, 6);
    EXPECT_EQ(c.window, 12);
    EXPECT_EQ(c.depths, (std::array{2, 2, 2, 1}));
    EXPECT_EQ(c.heads, (std::array{1, 2, 3, 4}));
    EXPECT_EQ(c.mlp_hidden, (std::array<std::int64_t, 4>{12, 24, 48, 96}));
    EXPECT_EQ(feature_channels(c), (std::array<std::int64_t, 4>{6, 12, 24, 48}));
    EXPECT_EQ(loaded.evidence("embed_dim"), "6 by backbone.patch_embed.proj.weight [6, 3, 4, 4]");
}

TEST(BackboneDetection, NamesThePublishedSizes) {
    EXPECT_EQ(name_of(SwinConfig{.embed_dim = 96, .depths = {2, 2, 6, 2}}), "Swin-T");
    EXPECT_EQ(name_of(SwinConfig{.embed_dim = 96, .depths = {2, 2, 18, 2}}), "Swin-S");
    EXPECT_EQ(name_of(SwinConfig{.embed_dim = 128, .depths = {2, 2, 18, 2}}), "Swin-B");
    EXPECT_EQ(name_of(SwinConfig{.embed_dim = 192, .depths = {2, 2, 18, 2}}), "Swin-L");
    EXPECT_EQ(name_of(SwinConfig{.embed_dim = 6, .depths = {2, 2, 6, 2}}), "Swin");
    EXPECT_EQ(name_of(ResNetConfig{.depths = {3, 4, 6, 3}}), "R50");
    EXPECT_EQ(name_of(ResNetConfig{.depths = {3, 4, 23, 3}}), "R101");
}

TEST(BackboneDetection, TellsWhereTheStrideStands) {
    EXPECT_EQ(Loaded(data("backbones/resnet.pkl")).evidence("stride_in_1x1"),
              "no by convention: the published networks start from torchvision's weights");
    EXPECT_EQ(Loaded(data("backbones/resnet_stride_in_1x1")).evidence("stride_in_1x1"),
              "yes by config.json: backbone_config.downsample_in_bottleneck");
    EXPECT_EQ(Loaded(data("backbones/resnet.pkl"), {{"stride_in_1x1", "yes"}}).evidence("stride_in_1x1"),
              "yes by --set");
    EXPECT_THROW(Loaded(data("backbones/resnet.pkl"), {{"stride_in_1x1", "1"}}), Error);
}

void expect_refusal(EditedFolder const& folder, std::string const& part) {
    std::string text = "no error";
    try {
        Loaded const loaded(folder.path);
    } catch (Error const& error) {
        text = error.what();
    }
    expect_in(text, part);
}

TEST(BackboneDetection, RefusesAConfigThatContradictsTheWeights) {
    expect_refusal({"backbones/swin_window7", "\"window_size\": 7", "\"window_size\": 12"},
                   "config.json contradicts the weights: backbone_config.window_size is 12, but ");
    expect_refusal({"backbones/swin_window7", "\"embed_dim\": 6", "\"embed_dim\": 96"},
                   "backbone_config.embed_dim is 96");
    expect_refusal({"backbones/swin_window7", "\"embed_dim\": 6", "\"embed_dim\": \"six\""}, "where a number belongs");
    expect_refusal({"backbones/resnet", "\"embedding_size\": 6", "\"embedding_size\": 64"}, "embedding_size is 64");
}

TEST(BackboneDetection, RefusesWhatItDoesNotBuild) {
    expect_refusal({"backbones/swin_window7", "\"model_type\": \"swin\"", "\"model_type\": \"convnext\""},
                   "\"convnext\"");
    expect_refusal(
        {"backbones/swin_window7", "\"use_absolute_embeddings\": false", "\"use_absolute_embeddings\": true"},
        "use_absolute_embeddings is \"true\"");
    expect_refusal({"backbones/resnet", "\"layer_type\": \"bottleneck\"", "\"layer_type\": \"basic\""},
                   "layer_type is \"basic\"");
    Loaded const none(fs::path(VITRUM_TEST_DATA) / "swinir_classical_x2.pth");
    ASSERT_FALSE(none.config);
    EXPECT_EQ(none.findings.missing, (std::vector<std::string>{"backbone.patch_embed.proj.weight or backbone.stem.conv1"
                                                               ".weight (a Swin or a ResNet backbone)"}));
}

}  // namespace
}  // namespace vitrum
