// SPDX-License-Identifier: Apache-2.0
// Hugging Face model folders: which path means which folder, shards, and what config.json says.
#include <algorithm>
#include <filesystem>
#include <fstream>

#include "build_files.h"

namespace vitrum {
namespace {

using namespace make;
namespace fs = std::filesystem;

std::string one_tensor(std::string const& name, float value) {
    return safetensors(R"({")" + name + R"(":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", floats({value}));
}

class ModelFolder : public testing::Test {
protected:
    ModelFolder() : folder_(fs::path(testing::TempDir()) / ("vitrum_folder_" + std::to_string(::getpid()))) {
        fs::remove_all(folder_);
        fs::create_directories(folder_);
    }
    ~ModelFolder() override { fs::remove_all(folder_); }

    void write(std::string const& name, std::string const& content) const {
        std::ofstream(folder_ / name, std::ios::binary) << content;
    }
    void write_shards() const {
        write("config.json", R"({"model_type": "mask2former"})");
        write("model.safetensors.index.json",
              R"({"metadata": {"total_size": 8}, "weight_map": {"a.x": "one.safetensors", "b.y": "two.safetensors"}})");
        write("one.safetensors", one_tensor("a.x", 1));
        write("two.safetensors", one_tensor("b.y", 2));
    }
    [[nodiscard]] std::string error_of(std::string const& name = "") const {
        try {
            (void)open_checkpoint(name.empty() ? folder_ : folder_ / name);
        } catch (Error const& error) {
            return error.what();
        }
        return "no error";
    }

    fs::path folder_;
};

TEST_F(ModelFolder, GivesWeightsAndSettings) {
    write("model.safetensors", one_tensor("a.x", 1));
    write("config.json", R"({"backbone_config": {"depths": [2, 6], "qkv_bias": true, "eps": 1e-05, "dtype": null},
                             "id2label": {"0": "person", "1": "traffic light"}})");
    write("preprocessor_config.json", R"({"image_mean": [0.5, 0.25]})");
    auto const checkpoint = open_checkpoint(folder_);
    ASSERT_EQ(checkpoint.tensors.size(), 1U);
    EXPECT_EQ(checkpoint.config, (Settings{{"backbone_config.depths.0", "2"},
                                           {"backbone_config.depths.1", "6"},
                                           {"backbone_config.qkv_bias", "true"},
                                           {"backbone_config.eps", "1e-05"},
                                           {"id2label.0", "person"},
                                           {"id2label.1", "traffic light"}}));
    EXPECT_EQ(checkpoint.preprocessor.at("image_mean.1"), "0.25");
    EXPECT_EQ(checkpoint.path, folder_);
}

TEST_F(ModelFolder, IsMeantByAnyOfItsFiles) {
    write_shards();
    for (std::string const name : {"", "config.json", "model.safetensors.index.json", "two.safetensors"}) {
        auto const checkpoint = open_checkpoint(name.empty() ? folder_ : folder_ / name);
        EXPECT_EQ(checkpoint.tensors.size(), 2U) << name;
        EXPECT_EQ(checkpoint.config.at("model_type"), "mask2former") << name;
    }
    write("model.safetensors", one_tensor("c", 3));
    EXPECT_EQ(open_checkpoint(folder_ / "model.safetensors").config.size(), 1U);
}

TEST_F(ModelFolder, IsNotMeantByAFileOnItsOwn) {
    write("config.json", R"({"model_type": "mask2former"})");
    write("mine.safetensors", one_tensor("a", 1));
    EXPECT_TRUE(open_checkpoint(folder_ / "mine.safetensors").config.empty());
}

TEST_F(ModelFolder, ShardsKeepTheirBytes) {
    write_shards();
    auto const checkpoint = open_checkpoint(folder_);
    float values[2] = {};
    copy_to_f32(checkpoint.find("a.x")->view, &values[0]);
    copy_to_f32(checkpoint.find("b.y")->view, &values[1]);
    EXPECT_EQ(values[0], 1);
    EXPECT_EQ(values[1], 2);
    EXPECT_EQ(checkpoint.format, "safetensors, 2 shards");
}

TEST_F(ModelFolder, NamesTheMissingShard) {
    write_shards();
    fs::remove(folder_ / "two.safetensors");
    EXPECT_EQ(error_of(), (folder_ / "two.safetensors").string() +
                              ": this shard is missing: model.safetensors.index.json says that it holds 1 tensors, "
                              "b.y among them; download it into the folder");
}

TEST_F(ModelFolder, RefusesAnIndexThatLies) {
    write_shards();
    write("two.safetensors", one_tensor("other", 2));
    EXPECT_CONTAINS(error_of(),
                    "two.safetensors: holds no tensor \"b.y\", though model.safetensors.index.json says so");
    write("model.safetensors.index.json", R"({"weight_map": {"a.x": "../one.safetensors"}})");
    EXPECT_CONTAINS(error_of(), "the shard \"../one.safetensors\" is no file of this folder");
    write("model.safetensors.index.json", R"({"weights": {}})");
    EXPECT_CONTAINS(error_of(), "an index without weight_map");
}

TEST_F(ModelFolder, RefusesWhatIsNoModel) {
    EXPECT_CONTAINS(error_of(), "a folder without model.safetensors or model.safetensors.index.json");
    write("model.safetensors", one_tensor("a", 1));
    write("config.json", "{\"a\": ");
    EXPECT_CONTAINS(error_of(), "config.json: no valid JSON");
    write("config.json", std::string(100, '['));
    EXPECT_CONTAINS(error_of(), "config.json: JSON nested deeper than 64 levels");
}

}  // namespace
}  // namespace vitrum
