// SPDX-License-Identifier: Apache-2.0
// What a Mask2Former checkpoint tells of its network, from the cases of tests/data.
#include <gtest/gtest.h>

#include <algorithm>

#include "detection.h"
#include "vitrum/engine.h"
#include "vitrum/error.h"

namespace vitrum {
namespace {

std::string value_and_evidence(ModelInfo const& info, std::string const& name) {
    auto const found = std::ranges::find(info.hyperparameters, name, &Hyperparameter::name);
    return found == info.hyperparameters.end() ? "absent" : found->value + " by " + found->evidence;
}

TEST(DetectMask2Former, ReadsSizesOfAHuggingFaceFolder) {
    ModelInfo const info = Model::load(data("mask2former_window12_sharded")).info();
    EXPECT_EQ(info.kind, Task::segment);
    EXPECT_TRUE(info.mixes_whole_picture);
    EXPECT_EQ(info.variant, "Mask2Former Swin, 18 queries, 5 classes");
    EXPECT_EQ(value_and_evidence(info, "queries"), "18 by model.transformer_module.queries_embedder.weight [18, 32]");
    EXPECT_EQ(value_and_evidence(info, "classes"), "5 by class_predictor.weight [6, 32]");
    EXPECT_EQ(value_and_evidence(info, "decoder_layers"), "5 by model.transformer_module.decoder.layers.4.fc1.weight");
    EXPECT_EQ(value_and_evidence(info, "mask_dim"),
              "20 by model.pixel_level_module.decoder.mask_projection.weight [20, 32, 1, 1]");
    EXPECT_EQ(value_and_evidence(info, "attention_heads"), "4 by config.json num_attention_heads");
}

TEST(DetectMask2Former, ReadsSizesOfADetectron2File) {
    ModelInfo const info = Model::load(data("mask2former_swin_static_query.pkl")).info();
    EXPECT_EQ(value_and_evidence(info, "layout"), "detectron2 by sem_seg_head.predictor.query_embed.weight");
    EXPECT_EQ(value_and_evidence(info, "decoder_hidden"),
              "48 by sem_seg_head.predictor.transformer_ffn_layers.0.linear1.weight [48, 32]");
    EXPECT_EQ(value_and_evidence(info, "attention_heads"), "8 by convention: 8 in every published network");
    EXPECT_EQ(
        value_and_evidence(info, "points"),
        "4 by sem_seg_head.pixel_decoder.transformer.encoder.layers.0.self_attn.sampling_offsets.weight [192, 32]");
}

TEST(DetectMask2Former, LeavesOutWhatOnlyTrainingNeeds) {
    ModelInfo const info = Model::load(data("mask2former_swin_training.pth")).info();
    EXPECT_EQ(info.notes,
              (std::vector<std::string>{"criterion.* is for training only: ignored", "weights taken from \"model\""}));
}

TEST(DetectMask2Former, TakesAnotherNumberOfHeadsIfTheShapesAllowIt) {
    auto const file = data("mask2former_swin_static_query.pkl");
    EXPECT_EQ(value_and_evidence(Model::load(file, {{"attention_heads", "16"}}).info(), "attention_heads"),
              "16 by --set");
    expect_in(refusal(file, {{"attention_heads", "3"}}), "sampling_offsets.weight (3 heads and 3 levels do not fit");
    expect_in(refusal(file, {{"attention_heads", "none"}}), "attention_heads");
}

TEST(DetectMask2Former, RefusesAConfigOfAnotherModel) {
    EditedFolder const folder("mask2former_swin_folder", "\"num_queries\": 7", "\"num_queries\": 100");
    expect_in(refusal(folder.path), "num_queries is 100");
}

TEST(DetectMask2Former, RefusesNormsBeforeTheLayers) {
    EditedFolder const folder("mask2former_swin_folder", "\"pre_norm\": false", "\"pre_norm\": true");
    expect_in(refusal(folder.path), "pre_norm");
}

TEST(DetectMask2Former, GivesLogitsAndMasksByName) {
    auto const engine = Engine::open(data("mask2former_swin_static_query.pkl"));
    auto const outputs = engine.outputs({2, 37, 50});
    ASSERT_EQ(outputs.size(), 2U);
    EXPECT_EQ(outputs[0].name, "output_logits");
    EXPECT_EQ(outputs[0].shape, (std::vector<std::int64_t>{2, 1, 7, 6}));
    EXPECT_EQ(outputs[1].name, "output_masks");
    EXPECT_EQ(outputs[1].shape, (std::vector<std::int64_t>{2, 10, 13, 7}));
}

}  // namespace
}  // namespace vitrum
