// SPDX-License-Identifier: Apache-2.0
// Every case of tests/data: a checkpoint made by a script of zoo/ and what PyTorch answers for it.
#include <gtest/gtest.h>

#include <algorithm>

#include "vitrum/measure.h"

namespace vitrum {
namespace {

std::vector<std::string> golden_cases() {
    std::vector<std::string> names;
    for (auto const& entry : std::filesystem::directory_iterator(VITRUM_TEST_DATA)) {
        auto const file = entry.path().filename().string();
        constexpr std::string_view kSuffix = ".io.safetensors";
        if (file.ends_with(kSuffix)) names.push_back(file.substr(0, file.size() - kSuffix.size()));
    }
    std::ranges::sort(names);
    return names;
}

std::filesystem::path checkpoint_of(std::string const& name) {
    for (std::string const extension : {".pth", ".pt", ".safetensors", ".pkl", ""}) {
        auto path = std::filesystem::path(VITRUM_TEST_DATA) / (name + extension);
        if (std::filesystem::exists(path)) return path;
    }
    return name + " has no checkpoint";
}

class Golden : public testing::TestWithParam<std::tuple<std::string, Device>> {};

TEST_P(Golden, AgreesWithPyTorch) {
    auto const& [name, device] = GetParam();
    Session session(Engine::open(checkpoint_of(name), {.device = device}));
    auto const report = verify_golden(session, std::filesystem::path(VITRUM_TEST_DATA) / (name + ".io.safetensors"));
    ASSERT_FALSE(report.outputs.empty());
    for (auto const& output : report.outputs) {
        EXPECT_EQ(output.non_finite, 0);
        EXPECT_LT(output.normalised, 2e-5);  // the aim; the limit is 1e-4
    }
    EXPECT_TRUE(report.passed);
}

class SavedEngine : public testing::TestWithParam<std::string> {};

TEST_P(SavedEngine, HoldsTheSameGraph) {
    auto const path = std::filesystem::temp_directory_path() / ("vitrum_saved_" + GetParam() + ".vitrum");
    Engine const engine = Engine::open(checkpoint_of(GetParam()));
    engine.save(path);
    EXPECT_EQ(Engine::load(path).graph_text(), engine.graph_text());
    std::filesystem::remove(path);
}

INSTANTIATE_TEST_SUITE_P(Data, SavedEngine, testing::ValuesIn(golden_cases()),
                         [](auto const& param) { return param.param; });

INSTANTIATE_TEST_SUITE_P(
    Data, Golden, testing::Combine(testing::ValuesIn(golden_cases()), testing::Values(Device::cpu, Device::reference)),
    [](auto const& param) {
        return std::get<0>(param.param) + (std::get<1>(param.param) == Device::cpu ? "_cpu" : "_reference");
    });

}  // namespace
}  // namespace vitrum
