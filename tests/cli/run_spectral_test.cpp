// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "command.h"
#include "networks.h"
#include "vitrum/cube.h"
#include "vitrum/spectral.h"

namespace vitrum {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Names = std::vector<std::string>;

class RunSpectral : public CommandTest {
protected:
    RunSpectral() {
        make_rgb_to_bands(1, true).save(at("rgb.vitrum"));
        make_snapshot_network().save(at("cassi.vitrum"));
        fs::remove(model_);
        picture("photo.png");
    }

    /// What lies there beside the two models.
    [[nodiscard]] Names results() const {
        Names names = files();
        std::erase_if(names, [](std::string const& name) { return name.ends_with(".vitrum"); });
        return names;
    }
    void expect_refusal(CommandResult const& result, int code, std::string const& text) const {
        EXPECT_EQ(result.exit_code, code) << result.err;
        EXPECT_NE(result.err.find(text), std::string::npos) << result.err;
        // One line, and for usage errors a pointer to the help.
        bool const points_to_help = result.err.find("See `vitrum run --help`") != std::string::npos;
        EXPECT_EQ(std::ranges::count(result.err, '\n'), points_to_help ? 2 : 1) << result.err;
    }
    void array(std::string const& name, std::vector<std::int64_t> const& shape, float value) const {
        std::vector<double> bands(static_cast<std::size_t>(shape.size() == 3 ? shape[2] : 1), 0);
        for (std::size_t i = 0; i < bands.size(); ++i) bands[i] = 400.0 + static_cast<double>(i);
        Cube cube(shape[0], shape[1], bands);
        std::ranges::fill(cube.values(), value);
        save_cube(cube, at(name));
    }
};

TEST_F(RunSpectral, APictureBecomesAnEnviCubeBesideIt) {
    CommandResult const result = vitrum({"run", at("rgb.vitrum"), at("photo.png")});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(results(), (Names{"photo.png", "photo_cube.hdr", "photo_cube.img"}));
    EXPECT_NE(result.err.find("31 bands, 400-700 nm"), std::string::npos) << result.err;
}

TEST_F(RunSpectral, TheExtensionChoosesTheFormat) {
    for (std::string const name : {"a.mat", "a.npy", "a.tif"}) {
        EXPECT_EQ(vitrum({"run", at("rgb.vitrum"), at("photo.png"), "-o", at(name)}).exit_code, 0) << name;
        EXPECT_GT(fs::file_size(at(name)), 31U * 4);
    }
    expect_refusal(vitrum({"run", at("rgb.vitrum"), at("photo.png"), "-o", at("a.jpg")}), 2, "JPEG holds grey or RGB");
    expect_refusal(vitrum({"run", at("rgb.vitrum"), at("photo.png"), "-f", "webp"}), 2, "WebP holds grey or RGB");
}

TEST_F(RunSpectral, ViewsAreWrittenBesideTheCube) {
    CommandResult const result = vitrum({"run", at("rgb.vitrum"), at("photo.png"), "-o", at("c.npy"), "--previews",
                                         at("bands"), "--rgb", at("rgb.png"), "--point", "1,2", "--box", "0,0,4,3",
                                         "--spectrum", at("s.csv"), "--spectrum-plot", at("s.svg"), "--json"});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    json const report = json::parse(result.out);
    EXPECT_EQ(report["bands"], 31);
    EXPECT_EQ(report["files"].size(), 1U + 31 + 3);
    EXPECT_EQ(report["spectra"].size(), 2U);
    EXPECT_EQ(report["spectra"][1]["deviation"].size(), 31U);
    EXPECT_EQ(results().size(), 1U + 1 + 31 + 3);
    EXPECT_EQ(files("bands").size(), 31U);
    EXPECT_EQ(files("bands").front(), "c_400nm.png");
    EXPECT_EQ(load_image(at("rgb.png")).width(), load_image(at("photo.png")).width());
}

TEST_F(RunSpectral, RequestsThatMakeNoSenseWriteNothing) {
    auto const run = [&](Names const& more) {
        Names arguments = {"run", at("rgb.vitrum"), at("photo.png")};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return vitrum(arguments);
    };
    expect_refusal(run({"--spectrum", at("s.csv")}), 2, "which pixels");
    expect_refusal(run({"--point", "1,2"}), 2, "where should the spectrum go");
    expect_refusal(run({"--point", "1;2", "--spectrum", at("s.csv")}), 2, "--point 1;2");
    expect_refusal(run({"--box", "1,2,3", "--spectrum", at("s.csv")}), 2, "--box 1,2,3");
    expect_refusal(run({"--point", "9999,0", "--spectrum", at("s.csv")}), 2, "do not lie inside");
    expect_refusal(run({"--normalise", "mean"}), 2, "--normalise mean");
    expect_refusal(run({"--mask", at("m.npy")}), 2, "--mask");
    expect_refusal(run({"--rgb", at("photo.png")}), 2, "over another file");
    expect_refusal(run({"--point", "1,2", "--spectrum-plot", at("s.gif")}), 2, ".svg or .png");
    expect_refusal(run({"--quality", "50"}), 2, "--quality: means nothing");
    EXPECT_EQ(results(), (Names{"photo.png"}));
}

TEST_F(RunSpectral, GreyPicturesAreRefused) {
    save_image(Image(20, 20, 1, SampleType::u8), at("grey.png"));
    expect_refusal(vitrum({"run", at("rgb.vitrum"), at("grey.png")}), 2, "grey has none");
}

TEST_F(RunSpectral, TilesNeedLeave) {
    picture("large.png", 200, 100);
    expect_refusal(vitrum({"run", at("rgb.vitrum"), at("large.png"), "--tile", "64"}), 2, "--approximate");
    expect_refusal(vitrum({"run", at("rgb.vitrum"), at("large.png"), "--memory", "1M"}), 4, "--approximate");
    CommandResult const result = vitrum({"run", at("rgb.vitrum"), at("large.png"), "--tile", "64", "--approximate"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_NE(result.err.find("tiles changed the result"), std::string::npos) << result.err;
}

TEST_F(RunSpectral, FoldersKeepGoingAndSkipWhatIsThere) {
    picture("in/a.png");
    picture("in/b.png");
    std::ofstream(at("in/c.png")) << "no picture";
    EXPECT_EQ(vitrum({"run", at("rgb.vitrum"), at("in"), "-o", at("out"), "-f", "npy"}).exit_code, 1);
    EXPECT_EQ(files("out"), (Names{"a_cube.npy", "b_cube.npy"}));
    CommandResult const again =
        vitrum({"run", at("rgb.vitrum"), at("in"), "-o", at("out"), "-f", "npy", "--skip-existing"});
    EXPECT_NE(again.err.find("0 rebuilt, 2 skipped, 1 failed"), std::string::npos) << again.err;
    EXPECT_EQ(vitrum({"run", at("rgb.vitrum"), at("in"), "--rgb", at("x.png")}).exit_code, 2);
}

TEST_F(RunSpectral, ASnapshotNeedsItsMask) {
    array("snapshot.npy", {6, 60, 28}, 0.5F);
    array("mask.npy", {6, 60, 28}, 1);
    array("wrong.npy", {6, 61, 28}, 1);
    array("bands.npy", {6, 6, 28}, 0.25F);
    expect_refusal(vitrum({"run", at("cassi.vitrum"), at("bands.npy")}), 2, "--mask FILE");
    expect_refusal(vitrum({"run", at("cassi.vitrum"), at("bands.npy"), "--mask", at("none.npy")}), 1, "none.npy");
    expect_refusal(vitrum({"run", at("cassi.vitrum"), at("bands.npy"), "--mask", at("wrong.npy")}), 2, "does not fit");
    CommandResult const result = vitrum({"run", at("cassi.vitrum"), at("bands.npy"), "--mask", at("mask.npy"), "-o",
                                         at("scene.mat"), "--no-clip", "--json"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    Measurement const scene = load_measurement(at("scene.mat"));
    EXPECT_EQ(scene.shape, (std::vector<std::int64_t>{6, 6, 28}));
    EXPECT_EQ(scene.values.front(), 1.25F);  // what the tiny network does: the bands and the mask added
}

TEST_F(RunSpectral, KillingItLeavesOnlyWholeCubes) {
    picture("large.png", 900, 700);
    for (int const milliseconds : {60, 150, 300, 600}) {
        pid_t const process = start({"run", at("rgb.vitrum"), at("large.png"), "-o", at("c.hdr")});
        std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
        kill(process, SIGKILL);
        static_cast<void>(finish(process));
        if (!fs::exists(at("c.hdr"))) continue;
        EXPECT_EQ(fs::file_size(at("c.img")), 900U * 700 * 31 * 4);
    }
}

}  // namespace
}  // namespace vitrum
