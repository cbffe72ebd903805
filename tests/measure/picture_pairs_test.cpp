// SPDX-License-Identifier: Apache-2.0
#include "picture_pairs.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "vitrum/error.h"

namespace vitrum {
namespace {

namespace fs = std::filesystem;

class PicturePairs : public testing::Test {
protected:
    PicturePairs() {
        fs::create_directories(low_);
        fs::create_directories(high_);
    }
    ~PicturePairs() override { fs::remove_all(root_); }

    static void touch(fs::path const& path) { std::ofstream{path} << "x"; }
    [[nodiscard]] std::string error() const {
        try {
            static_cast<void>(pair_pictures(low_, high_, 4));
        } catch (Error const& error) {
            return error.what();
        }
        return "";
    }

    fs::path root_ = fs::temp_directory_path() / ("vitrum_pairs_test_" + std::to_string(getpid()));
    fs::path low_ = root_ / "low", high_ = root_ / "high";
};

TEST(CommonName, CutsWhatTestSetsAdd) {
    for (char const* stem : {"baby", "babyx4", "baby_x4", "baby-X4", "baby_x4_LR", "baby_HR", "baby_gt"}) {
        EXPECT_EQ(common_name(stem, 4), "baby") << stem;
    }
    EXPECT_EQ(common_name("babyx2", 4), "babyx2");
    EXPECT_EQ(common_name("x4", 4), "x4");
    EXPECT_EQ(common_name("", 4), "");
}

TEST_F(PicturePairs, PrefersTheSameNameToTheCommonOne) {
    touch(low_ / "babyx4.png");
    touch(high_ / "baby.png");
    touch(high_ / "babyx4.tif");
    EXPECT_EQ(pair_pictures(low_, high_, 4).at(0).reference, high_ / "babyx4.tif");
}

TEST_F(PicturePairs, FindsThePartnerWhateverItsFormat) {
    touch(low_ / "babyx4.png");
    touch(low_ / "notes.txt");
    touch(high_ / "baby.tif");
    touch(high_ / "bird.tif");
    auto const pairs = pair_pictures(low_, high_, 4);
    ASSERT_EQ(pairs.size(), 1U);
    EXPECT_EQ(pairs[0].reference, high_ / "baby.tif");
}

TEST_F(PicturePairs, NamesWhatHasNoPartnerOrSeveral) {
    EXPECT_NE(error().find("no pictures in"), std::string::npos);
    touch(low_ / "babyx4.png");
    touch(high_ / "bird.png");
    EXPECT_NE(error().find("babyx4.png"), std::string::npos);
    touch(high_ / "baby.png");
    EXPECT_EQ(error(), "");
    touch(high_ / "baby.jpg");
    EXPECT_NE(error().find("several"), std::string::npos);
    fs::remove_all(high_);
    EXPECT_NE(error().find("high"), std::string::npos);
}

}  // namespace
}  // namespace vitrum
