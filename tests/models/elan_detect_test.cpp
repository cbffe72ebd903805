// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>

#include "checkpoint_file.h"
#include "detection.h"
#include "vitrum/engine.h"
#include "vitrum/error.h"

namespace vitrum {
namespace {

/// An ELAN checkpoint under construction: two blocks in the original's naming.
struct ElanFile : CheckpointFile {
    struct Options {
        int channels = 12, n_share = 1, scale = 2;
    };

    ElanFile() : ElanFile(Options{}) {}
    explicit ElanFile(Options const& o) {
        for (std::string const name : {"sub_mean", "add_mean"}) {
            conv(name, 3, 3, 1);
            set(name + ".weight", {3, 3, 1, 1}, 0);
        }
        conv("head.0", 3, o.channels);
        conv("tail.0", o.channels, 3 * o.scale * o.scale);
        for (int block = 0; block < 2; ++block) {
            for (int pair = 0; pair <= o.n_share; ++pair) add_pair("body." + std::to_string(block), pair, o.channels);
        }
    }

    void add_pair(std::string const& block, int pair, int c) {
        auto const lfe = block + ".modules_lfe.lfe_" + std::to_string(pair);
        conv(lfe + ".conv0.shift_conv.conv1x1", c, 2 * c, 1);
        set(lfe + ".conv0.shift_conv.weight", {c, 1, 3, 3});
        conv(lfe + ".conv1.shift_conv.conv1x1", 2 * c, c, 1);
        set(lfe + ".conv1.shift_conv.weight", {2 * c, 1, 3, 3});
        auto const gmsa = block + ".modules_gmsa.gmsa_" + std::to_string(pair);
        int const rows = pair == 0 ? 2 * c : c;
        conv(gmsa + ".project_inp.0", c, rows, 1);
        for (std::string const name : {"weight", "bias", "running_mean", "running_var"}) {
            set(std::string(gmsa).append(".project_inp.1.").append(name), {rows});
        }
        set(gmsa + ".project_inp.1.num_batches_tracked", {1});
        conv(gmsa + ".project_out", c, c, 1);
    }

    /// The naming of networks that keep their modules in lists.
    ElanFile& listed() {
        renamed([](std::string name) {
            auto const replace = [&](std::string_view from, std::string_view to) {
                if (auto const at = name.find(from); at != std::string::npos) name.replace(at, from.size(), to);
            };
            replace("head.0.", "head.");
            replace("lfe.lfe_", "lfe.");
            replace("gmsa.gmsa_", "gmsa.");
            replace("conv0.shift_conv.weight", "lfe.0.mask");
            replace("conv1.shift_conv.weight", "lfe.2.mask");
            replace("conv0.shift_conv.conv1x1", "lfe.0");
            replace("conv1.shift_conv.conv1x1", "lfe.2");
            return name;
        });
        return *this;
    }
};

TEST(DetectElan, TellsTheLightNetworkByItsSharedMaps) {
    ElanFile light;
    EXPECT_EQ(Model::load(light.write()).info().variant, "ELAN-light ×2");
    ElanFile full({.n_share = 0, .scale = 3});
    EXPECT_EQ(Model::load(full.write()).info().variant, "ELAN ×3");
}

TEST(DetectElan, ReadsSizesFromKeysAndShapes) {
    ElanFile file({.channels = 18, .n_share = 2, .scale = 4});
    ModelInfo const info = Model::load(file.write()).info();
    EXPECT_EQ(value_of(info, "c_elan"), "18");
    EXPECT_EQ(value_of(info, "hidden"), "36");
    EXPECT_EQ(value_of(info, "n_share"), "2");
    EXPECT_EQ(value_of(info, "m_elan"), "6");
    EXPECT_EQ(value_of(info, "scale"), "4");
    EXPECT_EQ(info.tile_multiple, 16);
    EXPECT_EQ(info.value_range, 255);
    for (auto const& h : info.hyperparameters) EXPECT_FALSE(h.evidence.empty()) << h.name;
}

TEST(DetectElan, KnowsBothNamings) {
    for (std::string const prefix : {"", "model_state_dict.", "model_state_dict.module.", "params.", "module."}) {
        ElanFile keys;
        EXPECT_EQ(Model::load(keys.prefixed(prefix).write()).info().family, "ELAN") << prefix;
        ElanFile lists;
        EXPECT_EQ(Model::load(lists.listed().prefixed(prefix).write()).info().family, "ELAN") << prefix;
    }
}

TEST(DetectElan, NamesMissingKeys) {
    ElanFile file;
    file.erase("body.1.modules_gmsa.gmsa_1.project_inp.1.running_var");
    auto const text = refusal(file.write());
    expect_in(text, "the nearest is ELAN");
    expect_in(text, "body.1.modules_gmsa.gmsa_1.project_inp.1.running_var");
}

TEST(DetectElan, NamesUnexpectedKeys) {
    ElanFile file;
    file.set("body.0.modules_dca.weight", {4});
    expect_in(refusal(file.write()), "body.0.modules_dca.weight");
}

TEST(DetectElan, RefusesBlocksThatDiffer) {
    ElanFile file;
    file.add_pair("body.0", 2, 12);  // three pairs in the first block, two in the second
    expect_in(refusal(file.write()), "body.1.modules_lfe.lfe_2");
}

TEST(DetectElan, RefusesShapesThatNoNetworkHas) {
    auto const with = [](std::string const& name, Shape const& shape) {
        ElanFile file;
        file.set(name, shape);
        return refusal(file.write());
    };
    EXPECT_NE(with("head.0.weight", {0, 3, 3, 3}), "accepted");
    EXPECT_NE(with("head.0.weight", {13, 3, 3, 3}), "accepted");
    EXPECT_NE(with("tail.0.weight", {0, 12, 3, 3}), "accepted");
    EXPECT_NE(with("tail.0.weight", {1000000, 0, 3, 3}), "accepted");
    EXPECT_NE(with("body.0.modules_lfe.lfe_0.conv0.shift_conv.conv1x1.weight", {0, 12, 1, 1}), "accepted");
}

TEST(DetectElan, LetsConventionsBeSet) {
    ElanFile file;
    auto const path = file.write();
    auto const graph = [&](Overrides const& overrides) {
        return Engine::compile(Model::load(path, overrides)).graph_text();
    };
    auto const usual = graph({});
    EXPECT_EQ(graph({{"window_sizes", "4,8,16"}, {"shifted_blocks", "odd"}}), usual);
    EXPECT_NE(graph({{"window_sizes", "4,8,12"}}), usual);
    EXPECT_NE(graph({{"shifted_blocks", "none"}}), usual);
    ModelInfo const info = Model::load(path, {{"window_sizes", "4,6,10"}, {"rgb_range", "1"}}).info();
    EXPECT_EQ(info.tile_multiple, 60);
    EXPECT_EQ(info.value_range, 1);
}

TEST(DetectElan, RefusesConventionsThatMakeNoSense) {
    std::vector<Overrides> const settings = {
        {{"window_sizes", "4,8"}},     {{"window_sizes", "4,8,15"}}, {{"window_sizes", "4,8,64"}},
        {{"window_sizes", "4,8,2.5"}}, {{"window_sizes", "0,8,16"}}, {{"shifted_blocks", "some"}},
        {{"rgb_range", "-1"}},
    };
    for (Overrides const& set : settings) {
        ElanFile file;
        EXPECT_NE(refusal(file.write(), set), "accepted") << set.begin()->first << " " << set.begin()->second;
    }
}

TEST(DetectElan, RefusesAMeanShiftThatMixesColours) {
    ElanFile file;
    file.set("sub_mean.weight", {3, 3, 1, 1}, 0.5F);
    Model const model = Model::load(file.write());
    try {
        (void)Engine::compile(model);
        FAIL();
    } catch (Error const& error) {
        expect_in(error.what(), "sub_mean.weight");
    }
}

}  // namespace
}  // namespace vitrum
