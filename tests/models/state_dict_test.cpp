// SPDX-License-Identifier: Apache-2.0
#include "models/state_dict.h"

#include <gtest/gtest.h>

namespace vitrum {
namespace {

Checkpoint with_names(std::vector<std::string> const& names) {
    static float const kOne = 1.0F;
    Checkpoint checkpoint;
    for (auto const& name : names) {
        checkpoint.tensors.push_back({name, {reinterpret_cast<std::byte const*>(&kOne), DType::f32, {1}, {1}}});
    }
    return checkpoint;
}

TEST(StateDict, PrefersAveragedWeights) {
    auto const checkpoint = with_names({"params.a", "params_ema.a"});
    auto const candidates = StateDict::candidates(checkpoint);
    ASSERT_FALSE(candidates.empty());
    EXPECT_EQ(candidates.front().prefix(), "params_ema.");
    EXPECT_TRUE(candidates.front().has("a"));
}

TEST(StateDict, TakesModuleOffOnlyWhereAllNamesHaveIt) {
    auto const all = with_names({"module.a", "module.b"});
    EXPECT_EQ(StateDict::candidates(all).front().prefix(), "module.");
    auto const some = with_names({"module.a", "b"});
    EXPECT_EQ(StateDict::candidates(some).front().prefix(), "");
}

TEST(StateDict, OffersTheBareRootLast) {
    auto const checkpoint = with_names({"state_dict.a", "epoch"});
    EXPECT_EQ(StateDict::candidates(checkpoint).back().prefix(), "");
}

TEST(Weights, RemembersWhatWasNotThere) {
    auto const checkpoint = with_names({"a", "b"});
    auto const dict = StateDict::candidates(checkpoint).front();
    Weights weights(dict, Weights::Mode::shapes_only);
    (void)weights.get("a", {1});
    (void)weights.get("c", {2});
    EXPECT_EQ(weights.missing(), std::vector<std::string>{"c"});
    EXPECT_EQ(weights.unexpected([](std::string_view) { return false; }), std::vector<std::string>{"b"});
}

}  // namespace
}  // namespace vitrum
