// SPDX-License-Identifier: Apache-2.0
#include "text.h"

#include <gtest/gtest.h>

#include <limits>

#include "progress.h"
#include "ranges_text.h"

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

TEST(Text, RunsThatWereMadeAgainAreTold) {
    EXPECT_EQ(reruns_text({}), "");
    EXPECT_EQ(reruns_text({1, 0}), ", 1 run again in tf32");
    EXPECT_EQ(reruns_text({0, 2}), ", 2 runs again in fp32");
    EXPECT_EQ(reruns_text({3, 1}), ", 4 runs again in tf32 and fp32 (1)");
}

TEST(Text, RangesSayWhyAPrecisionWasTaken) {
    PrecisionChoice choice;
    choice.precision = Precision::tf32;
    choice.sizes = {1, 64, 64};
    choice.operators = {{"Conv2d", "conv_first", 70000, 0.25}};
    choice.trials.push_back({.precision = Precision::fp16, .why_not = "an output is NaN or infinite"});
    choice.trials.push_back({.precision = Precision::tf32, .error = 1e-3, .error_limit = 2.5e-3, .quality = "PSNR dB"});
    choice.trials[0].layers = {{"conv_fp16", std::numeric_limits<double>::infinity()}};
    choice.trials[1].layers = {{"conv_tf32", 1e-3}};
    std::string const text = ranges_text(choice, "cuda");
    for (char const* const part :
         {"beyond fp16: 7e+04", "25.0 %", "NaN/Inf", "conv_tf32",
          "fp16: not exact enough: an output is NaN or infinite", "tf32: exact enough: error 1.0e-03 of 2.5e-03",
          "--precision auto gives this network tf32"}) {
        EXPECT_NE(text.find(part), std::string::npos) << part << " in\n" << text;
    }
    Json const json = ranges_json(choice);
    EXPECT_EQ(json["automatic"], "tf32");
    EXPECT_TRUE(json["trials"][0]["operators"][0]["error"].is_null());
}

TEST(Text, TimesAreReadable) {
    EXPECT_EQ(clock_text(0.4), "0:00");
    EXPECT_EQ(clock_text(67), "1:07");
    EXPECT_EQ(clock_text(3723), "1:02:03");
}

}  // namespace
}  // namespace vitrum::cli
