// SPDX-License-Identifier: Apache-2.0
#include "parse.h"

#include <gtest/gtest.h>

#include "vitrum/error.h"

namespace vitrum::cli {
namespace {

template <class Body>
void expect_usage_error(Body const& body, std::string const& text) {
    try {
        body();
        ADD_FAILURE() << text << " was taken";
    } catch (Error const& error) {
        EXPECT_EQ(error.kind(), ErrorKind::usage) << text;
        EXPECT_NE(std::string(error.what()).find(text), std::string::npos) << error.what();
    }
}

TEST(Parse, BytesTakeTheUsualUnits) {
    EXPECT_EQ(parse_bytes("--memory", "4G"), 4ULL << 30);
    EXPECT_EQ(parse_bytes("--memory", "4Gi"), 4ULL << 30);
    EXPECT_EQ(parse_bytes("--memory", "4gb"), 4ULL << 30);
    EXPECT_EQ(parse_bytes("--memory", "1.5GiB"), 3ULL << 29);
    EXPECT_EQ(parse_bytes("--memory", "800M"), 800ULL << 20);
    EXPECT_EQ(parse_bytes("--memory", "2048k"), 2ULL << 20);
    EXPECT_EQ(parse_bytes("--memory", "1T"), 1ULL << 40);
    EXPECT_EQ(parse_bytes("--memory", "3000000"), 3000000ULL);
}

TEST(Parse, BytesRefuseEverythingElse) {
    for (std::string const text :
         {"", "G", "4X", "4GG", "-4G", "nan", "inf", "4", "0", "1e999", "9999999T", "4 G", "0x10G"}) {
        expect_usage_error([&] { static_cast<void>(parse_bytes("--memory", text)); }, text);
    }
}

TEST(Parse, SizesAreHeightThenWidth) {
    EXPECT_EQ(parse_size("--size", "256x320").height, 256);
    EXPECT_EQ(parse_size("--size", "256X320").width, 320);
    EXPECT_EQ(parse_size("--size", "64").width, 64);
    for (std::string const text : {"", "x", "256x", "x256", "0x4", "-1x4", "3x4x5", "9999999999x1", "4.5x4", "a"}) {
        expect_usage_error([&] { static_cast<void>(parse_size("--size", text)); }, text);
    }
}

TEST(Parse, TileIsANumberOrAWord) {
    EXPECT_EQ(parse_tile("--tile", "auto"), -1);
    EXPECT_EQ(parse_tile("--tile", "none"), 0);
    EXPECT_EQ(parse_tile("--tile", "0"), 0);
    EXPECT_EQ(parse_tile("--tile", "256"), 256);
    for (std::string const text : {"-1", "big", "2.5", ""}) {
        expect_usage_error([&] { static_cast<void>(parse_tile("--tile", text)); }, text);
    }
}

TEST(Parse, OverridesAreNameAndValue) {
    EXPECT_EQ(parse_override("img_range=255"), std::pair(std::string("img_range"), std::string("255")));
    EXPECT_EQ(parse_override("a=b=c").second, "b=c");
    EXPECT_EQ(parse_override("a=").second, "");
    for (std::string const text : {"img_range", "=255"}) {
        expect_usage_error([&] { static_cast<void>(parse_override(text)); }, text);
    }
}

}  // namespace
}  // namespace vitrum::cli
