// SPDX-License-Identifier: Apache-2.0
#include <fstream>
#include <nlohmann/json.hpp>

#include "colour_network.h"
#include "command.h"

namespace vitrum {
namespace {

using Names = std::vector<std::string>;
using Json = nlohmann::json;

/// `vitrum run` with a network that finds red, green and blue.
class RunSegment : public CommandTest {
protected:
    RunSegment() : colours_(at("colours.vitrum")) { make_colour_engine({.classes = 133}).save(colours_); }

    /// Red above, black below.
    void red_over_black(std::string const& name, std::int64_t width = 64, std::int64_t height = 64) const {
        Image image(width, height, 3, SampleType::u8);
        for (std::int64_t y = 0; y < height / 2; ++y) {
            for (std::int64_t x = 0; x < width; ++x) image.row<std::uint8_t>(y)[x * 3] = 255;
        }
        std::filesystem::create_directories(std::filesystem::path(at(name)).parent_path());
        save_image(image, at(name));
    }

    [[nodiscard]] CommandResult run(Names arguments) const {
        arguments.insert(arguments.begin(), {"run", colours_});
        if (std::ranges::find(arguments, "--resize") == arguments.end()) {
            arguments.insert(arguments.end(), {"--resize", "none"});
        }
        return vitrum(arguments);
    }

    [[nodiscard]] Json json(std::string const& name) const {
        std::ifstream file(at(name));
        return Json::parse(file);
    }

    void expect_refusal(Names const& arguments, std::string const& part) const {
        CommandResult const result = run(arguments);
        EXPECT_EQ(result.exit_code, 2) << result.err;
        EXPECT_NE(result.err.find(part), std::string::npos) << result.err;
        EXPECT_EQ(std::ranges::count(result.err, '\n'), 2) << result.err;
    }

    std::string colours_;
};

TEST_F(RunSegment, WritesLabelsAndJsonBesideTheInput) {
    red_over_black("in/000000000042.png");
    CommandResult const result = run({at("in/000000000042.png")});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(files("in"), (Names{"000000000042.png", "000000000042_panoptic.json", "000000000042_panoptic.png"}));
    EXPECT_NE(result.err.find("panoptic: person"), std::string::npos) << result.err;
    Json const annotation = json("in/000000000042_panoptic.json").at("annotations").at(0);
    EXPECT_EQ(annotation.at("image_id"), 42);
    EXPECT_EQ(annotation.at("file_name"), "000000000042_panoptic.png");
    EXPECT_EQ(annotation.at("segments_info").size(), 1U);
    Image const labels = load_image(at("in/000000000042_panoptic.png"));
    EXPECT_EQ(labels.row<std::uint8_t>(2)[0], 1);
    EXPECT_EQ(labels.row<std::uint8_t>(60)[0], 0);
}

TEST_F(RunSegment, WritesInstancesAndSemanticLabels) {
    red_over_black("a.png");
    EXPECT_EQ(run({at("a.png"), "--segmentation", "instance", "-o", at("i.json")}).exit_code, 0);
    EXPECT_EQ(json("i.json").at(0).at("category_name"), "person");
    EXPECT_EQ(run({at("a.png"), "--segmentation", "semantic", "-o", at("s.png")}).exit_code, 0);
    EXPECT_EQ(json("s.json").at("classes").at(0).at("name"), "person");
}

TEST_F(RunSegment, TakesFoldersWithOverlaysAndSkipsWhatIsThere) {
    red_over_black("in/a.png");
    red_over_black("in/deep/b.jpg");
    Names const arguments = {at("in"), "-r", "-o", at("out"), "--overlay", at("seen"), "--skip-existing"};
    EXPECT_EQ(run(arguments).exit_code, 0);
    EXPECT_EQ(files("out"),
              (Names{"a_panoptic.json", "a_panoptic.png", "deep/b_panoptic.json", "deep/b_panoptic.png"}));
    EXPECT_EQ(files("seen"), (Names{"a_overlay.png", "deep/b_overlay.jpg"}));
    EXPECT_NE(run(arguments).err.find("0 segmented, 2 skipped, 0 failed"), std::string::npos);
    std::filesystem::remove(at("seen/a_overlay.png"));
    EXPECT_NE(run(arguments).err.find("1 segmented, 1 skipped, 0 failed"), std::string::npos);
    EXPECT_EQ(files("seen"), (Names{"a_overlay.png", "deep/b_overlay.jpg"}));
}

TEST_F(RunSegment, TakesACheckpointOfEitherLayout) {
    red_over_black("a.png");
    for (std::string const file : {"mask2former_swin_folder", "mask2former_swin_training.pth"}) {
        CommandResult const result = vitrum({"run", VITRUM_TEST_DATA "/" + file, at("a.png"), "-o", at("p.png"),
                                             "--segmentation", "semantic", "--resize", "none", "--json"});
        EXPECT_EQ(result.exit_code, 0) << result.err;
        Json const line = Json::parse(result.out);
        EXPECT_EQ(line.at("segmentation"), "semantic");
        EXPECT_EQ(line.at("network_width"), 64);
        EXPECT_FALSE(line.at("segments").empty());
        EXPECT_EQ(load_image(at("p.png")).width(), 64);
        std::filesystem::remove(at("p.png"));
    }
}

TEST_F(RunSegment, ReportsAsJson) {
    red_over_black("a.png");
    CommandResult const result = run({at("a.png"), "-o", at("p.png"), "--overlay", at("o.webp"), "--json"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    Json const line = Json::parse(result.out);
    EXPECT_EQ(line.at("status"), "done");
    EXPECT_EQ(line.at("segmentation"), "panoptic");
    EXPECT_EQ(line.at("overlay"), at("o.webp"));
    EXPECT_EQ(line.at("segments").at(0).at("class"), "person");
    EXPECT_EQ(line.at("segments").at(0).at("isthing"), true);
    EXPECT_GT(line.at("segments").at(0).at("area"), 64 * 28);
    EXPECT_EQ(load_image(at("o.webp")).width(), 64);
}

TEST_F(RunSegment, ResizeAndRulesReachTheNetwork) {
    red_over_black("a.png", 60, 40);
    auto const network_width = [&](Names const& more) {
        Names arguments = {at("a.png"), "-o", at("p.png"), "--json"};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return Json::parse(run(arguments).out).at("network_width").get<int>();
    };
    EXPECT_EQ(network_width({}), 64);
    EXPECT_EQ(network_width({"--rules", "hugging-face"}), 60);
    EXPECT_EQ(network_width({"--resize", "100"}), 160);
    EXPECT_EQ(network_width({"--resize", "100,120"}), 128);
}

TEST_F(RunSegment, SenselessRequestsAreOneLineAndTwo) {
    red_over_black("a.png");
    red_over_black("b.png");
    expect_refusal({at("a.png"), "--classes", "ade20k"}, "150 classes (100 of them things), but the model tells 133");
    expect_refusal({at("a.png"), "--classes", "pascal"}, "neither coco, ade20k or cityscapes nor a file");
    expect_refusal({at("a.png"), "--segmentation", "boxes"}, "--segmentation");
    expect_refusal({at("a.png"), "--resize", "800,600"}, "--resize 800,600");
    expect_refusal({at("a.png"), "-o", at("p.jpg")}, "labels are written as .png");
    expect_refusal({at("a.png"), "--segmentation", "instance", "-o", at("p.png")}, "instances are written as .json");
    expect_refusal({at("a.png"), at("b.png"), "-o", at("out"), "--overlay", at("o.png")}, "need a folder");
    expect_refusal({at("a.png"), "--overlay", at("a.png")}, "is an input");
    expect_refusal({at("a.png"), "--overlay", at("o.gif")}, "o.gif");
    expect_refusal({at("a.png"), "--scale", "2"}, "means nothing to this model");
    EXPECT_EQ(files(), (Names{"a.png", "b.png", "colours.vitrum"}));
}

TEST_F(RunSegment, TilesNeedApproximate) {
    red_over_black("a.png", 200, 64);
    CommandResult const refused = run({at("a.png"), "-o", at("p.png"), "--tile", "96"});
    EXPECT_EQ(refused.exit_code, 2);
    EXPECT_NE(refused.err.find("--approximate"), std::string::npos) << refused.err;
    CommandResult const done = run({at("a.png"), "-o", at("p.png"), "--tile", "96", "--approximate", "--json"});
    EXPECT_EQ(done.exit_code, 0) << done.err;
    EXPECT_EQ(Json::parse(done.out).at("segments").size(), 1U);
    EXPECT_GT(Json::parse(done.out).at("tiles"), 1);
    CommandResult const instances = run({at("a.png"), "-o", at("i.json"), "--tile", "96", "--approximate",
                                         "--segmentation", "instance", "--threshold", "0.5"});
    EXPECT_EQ(instances.exit_code, 0) << instances.err;
    ASSERT_EQ(json("i.json").size(), 1U);
    EXPECT_EQ(json("i.json").at(0).at("bbox").at(2), 200);
}

TEST_F(RunSegment, OptionsOfSegmentationMeanNothingToOtherModels) {
    red_over_black("a.png");
    CommandResult const result = vitrum({"run", model_, at("a.png"), "--overlay", at("o.png")});
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_NE(result.err.find("--overlay: means nothing"), std::string::npos) << result.err;
}

TEST_F(RunSegment, ABadPictureStopsNoOther) {
    red_over_black("in/a.png");
    text_file("in/b.png", "no picture");
    CommandResult const result = run({at("in"), "-o", at("out")});
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_EQ(files("out"), (Names{"a_panoptic.json", "a_panoptic.png"}));
}

}  // namespace
}  // namespace vitrum
