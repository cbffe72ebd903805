// SPDX-License-Identifier: Apache-2.0
#include "onnx_graph.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/engine_data.h"
#include "reference/backend.h"
#include "vitrum/error.h"

namespace vitrum {
namespace {

using test::OnnxFile;
using Edges = OnnxSource::Edges;

std::vector<std::string> const kPicture = {"batch", "3", "height", "width"};

Graph graph_of(OnnxFile const& file, Sizes const& sizes, Edges edges = Edges::as_stated) {
    OnnxSource const source = file.source();
    Graph graph = source.graph(source.inputs(sizes), *make_reference_backend(), edges);
    EXPECT_EQ(graph_violation(graph), "");
    return graph;
}
std::string error_of(OnnxFile const& file, Sizes const& sizes = {1, 4, 4}) {
    try {
        static_cast<void>(graph_of(file, sizes));
    } catch (Error const& error) {
        return error.what();
    }
    return "no error";
}
std::vector<float> run(Graph const& graph, std::vector<float> const& input, Device device) {
    CompileOptions const options{.device = device, .threads = 2, .isa = {}};
    Session session(Engine(std::make_shared<Engine::Data>(ModelInfo{}, graph, options)));
    session.prepare({1, 1, 1});
    std::ranges::copy(input, session.input().data());
    session.run();
    return {session.output().begin(), session.output().end()};
}
#define EXPECT_PART(text, wanted) EXPECT_NE((text).find(wanted), std::string::npos) << (text)

TEST(OnnxGraph, ShapeArithmeticIsGoneOnceSizesAreKnown) {
    // y = reshape(x, [shape(x)[0], −1]), as exporters write it
    OnnxFile file;
    file.input("x", kPicture).output("y").integers("zero", {0}).integers("minus", {-1});
    file.node("Shape", {"x"}, "shape")
        .node("Gather", {"shape", "zero"}, "batch")
        .node("Concat", {"batch", "minus"}, "to");
    file.node("Reshape", {"x", "to"}, "y");
    Graph const graph = graph_of(file, {2, 4, 5});
    ASSERT_EQ(graph.nodes.size(), 1U);
    EXPECT_EQ(graph.value(graph.outputs[0]).dense_type().shape, (Shape{2, 60}));
}

TEST(OnnxGraph, ConvolutionsOfPicturesAreTheFastOperatorsAndStayOnPixels) {
    OnnxFile file;
    file.input("x", kPicture).output("y");
    file.tensor("w", {3, 3, 3, 3}, std::vector<float>(81, 0.1F)).tensor("b", {3}, {1, 2, 3});
    file.node("Conv", {"x", "w", "b"}, "c", {{"pads", 1}}).node("Relu", {"c"}, "r").node("Add", {"r", "x"}, "y");
    Graph const graph = graph_of(file, {1, 5, 6}, Edges::pixels);
    ASSERT_EQ(graph.nodes.size(), 3U) << print(graph);
    EXPECT_TRUE(std::holds_alternative<Conv2d>(graph.nodes[0].op));
    EXPECT_TRUE(std::holds_alternative<Activate>(graph.nodes[1].op));
    EXPECT_TRUE(std::holds_alternative<Add>(graph.nodes[2].op));
}

TEST(OnnxGraph, BackendsAgreeOnAGraphOfBothLayouts) {
    OnnxFile file;
    file.input("x", kPicture).output("y").tensor("w", {4, 3, 3, 3}, std::vector<float>(108, 0.05F));
    file.node("Conv", {"x", "w"}, "c", {{"pads", 1}}).node("Sigmoid", {"c"}, "s").node("Mul", {"s", "c"}, "m");
    file.node("Softmax", {"m"}, "f").node("Transpose", {"f"}, "y", {{"perm", 0x0312}});
    Graph const graph = graph_of(file, {1, 6, 7}, Edges::pixels);
    std::vector<float> input(126);
    for (std::size_t i = 0; i < input.size(); ++i) input[i] = static_cast<float>(i % 11) - 5;
    auto const expected = run(graph, input, Device::reference), made = run(graph, input, Device::cpu);
    ASSERT_EQ(expected.size(), 168U);
    for (std::size_t i = 0; i < made.size(); ++i) EXPECT_NEAR(made[i], expected[i], 1e-6) << i;
}

TEST(OnnxGraph, RefusesWhatItCannotDoByName) {
    auto const file = [](std::string const& op) {
        OnnxFile f;
        return f.input("x", kPicture).output("y").node(op, {"x"}, "y");
    };
    EXPECT_PART(error_of(file("Unheard")),
                "model.onnx: Unheard \"Unheard_node\": the operator Unheard is not supported");
    OnnxFile reshape;
    reshape.input("x", {"4"}, 7).output("y").node("ConstantOfShape", {"x"}, "y");
    EXPECT_PART(error_of(reshape), "depends on the numbers of an input");
    OnnxFile contradiction;
    contradiction.input("x", {"2", "3"}).output("y").tensor("w", {4, 2}, std::vector<float>(8, 1));
    contradiction.node("MatMul", {"x", "w"}, "y");
    EXPECT_PART(error_of(contradiction, {1, 2, 3}), "float32[2, 3] cannot be multiplied by float32[4, 2]");
}

TEST(OnnxGraph, ErrorsStayOnOneLineWhateverTheFilesNames) {
    OnnxFile op, extent, shape;
    op.input("x", kPicture).output("y").node("A\nB", {"x"}, "y");
    EXPECT_PART(error_of(op), "the operator A\\x0aB is not supported");
    extent.input("z", kPicture).input("x\n", {"e\nf"}).output("y").node("Relu", {"x\n"}, "y");
    EXPECT_PART(error_of(extent), "input \"x\\x0a\" is open; say it with --set e\\x0af=");
    shape.input("x\n", {"1", "e\nf"}).output("y").node("Relu", {"x\n"}, "y");
    try {
        static_cast<void>(shape.source({{"e\nf", 2}}).inputs(std::vector<std::vector<std::int64_t>>{{1, 3}}));
        ADD_FAILURE() << "should have thrown";
    } catch (Error const& error) {
        EXPECT_EQ(std::string_view(error.what()).find('\n'), std::string_view::npos) << error.what();
    }
}

TEST(OnnxGraph, ListsAreGoneOnceTheGraphIsMade) {
    // y = x with its rows the other way round
    OnnxFile file;
    file.input("x", {"3", "4"}).output("y").integers("two", {2}).integers("one", {1}).integers("zero", {0});
    file.node("SplitToSequence", {"x"}, "rows").node("SequenceLength", {"rows"}, "n");
    file.node("SequenceEmpty", {}, "none").node("SequenceAt", {"rows", "two"}, "last");
    file.node("SequenceErase", {"rows", "two"}, "first").node("SequenceInsert", {"none", "last"}, "list");
    file.node("SequenceAt", {"first", "zero"}, "a").node("SequenceInsert", {"list", "a"}, "two_rows");
    file.node("SequenceAt", {"first", "one"}, "b").node("SequenceInsert", {"two_rows", "b", "one"}, "all");
    file.node("ConcatFromSequence", {"all"}, "y", {{"axis", 0}});
    Graph const graph = graph_of(file, {1, 3, 4});
    EXPECT_EQ(run(graph, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, Device::cpu),
              (std::vector<float>{8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3}));
}

TEST(OnnxGraph, AListIsAnInputAndAnOutputForEachOfItsTensors) {
    OnnxFile file;
    file.input("a", {"2"}).list("x", {"2", "n"}).output("y").node("SequenceInsert", {"x", "a"}, "y");
    OnnxSource const source = file.source();
    auto const types = source.inputs(std::vector<std::vector<std::int64_t>>{{2}, {2, 3}, {2, 3}});
    Graph const graph = source.graph(types, *make_reference_backend(), Edges::as_stated);
    EXPECT_EQ(graph_violation(graph), "");
    ASSERT_EQ(graph.inputs.size(), 3U);
    EXPECT_EQ(graph.value(graph.inputs[2]).name, "x[1]");
    ASSERT_EQ(graph.outputs.size(), 3U);
    EXPECT_EQ(graph.value(graph.outputs[2]).name, "y[2]");
    EXPECT_EQ(graph.value(graph.outputs[2]).dense_type().shape, Shape{2});
    EXPECT_THROW(static_cast<void>(source.inputs(std::vector<std::vector<std::int64_t>>{})), Error);
    EXPECT_THROW(static_cast<void>(source.inputs({1, 2, 2})), Error);  // no picture's size tells how many
    EXPECT_FALSE(source.follows_sizes());
    OnnxFile tensor;
    tensor.list("x", {"2"}).output("y").node("Relu", {"x"}, "y");
    try {
        static_cast<void>(tensor.source().graph({{DType::f32, {2}}}, *make_reference_backend(), Edges::as_stated));
        ADD_FAILURE() << "should have thrown";
    } catch (Error const& error) {
        EXPECT_PART(std::string(error.what()), "a list of tensors where a tensor is expected");
    }
}

TEST(OnnxGraph, AGraphMayTakeNothing) {
    OnnxFile file;
    file.output("y").tensor("t", {3}, {1, 2, 3}).node("Neg", {"t"}, "y");
    Graph const graph = graph_of(file, {});
    CompileOptions const options{.device = Device::cpu, .threads = 1, .isa = {}};
    Session session(Engine(std::make_shared<Engine::Data>(ModelInfo{}, graph, options)));
    session.prepare({1, 1, 1});
    for (int i = 0; i < 2; ++i) {
        session.run();
        EXPECT_EQ((std::vector<float>{session.output().begin(), session.output().end()}),
                  (std::vector<float>{-1, -2, -3}));
    }
}

/// The names of the operators of a graph of dense values, in order.
std::vector<std::string_view> names_of(Graph const& graph) {
    std::vector<std::string_view> names;
    for (Node const& node : graph.nodes) names.push_back(name_of(node.op));
    return names;
}

/// x as int8 steps and back, with scales along axis 1 of [1, 2, 2, 5].
OnnxFile quantised(std::vector<std::int64_t> const& dims, std::vector<float> const& scales,
                   std::vector<std::pair<std::string, std::int64_t>> const& attributes) {
    OnnxFile file;
    file.opset(21).input("x", {"1", "2", "2", "5"}).output("y");
    file.tensor("s", dims, scales).tensor("zeros", dims, std::vector<float>(scales.size(), 3));
    file.node("Cast", {"zeros"}, "z", {{"to", 3}});
    file.node("QuantizeLinear", {"x", "s", "z"}, "q", attributes);
    file.node("DequantizeLinear", {"q", "s", "z"}, "y", attributes);
    return file;
}

/// What is left of numbers with a scale each: the nearest step, ties to even, of −131 … 124 steps.
std::vector<float> expected_steps(std::vector<float> const& x, std::vector<float> const& scales) {
    std::vector<float> y(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
        y[i] = std::clamp(std::nearbyint(x[i] / scales[i]), -131.0F, 124.0F) * scales[i];
    }
    return y;
}

std::vector<float> some_numbers(std::size_t count) {
    std::vector<float> x(count);
    for (std::size_t i = 0; i < count; ++i) x[i] = static_cast<float>(static_cast<int>(i * 37 % 101) - 50) * 2.5F;
    return x;
}

TEST(OnnxQuantised, EachNodeIsOneOperatorAndKeepsItsScales) {
    Graph const graph = graph_of(quantised({2}, {0.5F, 2}, {{"axis", 1}}), {1, 2, 5});
    EXPECT_EQ(names_of(graph), (std::vector<std::string_view>{"QuantizeLinear", "DequantizeLinear"})) << print(graph);
    EXPECT_EQ(graph.value(graph.nodes[0].outputs[0]).dense_type().str(), "int8[1, 2, 2, 5]");
    for (Node const& node : graph.nodes) {
        ASSERT_EQ(node.inputs.size(), 3U);
        EXPECT_EQ(graph.value(node.inputs[1]).dense_type().str(), "float32[1, 2, 1, 1]");
        EXPECT_EQ(graph.value(node.inputs[2]).dense_type().str(), "int8[1, 2, 1, 1]");
    }
    std::vector<float> scales(20, 0.5F);
    std::fill_n(scales.begin() + 10, 10, 2.0F);
    std::vector<float> const x = some_numbers(20), expected = expected_steps(x, scales);
    for (Device const device : {Device::reference, Device::cpu}) EXPECT_EQ(run(graph, x, device), expected);
}

TEST(OnnxQuantised, BlocksOfAnAxisHaveScalesOfTheirOwn) {
    OnnxFile const file =
        quantised({1, 2, 2, 3}, {1, 2, 0.5F, 3, 1, 2, 0.25F, 1, 4, 2, 1, 0.5F}, {{"axis", -1}, {"block_size", 2}});
    Graph const graph = graph_of(file, {1, 2, 5});
    EXPECT_EQ(names_of(graph), (std::vector<std::string_view>{"QuantizeLinear", "DequantizeLinear"})) << print(graph);
    std::vector<float> const x = some_numbers(20);
    std::vector<float> const scales = {1, 1, 2, 2, 0.5F, 3, 3, 1, 1, 2, 0.25F, 0.25F, 1, 1, 4, 2, 2, 1, 1, 0.5F};
    for (Device const device : {Device::reference, Device::cpu}) {
        EXPECT_EQ(run(graph, x, device), expected_steps(x, scales));
    }
    EXPECT_PART(
        error_of(quantised({1, 2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8}, {{"axis", -1}, {"block_size", 2}}), {1, 2, 5}),
        "scales of shape [1, 2, 2, 2] for [1, 2, 2, 5] in blocks of 2 along axis 3");
}

TEST(OnnxQuantised, StoredWeightsAreThoseOfTheFastConvolution) {
    OnnxFile file;
    file.input("x", kPicture).output("y");
    file.tensor("steps", {3, 3, 3, 3}, std::vector<float>(81, 20)).tensor("s", {3}, {0.5F, 1, 2});
    file.node("Cast", {"steps"}, "q", {{"to", 3}}).node("DequantizeLinear", {"q", "s"}, "w", {{"axis", 0}});
    file.node("Conv", {"x", "w"}, "y", {{"pads", 1}});
    Graph const graph = graph_of(file, {1, 5, 6}, Edges::pixels);
    ASSERT_EQ(graph.nodes.size(), 1U) << print(graph);
    EXPECT_TRUE(std::holds_alternative<Conv2d>(graph.nodes[0].op));
    Constant const& weight = *graph.value(graph.nodes[0].inputs[Conv2d::kWeight]).constant;
    EXPECT_EQ(weight.data[0], 10);
    EXPECT_EQ(weight.data[80], 40);
}

TEST(OnnxGraph, PaddingByNothingIsNothing) {
    // As exporters write the padding to whole windows of a size that has whole windows.
    OnnxFile file;
    file.input("x", {"1", "2", "4", "4"}).output("y").integers("none", std::vector<std::int64_t>(8, 0));
    file.node("Relu", {"x"}, "r").node("Pad", {"r", "none"}, "p").node("Neg", {"p"}, "y");
    EXPECT_EQ(names_of(graph_of(file, {1, 4, 4})), (std::vector<std::string_view>{"Unary", "Unary"}));
}

TEST(OnnxGraph, OldFilesMayHaveOperatorsThatAreStillTheSame) {
    OnnxFile same, other;
    same.opset(1).input("x", {"4"}, 9).output("y").node("Not", {"x"}, "y");
    EXPECT_EQ(graph_of(same, {}).nodes.size(), 1U);
    other.opset(6).input("x", {"4"}).output("y").node("Add", {"x", "x"}, "y");
    EXPECT_PART(error_of(other), "Add of version 6 of ONNX's operators (opset) is not known, but that of version 7 on");
}

TEST(OnnxGraph, OpenExtentsAreBoundBySizesNamesAndSettings) {
    OnnxFile file;
    file.input("x", kPicture)
        .input("mask", {"height", "width"})
        .input("n", {"count"})
        .output("y")
        .node("Relu", {"x"}, "y");
    EXPECT_THROW(static_cast<void>(file.source().inputs({1, 4, 5})), Error);  // count is open
    auto const types = file.source({{"count", 7}}).inputs({2, 4, 5});
    EXPECT_EQ(types[0].shape, (Shape{2, 3, 4, 5}));
    EXPECT_EQ(types[1].shape, (Shape{4, 5}));
    EXPECT_EQ(types[2].shape, (Shape{7}));
    EXPECT_THROW(static_cast<void>(file.source({{"nobody", 7}})), Error);
}

TEST(OnnxGraph, GraphsOfOneSizeRefuseOthers) {
    OnnxFile file;
    file.input("x", {"1", "3", "8", "8"}).output("y").node("Relu", {"x"}, "y");
    OnnxSource const source = file.source();
    EXPECT_EQ(source.allowed({1, 64, 64}), (Sizes{1, 8, 8}));
    EXPECT_THROW(static_cast<void>(source.inputs({1, 9, 8})), Error);
}

}  // namespace
}  // namespace vitrum
