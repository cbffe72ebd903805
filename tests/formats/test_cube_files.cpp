// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "formats/array.h"
#include "formats/cube_files.h"
#include "vitrum/error.h"

namespace vitrum {
namespace {

namespace fs = std::filesystem;

class CubeFiles : public testing::Test {
protected:
    CubeFiles() {
        fs::create_directories(folder_);
        for (std::size_t i = 0; i < values_.size(); ++i) values_[i] = static_cast<float>(i) / 7;
    }
    ~CubeFiles() override { fs::remove_all(folder_); }

    [[nodiscard]] CubeView view() const { return {values_.data(), 5, 4, 3, wavelengths_}; }
    static std::string content(fs::path const& path) {
        std::ifstream file(path, std::ios::binary);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    [[nodiscard]] std::size_t files() const {
        return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_), {}));
    }

    fs::path folder_ = fs::temp_directory_path() / ("vitrum_cube_files_" + std::to_string(getpid()));
    std::vector<float> values_ = std::vector<float>(5 * 4 * 3);
    std::vector<double> wavelengths_ = {400, 453.5, 700};
};

TEST_F(CubeFiles, NpyAndMatComeBackAsTheyWere) {
    write_npy(folder_ / "a.npy", view());
    write_mat(folder_ / "a.mat", view());
    for (Array const& array : {read_array(folder_ / "a.npy"), read_array(folder_ / "a.mat", "cube")}) {
        EXPECT_EQ(array.shape, (Shape{5, 4, 3}));
        EXPECT_EQ(array.values, values_);
    }
    Array const bands = read_array(folder_ / "a.mat", "bands");
    EXPECT_EQ(bands.shape, (Shape{1, 3}));
    EXPECT_EQ(bands.values, (std::vector<float>{400, 453.5, 700}));
    EXPECT_EQ(read_array(folder_ / "a.mat").name, "cube");  // the only one that can be a picture
}

TEST_F(CubeFiles, MatBeginsWithMatlabsHeader) {
    write_mat(folder_ / "a.mat", view());
    std::string const file = content(folder_ / "a.mat");
    EXPECT_TRUE(file.starts_with("MATLAB 7.3 MAT-file"));
    EXPECT_EQ(file.substr(124, 4), std::string("\x00\x02IM", 4));
    EXPECT_EQ(file.substr(512, 4), "\x89HDF");
}

TEST_F(CubeFiles, EnviStatesWavelengthsAndHoldsBandAfterBand) {
    write_envi(folder_ / "a.hdr", view(), "from {a} test");
    std::string const header = content(folder_ / "a.hdr");
    for (char const* line : {"ENVI\n", "samples = 4\n", "lines = 5\n", "bands = 3\n", "data type = 4\n",
                             "interleave = bsq\n", "byte order = 0\n", "wavelength units = Nanometers\n",
                             "wavelength = {400, 453.5, 700}\n", "description = {from a test}\n"}) {
        EXPECT_NE(header.find(line), std::string::npos) << line << header;
    }
    std::string const numbers = content(folder_ / "a.img");
    ASSERT_EQ(numbers.size(), values_.size() * sizeof(float));
    for (std::size_t band = 0; band < 3; ++band) {
        for (std::size_t i = 0; i < 20; ++i) {
            float value = 0;
            std::memcpy(&value, numbers.data() + (band * 20 + i) * sizeof value, sizeof value);
            ASSERT_EQ(value, values_[i * 3 + band]);
        }
    }
}

TEST_F(CubeFiles, NothingIsLeftWhereWritingFails) {
    EXPECT_THROW(write_mat(folder_ / "none" / "a.mat", view()), Error);
    fs::create_directories(folder_ / "a.img");  // where the numbers should go
    EXPECT_THROW(write_envi(folder_ / "a.hdr", view(), ""), Error);
    EXPECT_FALSE(fs::exists(folder_ / "a.hdr"));
    EXPECT_EQ(files(), 1U);
}

}  // namespace
}  // namespace vitrum
