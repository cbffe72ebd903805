// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <map>
#include <numeric>

#include "detection.h"
#include "formats/checkpoint.h"
#include "vitrum/engine.h"
#include "vitrum/error.h"

namespace vitrum {
namespace {

std::string const kData = VITRUM_TEST_DATA;

/// A checkpoint file's tensors as memory.
MemoryCheckpoint memory_of(std::string const& file) {
    Checkpoint const checkpoint = open_checkpoint(kData + "/" + file);
    MemoryCheckpoint memory{"the state", "tensors in memory", {}, checkpoint.storage, {}, {}};
    for (auto const& [name, view] : checkpoint.tensors) {
        auto const type = view.dtype == DType::f32 ? ElementType::f32 : ElementType::i64;
        memory.tensors.push_back({name,
                                  type,
                                  {view.shape.begin(), view.shape.end()},
                                  {view.strides.begin(), view.strides.end()},
                                  view.data});
    }
    return memory;
}

std::vector<float> answer(Model const& model) {
    Session session(Engine::compile(model, {.threads = 1}));
    session.prepare({1, 9, 12});
    std::iota(session.input().begin(), session.input().end(), 0.0F);
    session.run();
    auto const output = session.output();
    return {output.begin(), output.end()};
}

MemoryTensor& tensor_of(MemoryCheckpoint& memory, std::string const& name) {
    for (auto& tensor : memory.tensors) {
        if (tensor.name == name) return tensor;
    }
    throw std::out_of_range(name);
}

template <class F>
std::string refusal_of(F const& change, ErrorKind kind) {
    auto memory = memory_of("swinir_lightweight_x2.safetensors");
    change(memory);
    try {
        static_cast<void>(Model::from_memory(memory));
    } catch (Error const& error) {
        EXPECT_EQ(error.kind(), kind) << error.what();
        return error.what();
    }
    return "accepted";
}

TEST(FromMemory, IsTheModelOfTheFile) {
    auto const memory = memory_of("swinir_lightweight_x2.safetensors");
    Model const model = Model::from_memory(memory, {{"img_range", "255"}});
    Model const file = Model::load(kData + "/swinir_lightweight_x2.safetensors", {{"img_range", "255"}});
    EXPECT_EQ(model.info().variant, file.info().variant);
    EXPECT_EQ(model.info().format, "tensors in memory");
    EXPECT_EQ(answer(model), answer(file));
}

TEST(FromMemory, TakesTurnedMatricesAndOtherTypes) {
    auto memory = memory_of("swinir_lightweight_x2.safetensors");
    auto& weight = tensor_of(memory, "params.layers.0.residual_group.blocks.0.mlp.fc1.weight");
    auto const rows = weight.shape[0], columns = weight.shape[1];
    std::vector<double> turned(static_cast<std::size_t>(rows * columns));
    for (std::int64_t i = 0; i < rows * columns; ++i) {
        auto const to = i % columns * rows + i / columns;
        turned[static_cast<std::size_t>(to)] = static_cast<float const*>(weight.data)[i];
    }
    weight = {weight.name, ElementType::f64, weight.shape, {1, rows}, turned.data()};
    EXPECT_EQ(answer(Model::from_memory(memory)), answer(Model::load(kData + "/swinir_lightweight_x2.safetensors")));
}

TEST(FromMemory, ReadsAConfig) {
    auto const folder = "mask2former_swin_folder";
    auto memory = memory_of(folder);
    EXPECT_TRUE(Model::from_memory(memory).info().segmentation.class_names.empty());
    auto const names = Model::load(kData + "/" + folder).info().segmentation.class_names;
    for (std::size_t i = 0; i < names.size(); ++i) {
        memory.config +=
            (i == 0 ? R"({"id2label": {)" : ", ") + ('"' + std::to_string(i) + R"(": "c)") + names[i] + '"';
    }
    memory.config += "}}";
    EXPECT_EQ(Model::from_memory(memory).info().segmentation.class_names.at(1), "c" + names.at(1));
    memory.config = R"({"num_queries": 12345})";
    EXPECT_THROW(static_cast<void>(Model::from_memory(memory)), Error);
    memory.config = "{";
    EXPECT_THROW(static_cast<void>(Model::from_memory(memory)), Error);
}

TEST(FromMemory, NamesTheWeightsInErrors) {
    expect_in(refusal_of([](auto& memory) { memory.tensors.pop_back(); }, ErrorKind::failed),
              "the state: not a network that vitrum knows; the nearest is SwinIR");
}

TEST(FromMemory, RefusesExtentsThatMakeNoSense) {
    auto const with = [](auto change) {
        return refusal_of([&](MemoryCheckpoint& memory) { change(memory.tensors[0]); }, ErrorKind::usage);
    };
    expect_in(with([](MemoryTensor& t) { t.shape.assign(9, 1); }), "more than 8 dimensions");
    expect_in(with([](MemoryTensor& t) { t.shape[0] = -1; }), "negative or absurd");
    expect_in(with([](MemoryTensor& t) { t.data = nullptr; }), "no data");
    expect_in(with([](MemoryTensor& t) { t.strides.push_back(1); }), "strides");
    expect_in(with([](MemoryTensor& t) { t.strides.front() = -1; }), "strides");
    expect_in(refusal_of([](auto& memory) { memory.tensors.push_back(memory.tensors[0]); }, ErrorKind::failed),
              "two tensors are named");
}

TEST(TensorInfos, TellQueriesFromPictures) {
    Engine const engine = Engine::open(kData + "/mask2former_swin_folder");
    auto const outputs = engine.outputs({1, 4, 32});  // masks of one row
    EXPECT_TRUE(outputs.at(0).queries);
    EXPECT_FALSE(outputs.at(1).queries);
    EXPECT_EQ(outputs.at(1).shape.at(1), 1);
    EXPECT_FALSE(engine.inputs({1, 1, 1}).at(0).queries);
}

}  // namespace
}  // namespace vitrum
