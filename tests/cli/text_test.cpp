// SPDX-License-Identifier: Apache-2.0
#include "text.h"

#include <gtest/gtest.h>

#include "progress.h"

namespace vitrum::cli {
namespace {

TEST(Text, TablesAlignLettersNotBytes) {
    Table table({"name", "ms"});
    table.add({"é×", "1.5"});
    table.add({"longer", "10.25"});
    EXPECT_EQ(table.str(), "name       ms\né×        1.5\nlonger  10.25\n");
}

TEST(Text, BytesAreReadable) {
    EXPECT_EQ(bytes_text(1536), "2 KiB");
    EXPECT_EQ(bytes_text(5.5 * 1024 * 1024), "5.5 MiB");
    EXPECT_EQ(bytes_text(1.75 * 1024 * 1024 * 1024), "1.75 GiB");
}

TEST(Text, TimesAreReadable) {
    EXPECT_EQ(clock_text(0.4), "0:00");
    EXPECT_EQ(clock_text(67), "1:07");
    EXPECT_EQ(clock_text(3723), "1:02:03");
}

}  // namespace
}  // namespace vitrum::cli
