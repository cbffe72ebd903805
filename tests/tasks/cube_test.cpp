// SPDX-License-Identifier: Apache-2.0
#include "vitrum/cube.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <functional>
#include <limits>
#include <utility>

#include "vitrum/error.h"

namespace vitrum {
namespace {

namespace fs = std::filesystem;

std::vector<double> ntire() {
    std::vector<double> nm;
    for (int i = 0; i < 31; ++i) nm.push_back(400 + 10 * i);
    return nm;
}

/// A cube of one spectrum everywhere.
Cube flat(std::function<double(double)> const& spectrum, std::vector<double> const& nm = ntire()) {
    Cube cube(3, 4, nm);
    for (std::size_t i = 0; i < cube.values().size(); ++i) {
        cube.values()[i] = static_cast<float>(spectrum(nm[i % nm.size()]));
    }
    return cube;
}

std::array<int, 3> rgb_of(Cube const& cube) {
    Image const image = render_srgb(cube);
    auto const* const row = image.row<std::uint8_t>(1);
    return {row[0], row[1], row[2]};
}

class CubeTest : public testing::Test {
protected:
    CubeTest() { fs::create_directories(folder_); }
    ~CubeTest() override { fs::remove_all(folder_); }
    static std::string content(fs::path const& path) {
        std::ifstream file(path, std::ios::binary);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    fs::path folder_ = fs::temp_directory_path() / ("vitrum_cube_test_" + std::to_string(getpid()));
};

TEST_F(CubeTest, TheExtensionDecidesTheFormatAndOthersAreRefused) {
    EXPECT_EQ(cube_format_of_path("a.HDR"), CubeFormat::envi);
    EXPECT_EQ(cube_format_of_path("a.mat"), CubeFormat::mat);
    EXPECT_EQ(cube_format_of_path("a.npy"), CubeFormat::npy);
    EXPECT_EQ(cube_format_of_path("a.tiff"), CubeFormat::tiff);
    for (auto const& [name, what] : {std::pair("a.png", "PNG holds grey or RGB"), std::pair("a.img", "name the header"),
                                     std::pair("a", "written as")}) {
        try {
            static_cast<void>(cube_format_of_path(name));
            ADD_FAILURE() << name;
        } catch (Error const& error) {
            EXPECT_EQ(error.kind(), ErrorKind::usage);
            EXPECT_NE(std::string(error.what()).find(what), std::string::npos) << error.what();
        }
    }
}

TEST_F(CubeTest, EveryFormatIsWrittenWhole) {
    Cube const cube = flat([](double nm) { return nm / 1000; });
    EXPECT_EQ(save_cube(cube, folder_ / "a.hdr"), (std::vector<fs::path>{folder_ / "a.hdr", folder_ / "a.img"}));
    for (char const* name : {"a.mat", "a.npy", "a.tif"}) {
        EXPECT_EQ(save_cube(cube, folder_ / name), (std::vector<fs::path>{folder_ / name}));
        EXPECT_GT(fs::file_size(folder_ / name), cube.values().size() * sizeof(float));
    }
    EXPECT_EQ(fs::file_size(folder_ / "a.img"), cube.values().size() * sizeof(float));
    EXPECT_THROW(save_cube(Cube(), folder_ / "b.npy"), Error);
    EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 5);
}

TEST_F(CubeTest, FlatSpectraAreGreyAndOneIsWhite) {
    EXPECT_EQ(rgb_of(flat([](double) { return 1.0; })), (std::array{255, 255, 255}));
    EXPECT_EQ(rgb_of(flat([](double) { return 0.0; })), (std::array{0, 0, 0}));
    EXPECT_EQ(rgb_of(flat([](double) { return 0.2140; })), (std::array{127, 127, 127}));  // sRGB's mid grey
    std::vector<double> const cassi = {453.5, 470, 500, 530, 560, 600, 648};              // any bands
    EXPECT_EQ(rgb_of(flat([](double) { return 1.0; }, cassi)), (std::array{255, 255, 255}));
}

TEST_F(CubeTest, PartsOfTheSpectrumHaveTheirColours) {
    auto const band = [](double low, double high) {
        return rgb_of(flat([=](double nm) { return nm >= low && nm <= high ? 0.8 : 0.02; }));
    };
    auto const blue = band(400, 490), green = band(500, 570), red = band(600, 700);
    EXPECT_GT(blue[2], 2 * blue[0]);
    EXPECT_GT(blue[2], blue[1] + 50);
    EXPECT_GT(green[1], green[0] + 50);
    EXPECT_GT(green[1], green[2] + 50);
    EXPECT_GT(red[0], 2 * red[1]);
    EXPECT_GT(red[0], 2 * red[2]);
}

TEST_F(CubeTest, BandPicturesAreLinear) {
    Cube cube(1, 3, {400, 500});
    float const values[] = {0, -1, 0.5F, 0, 1, 2};
    std::ranges::copy(values, cube.values().begin());
    Image const first = band_image(cube, 0), second = band_image(cube, 1);
    EXPECT_EQ(first.row<std::uint8_t>(0)[1], 128);
    EXPECT_EQ(first.row<std::uint8_t>(0)[2], 255);
    EXPECT_EQ(second.row<std::uint8_t>(0)[0], 0);
    EXPECT_EQ(second.row<std::uint8_t>(0)[2], 255);
    EXPECT_THROW(static_cast<void>(band_image(cube, 2)), Error);
}

TEST_F(CubeTest, SpectraOfBoxesAreMeansAndDeviations) {
    Cube cube(2, 2, {400, 500});
    float const values[] = {1, 10, 3, 10, 5, 10, 7, 10};
    std::ranges::copy(values, cube.values().begin());
    EXPECT_EQ(spectrum_of(cube, {1, 1}).mean, (std::vector<double>{7, 10}));
    Spectrum const all = spectrum_of(cube, {0, 0, 2, 2});
    EXPECT_EQ(all.mean, (std::vector<double>{4, 10}));
    EXPECT_NEAR(all.deviation[0], std::sqrt(5), 1e-12);
    EXPECT_EQ(all.deviation[1], 0);
    for (CubeBox const& box : {CubeBox{2, 0}, CubeBox{-1, 0}, CubeBox{0, 0, 3, 1}, CubeBox{0, 1, 1, 2},
                               CubeBox{0, 0, 0, 1}, CubeBox{1, 0, std::numeric_limits<std::int64_t>::max(), 1}}) {
        EXPECT_THROW(static_cast<void>(spectrum_of(cube, box)), Error) << box.x << " " << box.width;
    }
}

TEST_F(CubeTest, SpectraAreWrittenAsTableAndDiagram) {
    Cube const cube = flat([](double nm) { return nm / 1000; });
    std::vector<Spectrum> const spectra = {spectrum_of(cube, {1, 2}), spectrum_of(cube, {0, 0, 4, 3})};
    save_spectra_csv(cube.wavelengths(), spectra, folder_ / "s.csv");
    EXPECT_TRUE(
        content(folder_ / "s.csv").starts_with("wavelength_nm,(1 2),(0 0) 4x3,(0 0) 4x3 deviation\n400,0.4,0.4,"))
        << content(folder_ / "s.csv");
    save_spectra_plot(cube.wavelengths(), spectra, folder_ / "s.svg");
    std::string const svg = content(folder_ / "s.svg");
    EXPECT_TRUE(svg.starts_with("<svg")) << svg.substr(0, 100);
    EXPECT_NE(svg.find("wavelength (nm)"), std::string::npos);
    EXPECT_EQ(svg.find("nan"), std::string::npos);
    save_spectra_plot(cube.wavelengths(), spectra, folder_ / "s.png");
    EXPECT_GT(load_image(folder_ / "s.png").width(), 400);
    EXPECT_THROW(save_spectra_plot(cube.wavelengths(), spectra, folder_ / "s.jpg"), Error);
}

TEST_F(CubeTest, ConstantAndZeroSpectraStillHaveADiagram) {
    Cube const cube = flat([](double) { return 0.0; }, {550});
    std::vector<Spectrum> const spectra = {spectrum_of(cube, {0, 0})};
    save_spectra_plot(cube.wavelengths(), spectra, folder_ / "s.svg");
    EXPECT_EQ(content(folder_ / "s.svg").find("nan"), std::string::npos);
}

}  // namespace
}  // namespace vitrum
