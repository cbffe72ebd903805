// SPDX-License-Identifier: Apache-2.0
#include <fstream>

#include "pictures.h"

namespace vitrum::image_test {
namespace {

namespace fs = std::filesystem;

class Save : public InFolder {};

TEST_F(Save, WritesWhatLoadReads) {
    Image const image = gradient(13, 5, 3, SampleType::u16, true);
    for (char const* const name : {"a.png", "b.TIF"}) {
        save_image(image, folder / name);
        EXPECT_TRUE(same_pixels(load_image(folder / name), image)) << name;
    }
    EXPECT_EQ(probe_image(folder / "a.png").type, SampleType::u16);
    EXPECT_EQ(entries(), 2);
}

TEST_F(Save, ReplacesAnOlderFileAndAFailureLeavesIt) {
    Image const image = gradient(13, 5, 3, SampleType::u8);
    save_image(image, folder / "a.webp", {.lossless = true});
    Image const wide = gradient(20000, 1, 3, SampleType::u8);
    std::string const error = error_of([&] { save_image(wide, folder / "a.webp"); });
    EXPECT_NE(error.find("a.webp: 20000x1 pixels are too many for WebP"), std::string::npos) << error;
    EXPECT_TRUE(same_pixels(load_image(folder / "a.webp"), image));
    EXPECT_EQ(entries(), 1);
}

TEST_F(Save, UnknownExtensionsAreUsageErrors) {
    Image const image = gradient(2, 2, 3, SampleType::u8);
    for (char const* const name : {"a.gif", "a", "a.png.part"}) {
        try {
            save_image(image, folder / name);
            FAIL() << name;
        } catch (Error const& error) {
            EXPECT_EQ(error.kind(), ErrorKind::usage);
        }
    }
    EXPECT_EQ(entries(), 0);
}

TEST_F(Save, MissingFoldersAndForbiddenOnesAreNamed) {
    Image const image = gradient(2, 2, 3, SampleType::u8);
    std::string const missing = error_of([&] { save_image(image, folder / "no" / "a.png"); });
    EXPECT_NE(missing.find("a.png"), std::string::npos) << missing;
    if (geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
    fs::permissions(folder, fs::perms::owner_read | fs::perms::owner_exec);
    EXPECT_NE(error_of([&] { save_image(image, folder / "a.png"); }), "");
    fs::permissions(folder, fs::perms::owner_all);
    EXPECT_EQ(entries(), 0);
}

TEST_F(Save, LoadNamesTheFile) {
    EXPECT_NE(error_of([&] { (void)load_image(folder / "missing.png"); }).find("missing.png"), std::string::npos);
    EXPECT_NE(error_of([&] { (void)load_image(folder); }), "");
    std::ofstream(folder / "empty.png").close();
    EXPECT_NE(error_of([&] { (void)load_image(folder / "empty.png"); }).find("empty.png: the file is empty"),
              std::string::npos);
}

TEST_F(Save, OddRequestsAreUsageErrors) {
    Image const image = gradient(2, 2, 3, SampleType::u8);
    EXPECT_NE(error_of([&] { save_image(image, folder / "a.jpg", {.quality = 0}); }), "");
    EXPECT_NE(error_of([&] { save_image(image, folder / "a.png", {.compression = 10}); }), "");
    EXPECT_NE(error_of([&] { save_image(Image(), folder / "a.png"); }), "");
    EXPECT_NE(error_of([] { (void)Image(0, 5, 3, SampleType::u8); }), "");
    EXPECT_NE(error_of([] { (void)Image(5, 5, 2, SampleType::u8); }), "");
    EXPECT_NE(error_of([] { (void)Image(std::int64_t{1} << 40, std::int64_t{1} << 40, 3, SampleType::u8); }), "");
}

}  // namespace
}  // namespace vitrum::image_test
