// SPDX-License-Identifier: Apache-2.0
// Networks as PyTorch's exporters write them (zoo/make_onnx_cases.py), against ONNX Runtime.
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "engine/engine_data.h"
#include "onnx_graph.h"
#include "vitrum/measure.h"

namespace vitrum {
namespace {

namespace fs = std::filesystem;

fs::path file(std::string const& name) {
    return fs::path(VITRUM_TEST_DATA) / "onnx" / name;
}

void expect_golden(Engine const& engine, std::string const& name) {
    Session session(engine);
    auto const report = verify_golden(session, file(name + ".io.safetensors"));
    ASSERT_FALSE(report.outputs.empty());
    for (auto const& output : report.outputs) {
        EXPECT_EQ(output.non_finite, 0);
        EXPECT_LT(output.normalised, 1e-4);
    }
    EXPECT_TRUE(report.passed);
}

std::string name_of_case(std::string const& name, Device device) {
    return name + (device == Device::cpu ? "_cpu" : "_reference");
}

class OnnxNetwork : public testing::TestWithParam<std::tuple<std::string, Device>> {};

/// The file's own operators, whether or not they would be recognised.
TEST_P(OnnxNetwork, AgreesWithOnnxRuntime) {
    auto const& [name, device] = GetParam();
    auto source =
        std::make_shared<OnnxSource const>(read_onnx(file(name + ".onnx")), std::map<std::string, std::int64_t>{});
    expect_golden(
        Engine(std::make_shared<Engine::Data>(ModelInfo{}, std::move(source), CompileOptions{.device = device})), name);
}

INSTANTIATE_TEST_SUITE_P(
    Data, OnnxNetwork,
    testing::Combine(testing::Values("convolution_bands", "convolution_pairs", "convolutions_open", "convolutions_qdq",
                                     "elan_script11", "mask2former_dynamo18_onnxsim", "mask2former_open_script17",
                                     "mask2former_script17", "mst_cassi_script17", "mstpp_script17", "swinir_clipped",
                                     "swinir_dynamo18", "swinir_open_dynamo18", "swinir_open_script17",
                                     "swinir_script17"),
                     testing::Values(Device::cpu, Device::reference)),
    [](auto const& at) { return name_of_case(std::get<0>(at.param), std::get<1>(at.param)); });

struct Exported {
    std::string name, family, op;
};

class RecognisedNetwork : public testing::TestWithParam<Exported> {};

TEST_P(RecognisedNetwork, IsTheFamilysGraphAndAgreesWithOnnxRuntime) {
    auto const& [name, family, op] = GetParam();
    Engine const engine = Engine::open(file(name + ".onnx"));
    EXPECT_EQ(engine.info().family, family);
    std::string const graph = engine.graph_text();
    EXPECT_NE(graph.find(op), std::string::npos) << graph;
    EXPECT_EQ(graph.find("MatMul"), std::string::npos) << graph;
    expect_golden(engine, name);
}

INSTANTIATE_TEST_SUITE_P(Data, RecognisedNetwork,
                         testing::Values(Exported{"elan_script11", "ELAN", "GroupWindowAttention"},
                                         Exported{"mask2former_dynamo18_onnxsim", "Mask2Former", "QueryAttention"},
                                         Exported{"mask2former_open_script17", "Mask2Former", "DeformableAttention"},
                                         Exported{"mask2former_script17", "Mask2Former", "QueryAttention"},
                                         Exported{"mst_cassi_script17", "MST", "ShiftBack"},
                                         Exported{"mstpp_script17", "MST++", "SpectralAttention"},
                                         Exported{"swinir_dynamo18", "SwinIR", "WindowAttention"},
                                         Exported{"swinir_open_dynamo18", "SwinIR", "WindowAttention"},
                                         Exported{"swinir_open_script17", "SwinIR", "WindowAttention"},
                                         Exported{"swinir_script17", "SwinIR", "WindowAttention"}),
                         [](auto const& at) { return at.param.name; });

TEST(OnnxNetwork, TellsWhatQuantisedAndWhatItQuantisedTo) {
    std::string const graph = Engine::open(file("convolutions_qdq.onnx")).graph_text();
    for (std::string const part :
         {"= QuantizeLinear(", "= DequantizeLinear(", " int8[1, 3, ", "  # x_QuantizeLinear", "  # x_DequantizeLinear",
          "# /1/Relu_output_0_QuantizeLinear", "@/1/Relu_output_0_scale"}) {
        EXPECT_NE(graph.find(part), std::string::npos) << part << " in\n" << graph;
    }
}

TEST(OnnxRecognition, KeepsTheFilesOwnTensorNamesAndServesEverySize) {
    Engine const engine = Engine::open(file("swinir_script17.onnx"));  // exported for 8 × 12
    EXPECT_EQ(engine.inputs({1, 8, 12})[0].name, "x");
    EXPECT_EQ(engine.info().format.substr(0, 14), "ONNX, opset 17");
    Session session(engine);
    session.prepare({2, 5, 17});
    EXPECT_EQ(session.output().size(), 2U * 10 * 34 * 3);
}

TEST(OnnxRecognition, FilesThatOnlyGiveOneSizeServeEverySize) {
    // Says that its sides are open, and computes with those of the picture that it was exported with.
    Engine const engine = Engine::open(file("mask2former_open_script17.onnx"));
    Session session(engine);
    session.prepare({2, 70, 41});
    session.run();
    EXPECT_EQ(engine.outputs({2, 70, 41})[1].shape, (std::vector<std::int64_t>{2, 18, 11, 6}));
}

TEST(OnnxRecognition, RefusesTheSameWeightsInAnotherNetworkAndSaysWhy) {
    ModelInfo const info = Engine::open(file("swinir_clipped.onnx")).info();
    EXPECT_EQ(info.family, "ONNX");
    ASSERT_EQ(info.notes.size(), 1U);
    EXPECT_EQ(info.notes[0].substr(0, 58), "not recognised as SwinIR: its network gives something else");
}

TEST(OnnxRecognition, ReadsOffTheFileWhatWeightsDoNotTell) {
    ModelInfo const info = Engine::open(file("elan_script11.onnx")).info();
    for (Hyperparameter const& h : info.hyperparameters) {
        if (h.name != "window_sizes") continue;
        EXPECT_EQ(h.value, "2, 4, 8");
        EXPECT_EQ(h.evidence, "the file's operators");
        return;
    }
    ADD_FAILURE() << "no window_sizes";
}

std::string refusal(std::string const& name, Overrides const& overrides) {
    try {
        static_cast<void>(Engine::open(file(name), {}, overrides));
    } catch (Error const& error) {
        EXPECT_EQ(error.kind(), ErrorKind::usage);
        return error.what();
    }
    return "accepted";
}

TEST(OnnxRecognition, TakesTheFamilysSettingsWhereTheyFitTheFile) {
    EXPECT_EQ(refusal("swinir_script17.onnx", {{"img_range", "1"}}), "accepted");
    EXPECT_NE(refusal("swinir_script17.onnx", {{"img_range", "2"}}).find("not recognised as SwinIR"),
              std::string::npos);
    EXPECT_NE(refusal("swinir_script17.onnx", {{"nothing", "2"}}).find("has no setting"), std::string::npos);
    EXPECT_NE(refusal("convolutions_open.onnx", {{"img_range", "2"}}).find("no extent is named"), std::string::npos);
}

TEST(OnnxRecognition, MakesEngineFiles) {
    auto const path = fs::temp_directory_path() / "vitrum_recognised.vitrum";
    Engine::open(file("swinir_open_script17.onnx")).save(path);
    expect_golden(Engine::load(path), "swinir_open_script17");
    fs::remove(path);
}

std::vector<float> output_of(Engine const& engine, Sizes const& sizes) {
    Session session(engine);
    session.prepare(sizes);
    auto const input = session.input();
    for (std::size_t i = 0; i < input.size(); ++i) input[i] = static_cast<float>(i * 37 % 101) / 101;
    session.run();
    return {session.output().begin(), session.output().end()};
}

class OnnxEngineFile : public testing::Test {
protected:
    void SetUp() override { fs::create_directories(folder_); }
    void TearDown() override { fs::remove_all(folder_); }

    fs::path const folder_ = fs::temp_directory_path() / ("vitrum_onnx_engine_" + std::to_string(getpid()));
    fs::path const path_ = folder_ / "x.vitrum";
};

TEST_F(OnnxEngineFile, GivesTheSameGraphsAndBitsAtEverySize) {
    for (std::string const name : {"convolutions_qdq.onnx", "convolutions_open.onnx"}) {
        Engine const engine = Engine::open(file(name), {}, {{"range", "255"}});
        engine.save(path_);
        Engine const saved = Engine::load(path_);
        EXPECT_EQ(saved.info().value_range, 255);
        EXPECT_EQ(saved.info().format, "vitrum engine");
        for (Sizes const sizes : {Sizes{1, 8, 12}, Sizes{2, 9, 7}}) {
            EXPECT_EQ(saved.graph_text(sizes), engine.graph_text(sizes));
            EXPECT_EQ(output_of(saved, sizes), output_of(engine, sizes));
        }
        saved.save(folder_ / "again.vitrum");  // from what the first file holds
        EXPECT_EQ(output_of(Engine::load(folder_ / "again.vitrum"), {1, 5, 5}), output_of(engine, {1, 5, 5}));
    }
}

TEST_F(OnnxEngineFile, KeepsNotesAndSettingsAlsoOnAnotherDevice) {
    Engine const engine = Engine::open(file("swinir_clipped.onnx"), {}, {{"range", "2"}});
    engine.on_device(Device::reference).save(path_);
    ModelInfo const info = Engine::load(path_).info();
    EXPECT_EQ(info.notes, engine.info().notes);
    EXPECT_EQ(info.value_range, 2);
    EXPECT_EQ(info.sizes.height, 8);
}

TEST_F(OnnxEngineFile, HoldsTheFilesThatTensorsLieIn) {
    test::OnnxFile onnx;
    onnx.input("x", {"n", "3", "h", "w"}).output("y").tensor_beside("w", {3, 3, 3, 3}, "weights.bin");
    onnx.node("Conv", {"x", "w"}, "y", {{"pads", 1}});
    std::vector<float> weights(81);
    for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<float>(i) / 100;
    fs::path const model = folder_ / "model";
    fs::create_directory(model);
    std::ofstream(model / "m.onnx", std::ios::binary) << onnx.bytes();
    std::ofstream(model / "weights.bin", std::ios::binary)
        .write(reinterpret_cast<char const*>(weights.data()), std::ssize(weights) * 4);
    Engine const engine = Engine::open(model / "m.onnx");
    auto const expected = output_of(engine, {1, 6, 7});
    engine.save(path_);
    fs::remove_all(model);
    EXPECT_EQ(output_of(Engine::load(path_), {1, 6, 7}), expected);
}

TEST(OnnxModelInfo, TellsPicturesScaleAndTheOnlySize) {
    ModelInfo const info = Engine::open(file("swinir_clipped.onnx")).info();
    EXPECT_EQ(info.kind, Task::restore);
    EXPECT_EQ(info.scale, 2);
    EXPECT_EQ(info.in_channels, 3);
    EXPECT_EQ(info.sizes.height, 8);
    EXPECT_EQ(info.sizes.width, 12);
    EXPECT_EQ(Engine::open(file("convolution_bands.onnx")).info().kind, Task::tensors);
    EXPECT_EQ(Engine::open(file("convolution_pairs.onnx")).info().sizes.batch, 2);
}

TEST(OnnxModelInfo, TakesTheValueRangeFromTheCaller) {
    EXPECT_EQ(Engine::open(file("convolutions_open.onnx"), {}, {{"range", "255"}}).info().value_range, 255);
    EXPECT_THROW(static_cast<void>(Engine::open(file("convolutions_open.onnx"), {}, {{"range", "x"}})), Error);
}

TEST(OnnxSizes, EachGetsAGraphOfItsOwnAndFixedOnesRefuseOthers) {
    Session session(Engine::open(file("convolutions_open.onnx")));
    for (Sizes const sizes : {Sizes{1, 5, 7}, Sizes{2, 9, 4}, Sizes{1, 5, 7}}) {
        session.prepare(sizes);
        EXPECT_EQ(session.input().size(), static_cast<std::size_t>(sizes.n * sizes.h * sizes.w * 3));
        EXPECT_EQ(session.output().size(), static_cast<std::size_t>(sizes.n * sizes.h * sizes.w * 12));
        session.run();
    }
    Session fixed(Engine::open(file("swinir_clipped.onnx")));
    EXPECT_THROW(fixed.prepare({1, 16, 16}), Error);
}

TEST(OnnxTensors, OpenExtentsFollowTheShapesOfInputs) {
    Engine const engine = Engine::open(file("tensors_embedding.onnx"));
    EXPECT_EQ(engine.info().kind, Task::tensors);
    auto const declared = engine.declared_inputs();
    ASSERT_EQ(declared.size(), 3U);
    EXPECT_EQ(declared[0].dtype, "int64");
    Session session(engine);
    for (std::int64_t const length : {5, 1, 5}) {
        InputShapes const shapes({{2, length}, {2, length, 3}, {}});
        session.prepare(shapes);
        auto const outputs = engine.outputs(shapes);
        EXPECT_EQ(outputs[0].shape, (std::vector<std::int64_t>{2, length, 3}));
        EXPECT_EQ(outputs[1].dtype, "int64");
        EXPECT_EQ(session.input(1).size(), static_cast<std::size_t>(2 * length * 3));
        std::ranges::fill(session.input_bytes(0), std::byte{});  // row 0 of the table
        std::ranges::fill(session.input(1), 1.0F);
        session.run();
        EXPECT_EQ(session.output(0)[2], 1.25F);
    }
}

TEST(OnnxTensors, RefuseShapesThatTheFileContradicts) {
    Session session(Engine::open(file("tensors_embedding.onnx")));
    EXPECT_THROW(session.prepare(InputShapes({{2, 5}, {2, 5, 4}, {}})), Error);
    EXPECT_THROW(session.prepare(InputShapes({{2, 5}, {2, 4, 3}, {}})), Error);
    EXPECT_THROW(session.prepare(InputShapes({{2, 5}, {2, 5, 3}})), Error);
    Session open(Engine::open(file("tensors_types.onnx")));
    EXPECT_THROW(open.prepare({1, 2, 5}), Error) << "no picture's size tells five extents";
    Session set(Engine::open(file("tensors_embedding.onnx"), {}, {{"batch", "2"}}));
    set.prepare(InputShapes({{2, 1}, {2, 1, 3}, {}}));
    EXPECT_THROW(set.prepare(InputShapes({{1, 1}, {1, 1, 3}, {}})), Error);
}

TEST(OnnxTensors, SizesAndShapesOfOneSessionAreToldApart) {
    Session session(Engine::open(file("convolution_bands.onnx")));
    InputShapes const shapes({{1, 3, 8, 12}});
    session.prepare({1, 8, 12});
    session.prepare(shapes);
    EXPECT_EQ(session.input().size(), 3U * 8 * 12);
    EXPECT_EQ(session.engine().inputs(shapes)[0].shape, (std::vector<std::int64_t>{1, 8, 12, 3}));
    Session family(Engine::open(file("swinir_open_dynamo18.onnx")));
    EXPECT_THROW(family.prepare(shapes), Error);
}

}  // namespace
}  // namespace vitrum
