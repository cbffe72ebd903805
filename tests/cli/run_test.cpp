// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "command.h"

namespace vitrum {
namespace {

using RunVerb = CommandTest;
using Names = std::vector<std::string>;
namespace fs = std::filesystem;

/// One line, which says what it should.
void expect_one_line(CommandResult const& result, int code, std::string const& part) {
    EXPECT_EQ(result.exit_code, code) << result.err;
    EXPECT_NE(result.err.find(part), std::string::npos) << result.err;
    bool const hint = code == 2;
    EXPECT_EQ(std::ranges::count(result.err, '\n'), hint ? 2 : 1) << result.err;
    EXPECT_EQ(result.out, "");
}

TEST_F(RunVerb, WritesBesideTheInput) {
    picture("photo.png");
    CommandResult const result = vitrum({"run", model_, at("photo.png")});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(result.out, "");
    Image const restored = load_image(at("photo_x2.png"));
    EXPECT_EQ(restored.width(), 48);
    EXPECT_EQ(restored.height(), 32);
}

TEST_F(RunVerb, TakesOnnxFilesFromPictureToPicture) {
    auto const data = fs::path(VITRUM_TEST_DATA) / "onnx";
    picture("photo.png", 13, 9);
    CommandResult const result = vitrum({"run", data / "convolutions_open.onnx", at("photo.png")});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    Image const expected = load_image(at("photo_x2.png"));
    EXPECT_EQ(expected.width(), 26);
    expect_one_line(vitrum({"run", data / "convolution_bands.onnx", at("photo.png")}), 1,
                    "tensors that are no pictures");
    expect_one_line(vitrum({"run", data / "swinir_clipped.onnx", at("photo.png")}), 1, "12×8 only");
    EXPECT_EQ(vitrum({"compile", data / "convolutions_open.onnx", "-o", at("x.vitrum")}).exit_code, 0);
    EXPECT_EQ(vitrum({"run", at("x.vitrum"), at("photo.png")}).exit_code, 0);
    Image const saved = load_image(at("photo_x2.png"));
    EXPECT_TRUE(std::ranges::equal(saved.colour_bytes(), expected.colour_bytes()));
}

TEST_F(RunVerb, TakesFoldersRecursivelyAndKeepsTheirStructure) {
    picture("in/a.png");
    picture("in/deep/er/b.jpg");
    text_file("in/notes.txt", "no picture");
    EXPECT_EQ(vitrum({"run", model_, at("in"), "-o", at("out"), "--recursive"}).exit_code, 0);
    EXPECT_EQ(files("out"), (Names{"a_x2.png", "deep/er/b_x2.jpg"}));
}

TEST_F(RunVerb, TakesQuotedPatterns) {
    picture("in/a.png");
    picture("in/b.png");
    picture("in/c.jpg");
    EXPECT_EQ(vitrum({"run", model_, at("in/*.png"), "-o", at("out")}).exit_code, 0);
    EXPECT_EQ(files("out"), (Names{"a_x2.png", "b_x2.png"}));
}

TEST_F(RunVerb, TakesTheSpellingsOfOtherUpscalers) {
    picture("photo.png", 80, 80);
    EXPECT_EQ(vitrum({"run", "-m", model_, "-i", at("photo.png"), "-o", at("x.png"), "-t", "64", "--tile_overlap", "16",
                      "-s", "2", "-f", "png"})
                  .exit_code,
              0);
    EXPECT_EQ(vitrum({"run", model_, at("photo.png"), "-o", at("y.png"), "-t", "64", "--tile-pad", "8"}).exit_code, 0);
    EXPECT_TRUE(std::ranges::equal(load_image(at("x.png")).colour_bytes(), load_image(at("y.png")).colour_bytes()));
}

TEST_F(RunVerb, FormatAndSuffixCanBeChosen) {
    picture("photo.png");
    EXPECT_EQ(vitrum({"run", model_, at("photo.png"), "-f", "JPG", "--suffix", "-big", "--quality", "80"}).exit_code,
              0);
    EXPECT_EQ(files(), (Names{"photo-big.jpg", "photo.png"}));
}

TEST_F(RunVerb, SaysWhatAFormatCannotHold) {
    picture("photo.png", 24, 16, true);
    CommandResult const result = vitrum({"run", model_, at("photo.png"), "-o", at("photo.jpg")});
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_NE(result.err.find("transparency"), std::string::npos) << result.err;
}

TEST_F(RunVerb, KeepsAlpha) {
    picture("photo.png", 24, 16, true);
    EXPECT_EQ(vitrum({"run", model_, at("photo.png")}).exit_code, 0);
    EXPECT_TRUE(load_image(at("photo_x2.png")).has_alpha());
}

TEST_F(RunVerb, ComparesWithBicubicSideBySide) {
    picture("a.png", 24, 16);
    ASSERT_EQ(vitrum({"run", model_, at("a.png"), "--compare", at("both.png")}).exit_code, 0);
    Image const result = load_image(at("a_x2.png"));
    Image const both = load_image(at("both.png"));
    ASSERT_EQ(both.height(), 32);
    ASSERT_GT(both.width(), 2 * 48);
    for (std::int64_t y = 0; y < 32; ++y) {
        auto const* const right = both.row<std::uint8_t>(y) + (both.width() - 48) * 3;
        EXPECT_TRUE(std::equal(right, right + 48 * 3, result.row<std::uint8_t>(y)));
    }
    picture("b.png");
    EXPECT_EQ(vitrum({"run", model_, at("a.png"), at("b.png"), "-o", at("out"), "--compare", at("both.png")}).exit_code,
              2);
    EXPECT_EQ(vitrum({"run", model_, at("a.png"), "--compare", at("both.xyz")}).exit_code, 2);
}

TEST_F(RunVerb, SkipsWhatIsThereAlready) {
    picture("in/a.png");
    picture("in/b.png");
    text_file("out/a_x2.png", "kept");
    CommandResult const result = vitrum({"run", model_, at("in"), "-o", at("out"), "--skip-existing"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_NE(result.err.find("1 restored, 1 skipped"), std::string::npos) << result.err;
    EXPECT_EQ(fs::file_size(at("out/a_x2.png")), 4U);
}

TEST_F(RunVerb, ASecondRunOverAFolderDoesNotEnlargeItsResults) {
    picture("in/a.png");
    EXPECT_EQ(vitrum({"run", model_, at("in")}).exit_code, 0);
    EXPECT_EQ(vitrum({"run", model_, at("in")}).exit_code, 0);
    EXPECT_EQ(files("in"), (Names{"a.png", "a_x2.png"}));
}

TEST_F(RunVerb, OneBadFileDoesNotStopTheOthers) {
    picture("in/a.png");
    text_file("in/b.png", "no picture at all");
    picture("in/c.png");
    CommandResult const result = vitrum({"run", model_, at("in"), "-o", at("out")});
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_NE(result.err.find("b.png"), std::string::npos);
    EXPECT_EQ(files("out"), (Names{"a_x2.png", "c_x2.png"}));
}

TEST_F(RunVerb, GivesAJsonObjectForEachPicture) {
    picture("in/a.png");
    text_file("in/b.png", "no picture at all");
    CommandResult const result = vitrum({"run", model_, at("in"), "-o", at("out"), "--json"});
    EXPECT_EQ(result.exit_code, 1);
    std::istringstream lines(result.out);
    std::vector<nlohmann::json> objects;
    for (std::string line; std::getline(lines, line);) objects.push_back(nlohmann::json::parse(line));
    ASSERT_EQ(objects.size(), 2U);
    EXPECT_EQ(objects[0]["status"], "done");
    EXPECT_EQ(objects[0]["width"], 48);
    EXPECT_EQ(objects[1]["status"], "failed");
    EXPECT_EQ(objects[1]["code"], 1);
}

TEST_F(RunVerb, QuietSaysNothing) {
    picture("photo.png");
    CommandResult const result = vitrum({"run", model_, at("photo.png"), "--quiet"});
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_EQ(result.err + result.out, "");
}

TEST_F(RunVerb, MetadataStaysUnlessStripped) {
    Image image(24, 16, 3, SampleType::u8);
    std::string const xmp = "<x:xmpmeta xmlns:x='adobe:ns:meta/'/>";
    for (char const c : xmp) image.metadata.blocks["xmp-data"].push_back(static_cast<std::byte>(c));
    save_image(image, at("photo.png"));
    EXPECT_EQ(vitrum({"run", model_, at("photo.png"), "-o", at("kept.png")}).exit_code, 0);
    EXPECT_EQ(vitrum({"run", model_, at("photo.png"), "-o", at("stripped.png"), "--strip-metadata"}).exit_code, 0);
    EXPECT_TRUE(load_image(at("kept.png")).metadata.blocks.contains("xmp-data"));
    EXPECT_FALSE(load_image(at("stripped.png")).metadata.blocks.contains("xmp-data"));
}

TEST_F(RunVerb, SavingOptionsReachTheCodec) {
    picture("photo.png", 80, 60);
    EXPECT_EQ(vitrum({"run", model_, at("photo.png"), "-o", at("a.webp"), "--lossless"}).exit_code, 0);
    EXPECT_EQ(vitrum({"run", model_, at("photo.png"), "-o", at("b.png"), "--compression", "0"}).exit_code, 0);
    EXPECT_EQ(vitrum({"run", model_, at("photo.png"), "-o", at("c.png"), "--compression", "9"}).exit_code, 0);
    EXPECT_TRUE(std::ranges::equal(load_image(at("a.webp")).colour_bytes(), load_image(at("b.png")).colour_bytes()));
    EXPECT_GT(fs::file_size(at("b.png")), fs::file_size(at("c.png")));
}

TEST_F(RunVerb, RefusesBeforeAnyWork) {
    picture("photo.png");
    picture("sub/photo.png");
    expect_one_line(vitrum({"run", model_, at("photo.png"), "-o", at("photo.png")}), 2, "over an input");
    expect_one_line(vitrum({"run", model_, at("photo.png"), at("sub/photo.png"), "-o", at("out")}), 2, "both");
    expect_one_line(vitrum({"run", model_, at("photo.png"), "-o", "-"}), 2, "stdout");
    expect_one_line(vitrum({"run", model_, at("photo.png"), "-s", "4"}), 2, "×2");
    expect_one_line(vitrum({"run", model_, at("photo.png"), "--tile", "big"}), 2, "--tile");
    expect_one_line(vitrum({"run", model_, at("photo.png"), "--memory", "4"}), 2, "--memory");
    expect_one_line(vitrum({"run", model_, at("photo.png"), "--device", "cuda:x"}), 2, "cuda:N");
    expect_one_line(vitrum({"run", model_, at("photo.png"), "--precision", "fp16"}), 2, "fp32 only");
    expect_one_line(vitrum({"run", model_, at("photo.png"), "--precision", "half"}), 2, "tf32");
    expect_one_line(vitrum({"run", model_, at("photo.png"), "--set", "nonsense"}), 2, "name=value");
    expect_one_line(vitrum({"run", model_, at("photo.png"), "--quality", "101"}), 2, "quality");
    expect_one_line(vitrum({"run", model_, at("photo.png"), "--no-such-option"}), 2, "--no-such-option");
    EXPECT_EQ(files(), (Names{"photo.png", "sub/photo.png"}));
}

TEST_F(RunVerb, TellsWhatWasMixedUp) {
    picture("photo.png");
    expect_one_line(vitrum({"run"}), 2, "no model");
    expect_one_line(vitrum({"run", model_}), 2, "no pictures");
    expect_one_line(vitrum({"run", at("photo.png"), model_}), 2, "is a picture");
    picture("photos/photo.png");
    expect_one_line(vitrum({"run", at("photos"), at("photo.png")}), 1, "a folder without model.safetensors");
    expect_one_line(vitrum({"run", at("none.pth"), at("photo.png")}), 1, "no such model");
    expect_one_line(vitrum({"run", model_, at("none.png")}), 1, "no such file");
    expect_one_line(vitrum({"run", model_, model_}), 1, "looks like a model");
    text_file("text.pth", "not a model");
    EXPECT_EQ(vitrum({"run", at("text.pth"), at("photo.png")}).exit_code, 1);
}

TEST_F(RunVerb, TooLittleMemoryEndsWithFour) {
    picture("photo.png", 300, 300);
    CommandResult const result = vitrum({"run", model_, at("photo.png"), "--memory", "1M"});
    EXPECT_EQ(result.exit_code, 4) << result.err;
    EXPECT_EQ(files(), (Names{"photo.png"}));
}

TEST_F(RunVerb, AnUnwritableFolderIsAnErrorAndLeavesNothing) {
    picture("photo.png");
    text_file("file", "not a folder");
    CommandResult const result = vitrum({"run", model_, at("photo.png"), "-o", at("file/x.png")});
    EXPECT_EQ(result.exit_code, 1) << result.err;
    EXPECT_EQ(files(), (Names{"file", "photo.png"}));
}

TEST_F(RunVerb, CtrlCEndsAtOnceAndLeavesNothingHalfWritten) {
    picture("photo.png", 600, 600);
    pid_t const process = start({"run", model_, at("photo.png"), "-o", at("out.png"), "--device", "reference"});
    std::this_thread::sleep_for(std::chrono::milliseconds(400));
    kill(process, SIGINT);
    EXPECT_EQ(finish(process).exit_code, 130);
    EXPECT_EQ(files(), (Names{"photo.png"}));
}

TEST_F(RunVerb, KillingItLeavesOnlyWholePictures) {
    for (int i = 0; i < 12; ++i) picture("in/" + std::to_string(i) + ".png", 64, 64);
    for (int const milliseconds : {40, 80, 120, 160, 240}) {
        pid_t const process = start({"run", model_, at("in"), "-o", at("out")});
        std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
        kill(process, SIGKILL);
        static_cast<void>(finish(process));
        if (!fs::exists(at("out"))) continue;
        for (std::string const& name : files("out")) {
            EXPECT_TRUE(name.ends_with("_x2.png")) << name;
            EXPECT_EQ(load_image(at("out/" + name)).width(), 128);
        }
    }
}

TEST_F(RunVerb, CtrlCInAFolderFinishesWhatIsBeingWrittenAndBeginsNothingElse) {
    for (int i = 0; i < 150; ++i) picture("in/" + std::to_string(i) + ".png", 64, 64);
    for (int const milliseconds : {60, 120, 200}) {
        pid_t const process = start({"run", model_, at("in"), "-o", at("out")});
        std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
        kill(process, SIGINT);
        CommandResult const result = finish(process);
        EXPECT_EQ(result.exit_code, 130) << result.err;
        EXPECT_EQ(result.err.find("150 restored"), std::string::npos);
        if (!fs::exists(at("out"))) continue;
        for (std::string const& name : files("out")) EXPECT_EQ(load_image(at("out/" + name)).width(), 128);
    }
}

TEST_F(RunVerb, AFolderGivesWhatItsPicturesGiveAlone) {
    for (int i = 0; i < 5; ++i) picture("in/" + std::to_string(i) + ".png", 24 + 8 * i, 40 - 3 * i);
    EXPECT_EQ(vitrum({"run", model_, at("in"), "-o", at("out")}).exit_code, 0);
    for (int i = 0; i < 5; ++i) {
        std::string const name = std::to_string(i);
        EXPECT_EQ(vitrum({"run", model_, at("in/" + name + ".png"), "-o", at("alone.png")}).exit_code, 0);
        Image const alone = load_image(at("alone.png")), together = load_image(at("out/" + name + "_x2.png"));
        EXPECT_TRUE(std::ranges::equal(alone.colour_bytes(), together.colour_bytes())) << name;
    }
}

}  // namespace
}  // namespace vitrum
