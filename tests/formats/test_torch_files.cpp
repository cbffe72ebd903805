// SPDX-License-Identifier: Apache-2.0
// Files that PyTorch itself wrote (tests/data/formats, made by zoo/make_format_cases.py), each beside a description of
// what a reader must find in it.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/tensor_view.h"
#include "formats/checkpoint.h"
#include "vitrum/error.h"

namespace vitrum::torch_files_test {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

fs::path const kFolder = fs::path(VITRUM_TEST_DATA) / "formats";

std::vector<std::string> cases() {
    std::vector<std::string> names;
    for (auto const& entry : fs::directory_iterator(kFolder)) {
        if (entry.path().extension() == ".pth") names.push_back(entry.path().stem().string());
    }
    std::ranges::sort(names);
    return names;
}

Json description(std::string const& name) {
    return Json::parse(std::ifstream(kFolder / (name + ".json")));
}

void expect_tensor(CheckpointTensor const& tensor, Json const& expected) {
    EXPECT_EQ(name_of(tensor.view.dtype), expected["dtype"].get<std::string>());
    auto const shape = expected["shape"].get<std::vector<std::int64_t>>();
    ASSERT_EQ(tensor.view.shape, Shape(std::span(shape)));
    std::vector<float> values(static_cast<std::size_t>(tensor.view.shape.count()));
    copy_to_f32(tensor.view, values.data());
    for (auto const& [index, value] : expected["values"].items()) {
        EXPECT_EQ(values.at(std::stoul(index)), value.get<float>()) << "element " << index;
    }
}

class TorchFile : public testing::TestWithParam<std::string> {
protected:
    fs::path path_ = kFolder / (GetParam() + ".pth");
};

TEST_P(TorchFile, HoldsWhatPyTorchWroteOrIsRefused) {
    std::string const name = GetParam();
    if (name.starts_with("bad_")) {
        EXPECT_THROW(static_cast<void>(open_checkpoint(path_)), Error) << description(name)["refuse"];
        return;
    }
    if (name.starts_with("exhausting_")) {  // 2^60 elements for a reader that walks shared lists again and again
        try {
            EXPECT_TRUE(open_checkpoint(path_).tensors.empty());
        } catch (Error const&) {  // as good an answer
        }
        return;
    }
    Checkpoint const file = open_checkpoint(path_);
    Json const expected = description(name)["tensors"];
    EXPECT_EQ(file.tensors.size(), expected.size());
    for (auto const& [key, tensor] : expected.items()) {
        SCOPED_TRACE(key);
        auto const found = std::ranges::find(file.tensors, key, &CheckpointTensor::name);
        ASSERT_NE(found, file.tensors.end());
        expect_tensor(*found, tensor);
    }
}

INSTANTIATE_TEST_SUITE_P(Formats, TorchFile, testing::ValuesIn(cases()), [](auto const& file) { return file.param; });

TEST(TorchFiles, AreThere) {
    EXPECT_GE(cases().size(), 40U);
}

}  // namespace
}  // namespace vitrum::torch_files_test
