// SPDX-License-Identifier: Apache-2.0
#include "engine_file.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>

#include "small_network.h"
#include "vitrum/error.h"

namespace vitrum {
namespace {

class EngineFileTest : public testing::Test {
protected:
    void SetUp() override {
        write_engine_file(path_, {small_info(), small_graph()});
        std::ifstream file(path_, std::ios::binary);
        bytes_.assign(std::istreambuf_iterator<char>(file), {});
    }
    void TearDown() override { std::filesystem::remove(path_); }

    void rewrite(std::string const& bytes) { std::ofstream(path_, std::ios::binary) << bytes; }

    std::string refusal() {
        try {
            (void)read_engine_file(path_);
        } catch (Error const& error) {
            return error.what();
        }
        return "accepted";
    }

    std::filesystem::path path_ =
        std::filesystem::temp_directory_path() /
        (std::string("vitrum_engine_") + testing::UnitTest::GetInstance()->current_test_info()->name());
    std::string bytes_;
};

TEST_F(EngineFileTest, GivesBackTheGraphItWasGiven) {
    EngineFile const read = read_engine_file(path_);
    EXPECT_EQ(print(read.graph), print(small_graph()));
    EXPECT_EQ(read.info.scale, 2);
    EXPECT_EQ(read.info.hyperparameters.at(0).evidence, "made up");
    Graph const expected = small_graph();
    for (std::size_t v = 0; v < expected.values.size(); ++v) {
        if (!expected.values[v].constant) continue;
        auto const& [shape, data, owner, dtype] = *expected.values[v].constant;
        EXPECT_EQ(std::memcmp(read.graph.values[v].constant->data, data, static_cast<std::size_t>(shape.count()) * 4),
                  0);
    }
}

TEST_F(EngineFileTest, KeepsWhatSegmentingNeeds) {
    ModelInfo info = small_info();
    info.segmentation = {{"cat", "dog"}, {1, 2, 3}, {4, 5, 6}, 512, 2048, 384, 640};
    write_engine_file(path_, {info, small_graph()});
    EXPECT_EQ(read_engine_file(path_).info.segmentation, info.segmentation);
}

TEST_F(EngineFileTest, KeepsThePrecisionAndRefusesAnother) {
    EXPECT_EQ(read_engine_file(path_).precision, Precision::fp32);
    EXPECT_EQ(Engine::load(path_, {.precision = Precision::fp32}).precision(), Precision::fp32);
    write_engine_file(path_, {small_info(), small_graph(), Precision::bf16});
    EXPECT_EQ(read_engine_file(path_).precision, Precision::bf16);
    auto const refused = [&](CompileOptions const& options) {
        try {
            static_cast<void>(Engine::load(path_, options));
        } catch (Error const& error) {
            EXPECT_EQ(error.kind(), ErrorKind::usage);
            return std::string(error.what());
        }
        return std::string("accepted");
    };
    EXPECT_NE(refused({.precision = Precision::fp16}).find("was compiled for bf16"), std::string::npos);
    EXPECT_NE(refused({}).find("fp32 only"), std::string::npos) << "a CPU cannot do what it was compiled for";
}

TEST_F(EngineFileTest, FilesFromBeforeThereWasAChoiceAreInFp32) {
    EXPECT_NE(bytes_.find(R"("precision":"fp32")"), std::string::npos);
    std::string older = bytes_;
    older.replace(older.find(R"("precision")"), 11, R"("unknown_x")");  // no checksum is looked at below
    std::uint64_t header_bytes = 0;
    std::memcpy(&header_bytes, older.data() + 16, sizeof header_bytes);
    auto const all = std::as_bytes(std::span(older));
    auto const data = all.subspan((48 + header_bytes + 63) / 64 * 64);
    EXPECT_EQ(parse_engine(all.subspan(48, header_bytes), data, nullptr).precision, Precision::fp32);
}

TEST_F(EngineFileTest, HoldsAnOnnxFileAndThoseBesideIt) {
    std::vector<std::byte> const model(100, std::byte{7}), weights(64, std::byte{9});
    StoredOnnx const onnx{.bytes = model,
                          .beside = {{"a", weights}, {"b", {}}},
                          .settings = {{"range", "255"}},
                          .notes = {"a note"},
                          .owner = nullptr};
    write_engine_file(path_, {.onnx = onnx});
    auto const read = read_engine_file(path_).onnx;
    ASSERT_TRUE(read.has_value());
    EXPECT_TRUE(std::ranges::equal(read->bytes, model));
    ASSERT_EQ(read->beside.size(), 2U);
    EXPECT_TRUE(std::ranges::equal(read->beside.at("a"), weights));
    EXPECT_TRUE(read->beside.at("b").empty());
    EXPECT_EQ(read->settings, onnx.settings);
    EXPECT_EQ(read->notes, onnx.notes);
}

TEST_F(EngineFileTest, RefusesAnOnnxFileThatLeavesIt) {
    auto const refused = [](std::string const& place) {
        std::string const header = R"({"onnx":{"file":)" + place + R"(,"beside":{},"settings":{},"notes":[]}})";
        std::vector<std::byte> const data(64);
        try {
            static_cast<void>(parse_engine(std::as_bytes(std::span(header)), data, nullptr));
        } catch (Error const& error) {
            return std::string(error.what());
        }
        return std::string("accepted");
    };
    EXPECT_EQ(refused(R"({"offset":0,"bytes":64})"), "accepted");
    EXPECT_NE(refused(R"({"offset":1,"bytes":64})").find("leave the file"), std::string::npos);
    EXPECT_NE(refused(R"({"offset":18446744073709551615,"bytes":2})").find("leave the file"), std::string::npos);
    EXPECT_NE(refused(R"({"offset":0})").find("does not parse"), std::string::npos);
    EXPECT_NE(refused(R"("x")").find("does not parse"), std::string::npos);
}

TEST_F(EngineFileTest, IsRecognisedByContent) {
    EXPECT_TRUE(is_engine_file(path_));
    rewrite("PK\x03\x04 something else");
    EXPECT_FALSE(is_engine_file(path_));
    EXPECT_FALSE(is_engine_file(std::filesystem::temp_directory_path()));
}

TEST_F(EngineFileTest, RefusesEveryTruncation) {
    for (std::size_t size = 8; size < bytes_.size(); size += size < 200 ? 1 : 977) {
        rewrite(bytes_.substr(0, size));
        EXPECT_NE(refusal(), "accepted") << size;
    }
}

TEST_F(EngineFileTest, RefusesEveryFlippedBit) {
    for (std::size_t at = 8; at < bytes_.size(); at += at < 4000 ? 7 : 499) {
        if (at >= 12 && at < 16) continue;  // reserved
        std::string altered = bytes_;
        altered[at] = static_cast<char>(altered[at] ^ 0x10);
        rewrite(altered);
        bool const padding = refusal() == "accepted";
        // Only bytes between the header and the data carry nothing.
        std::uint64_t header = 0;
        std::memcpy(&header, bytes_.data() + 16, 8);
        EXPECT_TRUE(!padding || (at >= 48 + header && at < (48 + header + 63) / 64 * 64)) << at;
    }
}

TEST_F(EngineFileTest, NamesANewerVersion) {
    bytes_[8] = 9;
    rewrite(bytes_);
    EXPECT_NE(refusal().find("newer vitrum"), std::string::npos) << refusal();
}

TEST_F(EngineFileTest, RunsLikeTheEngineItWasSavedFrom) {
    Engine const engine = small_engine();
    engine.save(path_);
    Session saved(Engine::load(path_));
    Session original(engine);
    for (Session* session : {&saved, &original}) {
        session->prepare({1, 11, 7});
        fill_input(*session);
        session->run();
    }
    EXPECT_TRUE(std::ranges::equal(saved.output(), original.output()));
}

TEST_F(EngineFileTest, LeavesTheOldFileWhereItCannotWrite) {
    EXPECT_THROW(write_engine_file("/nonexistent-folder/x.vitrum", {small_info(), small_graph()}), Error);
}

}  // namespace
}  // namespace vitrum
