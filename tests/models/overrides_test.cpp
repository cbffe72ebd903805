// SPDX-License-Identifier: Apache-2.0
#include "models/overrides.h"

#include <gtest/gtest.h>

#include "vitrum/error.h"

namespace vitrum {
namespace {

TEST(Overrides, ReadsPositiveNumbers) {
    EXPECT_FLOAT_EQ(positive_number({"img_range", "255"}), 255.0F);
    EXPECT_FLOAT_EQ(positive_number({"img_range", " 0.5 "}), 0.5F);
    for (std::string const bad : {"", "0", "-1", "abc", "1x", "nan", "inf", "1e99"}) {
        EXPECT_THROW((void)positive_number({"img_range", bad}), Error) << bad;
    }
}

TEST(Overrides, ReadsExactlyAsManyNumbersAsAreNeeded) {
    EXPECT_EQ(number_list({"rgb_mean", "0.1, -2,3"}, 3), (std::vector<float>{0.1F, -2.0F, 3.0F}));
    for (std::string const bad : {"", "1,2", "1,2,3,4", "1,,3", "1,2,x", "1,2,3,"}) {
        EXPECT_THROW((void)number_list({"rgb_mean", bad}, 3), Error) << bad;
    }
}

}  // namespace
}  // namespace vitrum
