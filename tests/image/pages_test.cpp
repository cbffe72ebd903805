// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <unistd.h>

#include <vector>

#include "image/svg.h"
#include "image/tiff_pages.h"
#include "vitrum/image.h"

namespace vitrum {
namespace {

namespace fs = std::filesystem;

TEST(TiffPages, TheFirstPageIsTheFirstBand) {
    fs::path const path = fs::temp_directory_path() / ("vitrum_pages_" + std::to_string(getpid()) + ".tif");
    std::vector<float> values(3 * 5 * 31);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) / 100 - 1;
    write_tiff_pages(path, values.data(), 3, 5, 31, "wavelengths: 400, …");
    Image const page = load_image(path);
    EXPECT_EQ(page.width(), 5);
    EXPECT_EQ(page.height(), 3);
    EXPECT_EQ(page.type(), SampleType::f32);
    for (std::size_t i = 0; i < 15; ++i) EXPECT_EQ(page.row<float>(0)[i], values[i * 31]);
    EXPECT_EQ(page.metadata.texts.at("image-description"), "wavelengths: 400, …");
    EXPECT_GT(fs::file_size(path), values.size() * sizeof(float));
    fs::remove(path);
}

TEST(TiffPages, MoreBandsThanTheFormatHoldsAreRefused) {
    float const value = 0;
    try {
        write_tiff_pages("x.tif", &value, 1'000'000, 1, 31, "");
        FAIL();
    } catch (Error const& error) {
        EXPECT_EQ(error.kind(), ErrorKind::usage);
    }
    EXPECT_FALSE(fs::exists("x.tif"));
}

TEST(Svg, IsDrawnOverWhite) {
    Image const picture = rasterise_svg(
        R"(<svg xmlns="http://www.w3.org/2000/svg" width="4" height="2"><rect width="2" height="2" fill="#f00"/></svg>)");
    ASSERT_EQ(picture.width(), 4);
    ASSERT_EQ(picture.height(), 2);
    auto const* const row = picture.row<std::uint8_t>(1);
    EXPECT_EQ(row[0], 255);
    EXPECT_EQ(row[1], 0);
    for (int i = 9; i < 12; ++i) EXPECT_EQ(row[i], 255);
}

}  // namespace
}  // namespace vitrum
