// SPDX-License-Identifier: Apache-2.0
// Networks as PyTorch's exporters write them (zoo/make_onnx_cases.py), against ONNX Runtime.
#include <gtest/gtest.h>

#include "vitrum/measure.h"

namespace vitrum {
namespace {

namespace fs = std::filesystem;

fs::path file(std::string const& name) {
    return fs::path(VITRUM_TEST_DATA) / "onnx" / name;
}

class OnnxNetwork : public testing::TestWithParam<std::tuple<std::string, Device>> {};

TEST_P(OnnxNetwork, AgreesWithOnnxRuntime) {
    auto const& [name, device] = GetParam();
    Session session(Engine::open(file(name + ".onnx"), {.device = device}));
    auto const report = verify_golden(session, file(name + ".io.safetensors"));
    ASSERT_EQ(report.outputs.size(), 1U);
    EXPECT_EQ(report.outputs[0].non_finite, 0);
    EXPECT_LT(report.outputs[0].normalised, 1e-4);
    EXPECT_TRUE(report.passed);
}

INSTANTIATE_TEST_SUITE_P(Data, OnnxNetwork,
                         testing::Combine(testing::Values("convolutions_open", "elan_script11", "mstpp_script17",
                                                          "swinir_dynamo18", "swinir_script17"),
                                          testing::Values(Device::cpu, Device::reference)),
                         [](auto const& at) {
                             bool const is_cpu = std::get<1>(at.param) == Device::cpu;
                             return std::get<0>(at.param) + (is_cpu ? "_cpu" : "_reference");
                         });

TEST(OnnxModelInfo, TellsPicturesScaleAndTheOnlySize) {
    ModelInfo const info = Engine::open(file("swinir_script17.onnx")).info();
    EXPECT_EQ(info.kind, Task::restore);
    EXPECT_EQ(info.scale, 2);
    EXPECT_EQ(info.in_channels, 3);
    EXPECT_EQ(info.sizes.height, 8);
    EXPECT_EQ(info.sizes.width, 12);
    EXPECT_EQ(Engine::open(file("mstpp_script17.onnx")).info().kind, Task::tensors);
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
    Session fixed(Engine::open(file("swinir_script17.onnx")));
    EXPECT_THROW(fixed.prepare({1, 16, 16}), Error);
}

}  // namespace
}  // namespace vitrum
