// SPDX-License-Identifier: Apache-2.0
#include "importers/weights.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <numeric>

#include "onnx_graph.h"
#include "reference/backend.h"

namespace vitrum {
namespace {

using test::OnnxFile;

std::vector<float> counted(std::size_t count) {
    std::vector<float> values(count);
    std::iota(values.begin(), values.end(), 1.0F);
    return values;
}

ExportedWeights weights_of(OnnxFile const& file, Sizes const& sizes) {
    OnnxSource const source = file.source();
    return {source.trace(source.inputs(sizes), *make_reference_backend()).reads, source.named_tensors()};
}

/// The numbers of a tensor in rows, or none where there is none of that name.
std::vector<float> numbers(Checkpoint const& checkpoint, std::string const& name) {
    CheckpointTensor const* const tensor = checkpoint.find(name);
    if (tensor == nullptr) return {};
    std::vector<float> values(static_cast<std::size_t>(tensor->view.shape.count()));
    copy_to_f32(tensor->view, values.data());
    return values;
}

TEST(ExportedWeights, AMatrixInFrontOfANamedBiasIsItsLayersWeight) {
    OnnxFile file;
    file.input("x", {"height", "2"}).output("y");
    file.tensor("onnx::MatMul_7", {2, 3}, counted(6)).tensor("net.fc.bias", {3}, counted(3));
    file.node("MatMul", {"x", "onnx::MatMul_7"}, "m").node("Add", {"m", "net.fc.bias"}, "y");
    auto const weights = weights_of(file, {1, 4, 2});
    EXPECT_EQ(numbers(weights.known(), "net.fc.weight"), (std::vector<float>{1, 4, 2, 5, 3, 6}));
    EXPECT_EQ(numbers(weights.known(), "onnx::MatMul_7"), std::vector<float>());
}

TEST(ExportedWeights, AMatrixInFrontOfSeveralNamedBiasesIsTheirLayersWeights) {
    OnnxFile file;
    file.input("x", {"height", "2"}).output("y").output("z").integers("0", {0}).integers("2", {2}).integers("3", {3});
    file.tensor("_v_1", {2, 3}, counted(6)).tensor("q.bias", {2}, counted(2)).tensor("k.bias", {1}, counted(1));
    file.integers("axis", {1}).node("MatMul", {"x", "_v_1"}, "m");
    file.node("Slice", {"m", "0", "2", "axis"}, "q").node("Slice", {"m", "2", "3", "axis"}, "k");
    file.node("Add", {"q", "q.bias"}, "y").node("Add", {"k", "k.bias"}, "z");
    auto const weights = weights_of(file, {1, 4, 2});
    EXPECT_EQ(numbers(weights.known(), "q.weight"), (std::vector<float>{1, 4, 2, 5}));
    EXPECT_EQ(numbers(weights.known(), "k.weight"), (std::vector<float>{3, 6}));
    OnnxFile larger = file;  // than the biases behind it
    larger.tensor("_v_2", {2, 4}, counted(8)).tensor("v.bias", {1}, counted(1)).node("MatMul", {"x", "_v_2"}, "n");
    larger.node("Mul", {"n", "v.bias"}, "w").output("w");
    EXPECT_EQ(numbers(weights_of(larger, {1, 4, 2}).known(), "v.weight"), std::vector<float>());
}

TEST(ExportedWeights, QueriesThatWereComputedHaveAProjectionThatMakesThem) {
    // Two queries of two heads of two channels: features + positions = [3 0 0 1], [0 2 1 0].
    OnnxFile file;
    file.input("x", {"2", "2", "height"}).output("y").tensor("attn.features", {2, 4}, {1, 0, 0, 1, 0, 1, 0, 0});
    file.tensor("attn.positions", {2, 4}, {2, 0, 0, 0, 0, 1, 1, 0}).tensor("v_1", {2, 2, 2}, counted(8));
    file.tensor("attn.out.weight", {1}, {1}).node("MatMul", {"v_1", "x"}, "m");
    file.node("Mul", {"m", "attn.out.weight"}, "y");
    OnnxSource const source = file.source();
    auto const reads =
        source.trace(source.inputs(std::vector<std::vector<std::int64_t>>{{2, 2, 5}}), *make_reference_backend());
    static constexpr std::array kRules = {
        ComputedQueries{.from = {"features", "positions"}, .projection = "q_proj", .next = "out.weight"}};
    ExportedWeights const weights(reads.reads, source.named_tensors(), {.computed = kRules});
    auto const matrix = numbers(weights.known(), "attn.q_proj.weight");
    EXPECT_EQ(numbers(weights.known(), "attn.q_proj.bias"), std::vector<float>(4));
    ASSERT_EQ(matrix.size(), 16U);
    std::vector<double> const rows = {3, 0, 0, 1, 0, 2, 1, 0};
    for (std::size_t i = 0; i < 8; ++i) {  // by head, query and channel
        std::size_t const channel = i / 4 * 2 + i % 2, query = i / 2 % 2;
        double sum = 0;
        for (std::size_t c = 0; c < 4; ++c) sum += static_cast<double>(matrix[channel * 4 + c]) * rows[query * 4 + c];
        EXPECT_NEAR(sum / std::sqrt(2.0), static_cast<double>(i + 1), 1e-5);
    }
}

TEST(ExportedWeights, AMatrixThatNodesMultiplyByGoesBeforeOneThatTheyAdd) {
    OnnxFile file;
    file.input("x", {"2", "2"}).output("y").tensor("a.scale", {2}, {1, 1}).tensor("b.scale", {2}, {2, 2});
    file.tensor("v_1", {2, 2}, {1, 2, 3, 4}).tensor("v_2", {2, 1, 2}, {5, 6, 7, 8});
    file.node("Mul", {"x", "a.scale"}, "s").node("MatMul", {"s", "v_1"}, "q").node("Add", {"q", "v_2"}, "k");
    file.node("Mul", {"k", "b.scale"}, "y");
    auto const found = weights_of(file, {1, 2, 2}).find({{"scale", {2}}, {"fc.weight", {2, 2}}}, "a.");
    EXPECT_EQ(numbers(found.checkpoint, "fc.weight"), (std::vector<float>{1, 3, 2, 4}));
}

TEST(ExportedWeights, SpreadBiasesAreATableOfTheirModule) {
    // w = 2: position (y, x) is 2·y + x; one head whose bias is 10·dy + dx
    std::vector<float> biases;
    for (int a = 0; a < 4; ++a) {
        for (int b = 0; b < 4; ++b) biases.push_back(static_cast<float>(10 * (a / 2 - b / 2) + a % 2 - b % 2));
    }
    OnnxFile file;
    file.input("x", {"1", "height", "4"}).output("y").tensor("bias", {1, 4, 4}, biases);
    file.tensor("body.attn.qkv.bias", {4}, counted(4)).tensor("body.attn.proj.bias", {4}, counted(4));
    file.node("Add", {"x", "body.attn.qkv.bias"}, "q").node("Add", {"q", "bias"}, "b");
    file.node("Mul", {"b", "body.attn.proj.bias"}, "y");
    EXPECT_EQ(numbers(weights_of(file, {1, 4, 4}).known(), "body.attn.relative_position_bias_table"),
              (std::vector<float>{-11, -10, -9, -1, 0, 1, 9, 10, 11}));
    OnnxFile mask = file;  // in which positions with one offset differ
    biases[0] = 5;
    mask.tensor("mask", {1, 4, 4}, biases).node("Add", {"y", "mask"}, "z").output("z");
    EXPECT_EQ(numbers(weights_of(mask, {1, 4, 4}).known(), "body.attn.relative_position_bias_table").at(4), 0);
}

TEST(ExportedWeights, WhatHasNoNameIsFoundByItsPlace) {
    OnnxFile file;
    file.input("x", {"height", "2"}).output("y");
    file.tensor("a.scale", {2}, {1, 1}).tensor("v_1", {2, 2}, {1, 2, 3, 4}).tensor("v_2", {2, 2}, {5, 6, 7, 8});
    file.tensor("b.scale", {2}, {2, 2});
    file.node("Mul", {"x", "a.scale"}, "s").node("MatMul", {"s", "v_1"}, "q").node("MatMul", {"q", "v_2"}, "k");
    file.node("Mul", {"k", "b.scale"}, "y");
    std::vector<WantedWeight> const wanted = {
        {"scale", {2}}, {"to_q.weight", {2, 2}}, {"to_k.weight", {2, 2, 1, 1}}, {"absent.weight", {3}}};
    FoundWeights const found = weights_of(file, {1, 4, 2}).find(wanted, "a.");
    EXPECT_EQ(numbers(found.checkpoint, "scale"), (std::vector<float>{1, 1}));
    EXPECT_EQ(numbers(found.checkpoint, "to_q.weight"), (std::vector<float>{1, 3, 2, 4}));
    EXPECT_EQ(numbers(found.checkpoint, "to_k.weight"), (std::vector<float>{5, 7, 6, 8}));
    EXPECT_EQ(found.missing, std::vector<std::string>{"absent.weight"});
}

TEST(ExportedWeights, EqualParametersThatAreStoredOnceKeepTheirNames) {
    OnnxFile file;
    file.input("x", {"height", "2"}).output("y").tensor("a.scale", {2}, {3, 4});
    file.node("Identity", {"a.scale"}, "b.scale").node("Mul", {"x", "a.scale"}, "m").node("Mul", {"m", "b.scale"}, "y");
    EXPECT_EQ(numbers(weights_of(file, {1, 4, 2}).known(), "b.scale"), (std::vector<float>{3, 4}));
}

TEST(ExportedWeights, AFoldedBatchNormChangesNothing) {
    OnnxFile file;
    file.input("x", {"height", "2"}).output("y").tensor("a.scale", {2}, {3, 4});
    file.node("Mul", {"x", "a.scale"}, "y");
    std::vector<WantedWeight> wanted;
    for (std::string const part : {"weight", "bias", "running_mean", "running_var"}) {
        wanted.push_back({"norm." + part, {2}});
    }
    FoundWeights const found = weights_of(file, {1, 4, 2}).find(wanted, "");
    EXPECT_TRUE(found.missing.empty());
    EXPECT_EQ(numbers(found.checkpoint, "norm.weight"), (std::vector<float>{1, 1}));
    EXPECT_FLOAT_EQ(numbers(found.checkpoint, "norm.running_var").at(0) + 1e-5F, 1);
}

TEST(ExportedWeights, ATableReadRowByRowIsPutTogether) {
    OnnxFile file;
    file.input("x", {"height", "3"}).output("y").tensor("a.scale", {3}, {1, 1, 1}).tensor("b.scale", {3}, {2, 2, 2});
    file.tensor("v_1", {1, 3}, {1, 2, 3}).tensor("v_2", {1, 3}, {4, 5, 6});
    file.node("Mul", {"x", "a.scale"}, "s").node("Add", {"s", "v_1"}, "q").node("Add", {"q", "v_2"}, "k");
    file.node("Mul", {"k", "b.scale"}, "y");
    auto const weights = weights_of(file, {1, 4, 3});
    FoundWeights const found = weights.find({{"scale", {3}}, {"levels", {2, 3}}, {"more", {3, 3}}}, "a.");
    EXPECT_EQ(numbers(found.checkpoint, "levels"), (std::vector<float>{1, 2, 3, 4, 5, 6}));
    EXPECT_EQ(found.missing, std::vector<std::string>{"more"});
}

TEST(ExportedWeights, RowsThatWereAddedToSinePositionsAreTakenOffThem) {
    // Maps of 2 × 4, 4 × 8 and 8 × 16 for a picture of 64 × 128; channels 0 and 1 tell the row, 2 and 3 the column.
    std::vector<float> positions;
    for (int const level : {0, 1, 2}) {
        int const h = 2 << level, w = 4 << level;
        for (int i = 0; i < h * w; ++i) {
            double const y = 6.283185307179586 * (i / w + 1) / (h + 1e-6),
                         x = 6.283185307179586 * (i % w + 1) / (w + 1e-6);
            for (double const one : {std::sin(y), std::cos(y), std::sin(x), std::cos(x)}) {
                positions.push_back(static_cast<float>(one + level + 0.5));
            }
        }
    }
    OnnxFile file;
    file.input("x", {"1", "168", "4"}).output("y").tensor("folded", {1, 168, 4}, positions);
    file.node("Add", {"x", "folded"}, "y");
    OnnxSource const source = file.source();
    auto const reads = source.trace(source.inputs({1, 168, 4}), *make_reference_backend()).reads;
    ExportedWeights const weights(reads, source.named_tensors(), {}, {1, 64, 128});
    auto const levels = numbers(weights.find({{"level_embed", {3, 4}}}, "").checkpoint, "level_embed");
    ASSERT_EQ(levels.size(), 12U);
    for (std::size_t i = 0; i < levels.size(); ++i) EXPECT_NEAR(levels[i], 0.5 + static_cast<double>(i / 4), 1e-6);
    ExportedWeights const of_another_size(reads, source.named_tensors(), {}, {1, 128, 64});
    EXPECT_FALSE(of_another_size.find({{"level_embed", {3, 4}}}, "").missing.empty());
}

TEST(ExportedWeights, NodesTellTheModuleOfAFoldedConvolution) {
    OnnxFile file;
    file.input("x", {"1", "2", "height", "width"}).output("y").tensor("w_1", {2, 2, 1, 1}, counted(4));
    file.tensor("w_2", {2}, counted(2)).node("Conv", {"x", "w_1", "w_2"}, "y", {}, "/net/body/body.0/conv/Conv");
    auto const found = weights_of(file, {1, 4, 4})
                           .find({{"body.0.conv.weight", {2, 2, 1, 1}},
                                  {"body.0.norm.weight", {2}},
                                  {"body.0.norm.bias", {2}},
                                  {"body.0.norm.running_mean", {2}},
                                  {"body.0.norm.running_var", {2}}},
                                 "net.");
    EXPECT_TRUE(found.missing.empty());
    EXPECT_EQ(numbers(found.checkpoint, "body.0.conv.weight"), counted(4));
    EXPECT_EQ(numbers(found.checkpoint, "body.0.norm.bias"), counted(2));
    EXPECT_EQ(numbers(found.checkpoint, "body.0.norm.running_mean"), (std::vector<float>{0, 0}));
}

}  // namespace
}  // namespace vitrum
