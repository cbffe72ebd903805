// SPDX-License-Identifier: Apache-2.0
#include "build_files.h"

namespace vitrum {
namespace {

using namespace make;

std::string entry(std::string const& name, std::string const& dtype, std::string const& shape,
                  std::string const& offsets) {
    return "\"" + name + R"(":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}

TEST(Safetensors, ReadsTensorsAndMetadata) {
    auto const json = R"({"__metadata__":{"format":"pt"},)" + entry("b", "F32", "[1,2]", "[2,10]") + "," +
                      entry("a", "BF16", "[]", "[0,2]") + "}  ";
    auto const checkpoint = read(safetensors(json, u16(0x3F80) + floats({2, 3})));
    EXPECT_EQ(checkpoint.format, "safetensors");
    ASSERT_EQ(checkpoint.tensors.size(), 2U);
    EXPECT_EQ(checkpoint.tensors[0].name, "b");
    EXPECT_EQ(checkpoint.tensors[0].view.shape, (Shape{1, 2}));
    EXPECT_EQ(elements(checkpoint, "b"), (std::vector<float>{2, 3}));
    EXPECT_EQ(elements(checkpoint, "a"), std::vector<float>{1});
    EXPECT_EQ(checkpoint.values.at("format"), "pt");
}

TEST(Safetensors, ReadsEveryType) {
    struct Case {
        char const* name;
        DType dtype;
    };
    Case const cases[] = {{"F64", DType::f64}, {"F32", DType::f32},     {"F16", DType::f16}, {"BF16", DType::bf16},
                          {"I64", DType::i64}, {"I32", DType::i32},     {"I16", DType::i16}, {"I8", DType::i8},
                          {"U8", DType::u8},   {"BOOL", DType::boolean}};
    for (auto const& [name, dtype] : cases) {
        auto const size = size_of(dtype);
        auto const checkpoint = read(safetensors(
            "{" + entry("x", name, "[1]", "[0," + std::to_string(size) + "]") + "}", std::string(size, '\0')));
        EXPECT_EQ(checkpoint.tensors.at(0).view.dtype, dtype) << name;
    }
}

TEST(Safetensors, ReadsEmptyTensorsAndEmptyFiles) {
    EXPECT_TRUE(elements(read(safetensors("{" + entry("x", "F32", "[0,4]", "[0,0]") + "}")), "x").empty());
    EXPECT_TRUE(read(safetensors("{}")).tensors.empty());
}

TEST(Safetensors, NamesTypesThatAreNotRead) {
    EXPECT_CONTAINS(error_of(safetensors("{" + entry("w", "F8_E4M3", "[1]", "[0,1]") + "}", "x")),
                    "tensor \"w\" is of type F8_E4M3");
}

TEST(Safetensors, RefusesRangesThatDoNotFit) {
    auto const wrong = [](std::string const& shape, std::string const& offsets, std::size_t data = 8) {
        return error_of(safetensors("{" + entry("w", "F32", shape, offsets) + "}", std::string(data, 'x')));
    };
    EXPECT_CONTAINS(wrong("[2]", "[0,12]"), "lies at [0, 12) of 8 bytes");
    EXPECT_CONTAINS(wrong("[2]", "[8,0]"), "lies at [8, 0)");
    EXPECT_CONTAINS(wrong("[3]", "[0,8]"), "of shape [3] and type F32 does not match its 8 bytes");
    EXPECT_CONTAINS(wrong("[4611686018427387904,4]", "[0,8]"), "does not match");
    EXPECT_CONTAINS(wrong("[18446744073709551615]", "[0,8]"), "does not match");
    EXPECT_CONTAINS(wrong("[1]", "[4,8]"), "there is a hole");
    EXPECT_CONTAINS(wrong("[1]", "[0,4]"), "end at data byte 4 of 8");
    EXPECT_CONTAINS(wrong("[1,1,1,1,1,1,1,1,2]", "[0,8]"), "9 dimensions");
    EXPECT_CONTAINS(wrong("[2]", "[0,8,9]"), "lacks its dtype, shape or data_offsets");
}

TEST(Safetensors, RefusesOverlaps) {
    auto const json = "{" + entry("a", "U8", "[2]", "[0,2]") + "," + entry("b", "U8", "[2]", "[1,3]") + "}";
    EXPECT_CONTAINS(error_of(safetensors(json, "xyz")), "tensor \"b\" begins at data byte 1 instead of 2");
}

TEST(Safetensors, RefusesHeadersOfOtherForms) {
    auto const header = [](std::string const& json) { return error_of(safetensors(json)); };
    auto const good = entry("w", "F32", "[0]", "[0,0]");
    EXPECT_CONTAINS(header("{" + good + "," + good + "}"), "\"w\" is there twice");
    EXPECT_CONTAINS(header(R"({"w":{"dtype":"F32","dtype":"F32"}})"), "\"w.dtype\" is there twice");
    EXPECT_CONTAINS(header(R"({"w":{"dtype":"F32","shape":[0]}})"), "lacks its dtype, shape or data_offsets");
    EXPECT_CONTAINS(header(R"({"w":[1]})"), "a list at \"w\"");
    EXPECT_CONTAINS(header(R"({"w":{"shape":[[1]]}})"), "a list at \"w\"");
    EXPECT_CONTAINS(header(R"({"w":{"shape":[-1]}})"), "a negative number at \"w\"");
    EXPECT_CONTAINS(header(R"({"w":{"shape":[1.5]}})"), "a fraction at \"w\"");
    EXPECT_CONTAINS(header(R"({"w":{"strides":[1]}})"), "the field \"strides\"");
    EXPECT_CONTAINS(header(R"({"__metadata__":{"a":{"b":"c"}}})"), "an object at \"__metadata__\"");
    EXPECT_CONTAINS(header(R"({"__metadata__":{"a":1}})"), "a number at \"__metadata__\"");
    EXPECT_CONTAINS(header("{} x"), "no valid JSON (byte 11)");
    EXPECT_CONTAINS(header("{\"\xFF\":{}}"), "no valid JSON");
    EXPECT_CONTAINS(header("{" + std::string(100'000, '[')), "no valid JSON");
    EXPECT_CONTAINS(header("{\"a\":" + std::string(100'000, '{')), "no valid JSON");
}

TEST(Safetensors, RefusesHeaderLengthsThatLie) {
    EXPECT_CONTAINS(error_of(u64(1'000'000'000) + "{}"), "more than the format allows");
    EXPECT_CONTAINS(error_of(u64(3) + "{}"), "leaves the file of 10 bytes");
}

}  // namespace
}  // namespace vitrum
