// SPDX-License-Identifier: Apache-2.0
#include "formats/safetensors_writer.h"

#include "build_files.h"

namespace vitrum {
namespace {

std::filesystem::path scratch(std::string const& name) {
    return std::filesystem::path(testing::TempDir()) / name;
}

TEST(SafetensorsWriter, WritesWhatTheReaderReads) {
    auto const path = scratch("written.safetensors");
    std::vector<float> const a{1, 2, 3, 4, 5, 6};
    float const b = -7;
    std::vector<NamedTensor> const tensors{
        {"z.first", {2, 3}, a.data()}, {"a \"quoted\"", {}, &b}, {"none", {0, 5}, nullptr}};
    write_safetensors(path, tensors, {{"family", "swinir"}});
    auto const checkpoint = open_checkpoint(path);
    ASSERT_EQ(checkpoint.tensors.size(), 3U);
    EXPECT_EQ(checkpoint.tensors[0].name, "z.first");
    EXPECT_EQ(make::elements(checkpoint, "z.first"), a);
    EXPECT_EQ(make::elements(checkpoint, "a \"quoted\""), std::vector<float>{b});
    EXPECT_EQ(checkpoint.find("none")->view.shape, (Shape{0, 5}));
    EXPECT_EQ(checkpoint.values.at("family"), "swinir");
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(checkpoint.tensors[0].view.data) % alignof(float), 0U);
    std::filesystem::remove(path);
}

TEST(SafetensorsWriter, RefusesTwoTensorsOfOneName) {
    float const value = 1;
    std::vector<NamedTensor> const tensors{{"x", {1}, &value}, {"x", {1}, &value}};
    EXPECT_THROW(write_safetensors(scratch("twice.safetensors"), tensors), Error);
    EXPECT_FALSE(std::filesystem::exists(scratch("twice.safetensors")));
}

TEST(SafetensorsWriter, SaysThatTheFolderIsMissing) {
    try {
        write_safetensors(scratch("no-such-folder/x.safetensors"), {});
        FAIL();
    } catch (Error const& error) {
        EXPECT_CONTAINS(std::string(error.what()), "x.safetensors: cannot write: the folder does not exist");
    }
}

}  // namespace
}  // namespace vitrum
