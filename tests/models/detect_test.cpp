// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "detection.h"
#include "swinir_file.h"
#include "vitrum/engine.h"
#include "vitrum/error.h"

namespace vitrum {
namespace {

TEST(DetectSwinIR, TellsTheTaskFromTheUpsampler) {
    SwinIRFile lightweight;
    EXPECT_EQ(Model::load(lightweight.lightweight(3).write()).info().variant, "SwinIR lightweight super-resolution ×3");
    SwinIRFile classical;
    EXPECT_EQ(Model::load(classical.classical({2, 2, 2}).write()).info().variant,
              "SwinIR classical super-resolution ×8");
    SwinIRFile real;
    EXPECT_EQ(Model::load(real.real_world().write()).info().variant, "SwinIR real-world super-resolution ×4");
    SwinIRFile denoising;
    EXPECT_EQ(Model::load(denoising.denoising().write()).info().variant, "SwinIR colour denoising");
    SwinIRFile grey({.channels = 1});
    EXPECT_EQ(Model::load(grey.denoising().write()).info().variant, "SwinIR grey denoising");
}

TEST(DetectSwinIR, TakesWindowSevenForTheJpegNetwork) {
    SwinIRFile file({.window = 7});
    ModelInfo const info = Model::load(file.denoising().write()).info();
    EXPECT_EQ(info.task, "colour JPEG artefact removal");
    EXPECT_EQ(value_of(info, "img_range"), "255");
    EXPECT_EQ(info.tile_multiple, 7);
}

TEST(DetectSwinIR, ReadsSizesFromShapes) {
    SwinIRFile file({.embed_dim = 30, .heads = 5, .depth = 3});
    ModelInfo const info = Model::load(file.lightweight(2).write()).info();
    EXPECT_EQ(value_of(info, "embed_dim"), "30");
    EXPECT_EQ(value_of(info, "num_heads"), "5");
    EXPECT_EQ(value_of(info, "depths"), "3");
    EXPECT_EQ(value_of(info, "mlp_hidden"), "60");
    EXPECT_EQ(value_of(info, "scale"), "2");
    for (auto const& h : info.hyperparameters) EXPECT_FALSE(h.evidence.empty()) << h.name;
}

TEST(DetectSwinIR, FindsTheWeightsInsideContainers) {
    for (std::string const prefix :
         {"params.", "params_ema.", "state_dict.", "model.", "module.", "state_dict.module."}) {
        SwinIRFile file;
        EXPECT_EQ(Model::load(file.lightweight(2).prefixed(prefix).write()).info().family, "SwinIR") << prefix;
    }
}

TEST(DetectSwinIR, IgnoresBuffersThatCarryNoWeights) {
    SwinIRFile file;
    file.lightweight(2);
    file.set("layers.0.residual_group.blocks.1.attn_mask", {36, 64, 64});
    file.set("layers.0.residual_group.blocks.0.attn.relative_position_index", {64, 64});
    EXPECT_EQ(refusal(file.write()), "accepted");
}

TEST(DetectSwinIR, ReadsShiftsFromTheMasksWhereTheyAreKept) {
    auto const graph_with = [](std::string const& mask) {
        SwinIRFile file;
        file.lightweight(2);
        if (!mask.empty()) file.set("layers.0.residual_group.blocks." + mask + ".attn_mask", {36, 64, 64});
        return Engine::compile(Model::load(file.write())).graph_text();
    };
    EXPECT_EQ(graph_with(""), graph_with("1"));  // the convention
    EXPECT_NE(graph_with(""), graph_with("0"));
}

TEST(DetectSwinIR, NamesMissingKeys) {
    SwinIRFile file;
    file.lightweight(2).erase("layers.0.residual_group.blocks.1.mlp.fc2.bias");
    auto const text = refusal(file.write());
    expect_in(text, "the nearest is SwinIR");
    expect_in(text, "1 missing");
    expect_in(text, "layers.0.residual_group.blocks.1.mlp.fc2.bias");
}

TEST(DetectSwinIR, NamesUnexpectedKeys) {
    SwinIRFile file;
    file.lightweight(2).conv("overlap_attn.qkv", 4, 4);
    auto const text = refusal(file.write());
    expect_in(text, "2 unexpected");
    expect_in(text, "overlap_attn.qkv.weight");
}

TEST(DetectSwinIR, NamesMisshapenKeys) {
    SwinIRFile file;
    file.lightweight(2).set("norm.weight", {7});
    expect_in(refusal(file.write()), "norm.weight (expected [12], the file has [7])");
}

TEST(DetectSwinIR, RefusesShapesThatNoNetworkHas) {
    auto const with = [](std::string const& name, Shape const& shape) {
        SwinIRFile file;
        file.lightweight(2).set(name, shape);
        return refusal(file.write());
    };
    EXPECT_NE(with("conv_first.weight", {0, 3, 3, 3}), "accepted");
    EXPECT_NE(with("conv_first.weight", {12, 0, 3, 3}), "accepted");
    EXPECT_NE(with("upsample.0.weight", {0, 12, 3, 3}), "accepted");
    EXPECT_NE(with("upsample.0.weight", {100000, 0, 3, 3}), "accepted");
    EXPECT_NE(with("layers.0.residual_group.blocks.0.attn.relative_position_bias_table", {226, 2}), "accepted");
    EXPECT_NE(with("layers.0.residual_group.blocks.0.attn.relative_position_bias_table", {225, 5}), "accepted");
    EXPECT_NE(with("layers.0.residual_group.blocks.0.mlp.fc1.weight", {0, 12}), "accepted");
}

TEST(DetectSwinIR, RefusesABottleneckWithoutChannels) {
    SwinIRFile file({.embed_dim = 2, .heads = 2});
    file.denoising().conv("conv_after_body.0", 2, 1);
    EXPECT_NE(refusal(file.write()), "accepted");
}

TEST(DetectSwinIR, RefusesAbsolutePositions) {
    SwinIRFile file;
    file.lightweight(2).set("absolute_pos_embed", {1, 64, 12});
    expect_in(refusal(file.write()), "absolute_pos_embed");
}

TEST(DetectSwinIR, LetsConventionsBeSet) {
    SwinIRFile file;
    auto const path = file.lightweight(2).write();
    ModelInfo const info = Model::load(path, {{"img_range", "255"}, {"rgb_mean", "0, 0,0"}}).info();
    EXPECT_EQ(value_of(info, "img_range"), "255");
    for (auto const& h : info.hyperparameters) {
        bool const set = h.name == "img_range" || h.name == "rgb_mean";
        EXPECT_EQ(h.evidence == "--set", set) << h.name;
    }
}

TEST(DetectSwinIR, RefusesASettingItDoesNotHave) {
    SwinIRFile file;
    auto const path = file.lightweight(2).write();
    try {
        (void)Model::load(path, {{"windows", "8"}});
        FAIL();
    } catch (Error const& error) {
        EXPECT_EQ(error.kind(), ErrorKind::usage);
        expect_in(error.what(), "img_range, rgb_mean");
    }
}

TEST(Compile, RefusesWeightsThatAreNotFinite) {
    for (float const bad : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
        SwinIRFile file;
        file.lightweight(2).set("norm.weight", {12}, bad);
        Model const model = Model::load(file.write());
        try {
            (void)Engine::compile(model);
            FAIL();
        } catch (Error const& error) {
            expect_in(error.what(), "norm.weight");
            expect_in(error.what(), "NaN or Inf");
        }
    }
}

TEST(Detect, RefusesAFileWithoutTensors) {
    auto const path = std::filesystem::temp_directory_path() / "vitrum_no_tensors.safetensors";
    SwinIRFile file;
    std::FILE* const out = std::fopen(path.c_str(), "wb");
    std::fwrite("\x02\0\0\0\0\0\0\0{}", 1, 10, out);
    std::fclose(out);
    expect_in(refusal(path), "holds no tensors");
    std::filesystem::remove(path);
}

}  // namespace
}  // namespace vitrum
