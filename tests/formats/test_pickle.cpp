// SPDX-License-Identifier: Apache-2.0
// What the restricted pickle interpreter builds.

#include "build_files.h"

namespace vitrum {
namespace {

using namespace make;
using namespace std::string_literals;

std::string value_of(std::string const& expression) {
    auto const checkpoint = read(pickle(dict({text("x"), expression})));
    auto const found = checkpoint.values.find("x");
    return found == checkpoint.values.end() ? "nothing" : found->second;
}

TEST(Pickle, NamesValuesByTheirPathThroughContainers) {
    auto const inner = dict({text("lr"), real(0.5), integer(7), text("seven")});
    auto const checkpoint = read(pickle(dict({text("opt"), list({inner, integer(3)}), text("flag"), kTrue})));
    EXPECT_EQ(checkpoint.format, "pickle");
    EXPECT_TRUE(checkpoint.tensors.empty());
    std::map<std::string, std::string> const expected{
        {"opt.0.lr", "0.5"}, {"opt.0.7", "seven"}, {"opt.1", "3"}, {"flag", "true"}};
    EXPECT_EQ(checkpoint.values, expected);
}

TEST(Pickle, ReadsNumbersOfEveryProtocol) {
    EXPECT_EQ(value_of("I-12\n"), "-12");
    EXPECT_EQ(value_of("I01\n"), "true");
    EXPECT_EQ(value_of("L123L\n"), "123");
    EXPECT_EQ(value_of("F1.5\n"), "1.5");
    EXPECT_EQ(value_of("J" + le(std::int32_t{-5})), "-5");
    EXPECT_EQ(value_of("K\xFF"), "255");
    EXPECT_EQ(value_of("M" + u16(65535)), "65535");
    EXPECT_EQ(value_of("\x8A\x01\xFF"), "-1");
    EXPECT_EQ(value_of("\x8A\x00"s), "0");
    EXPECT_EQ(value_of("\x8B" + u32(2) + u16(0x7FFF)), "32767");
    EXPECT_EQ(value_of("\x8A\x09" + u64(0) + "\x01"), "0x010000000000000000");
    EXPECT_EQ(value_of(real(-0.25)), "-0.25");
    EXPECT_EQ(value_of("N"), "none");
}

TEST(Pickle, ReadsTextOfEveryProtocol) {
    EXPECT_EQ(value_of("S'a\\n\\x41\\101'\n"), "a\nAA");
    EXPECT_EQ(value_of("V\\u00e9\\U0001F600x\n"), "\xC3\xA9\xF0\x9F\x98\x80x");
    EXPECT_EQ(value_of("U\x02hi"), "hi");
    EXPECT_EQ(value_of("T" + u32(2) + "hi"), "hi");
    EXPECT_EQ(value_of("\x8C\x02hi"), "hi");
    EXPECT_EQ(value_of("\x8D" + u64(2) + "hi"), "hi");
    EXPECT_EQ(value_of(text("bad \xFF")), "bad \xEF\xBF\xBD");
}

TEST(Pickle, KeepsTensorNamesOnOneLine) {
    auto const array = numpy_array(integers({1}), numpy_dtype("f4", "<"), false, bytes(floats({1})));
    auto const checkpoint = read(pickle(dict({text("a\nb\x1B[31m"), array})));
    ASSERT_EQ(checkpoint.tensors.size(), 1U);
    EXPECT_EQ(checkpoint.tensors[0].name, "a\\x0ab\\x1b[31m");
}

TEST(Pickle, FetchesFromTheMemo) {
    EXPECT_EQ(value_of(text("again") + "q\x05" + "0h\x05"), "again");
    EXPECT_EQ(value_of(text("again") + "r" + u32(9) + "0j" + u32(9)), "again");
    EXPECT_EQ(value_of(text("again") + "\x94" + "0h\x00"s), "again");
    EXPECT_EQ(value_of(text("again") + "p3\n0g3\n"), "again");
}

TEST(Pickle, BuildsContainersByCallsAndOpcodes) {
    auto const pairs = list({list({text("k"), integer(1)})});
    auto const ordered = call(global("collections", "OrderedDict"), {pairs});
    auto const with_default =
        call(global("collections", "defaultdict"), {global("__builtin__", "list")}) + text("d") + kTrue + "s";
    auto const set = call(global("__builtin__", "set"), {list({integer(4)})});
    auto const checkpoint = read(pickle(list({ordered, with_default, set, "(I1\nI2\nl", "(" + text("z") + "I3\nd"})));
    std::map<std::string, std::string> const expected{{"0.k", "1"}, {"1.d", "true"}, {"2.0", "4"},
                                                      {"3.0", "1"}, {"3.1", "2"},    {"4.z", "3"}};
    EXPECT_EQ(checkpoint.values, expected);
}

TEST(Pickle, IgnoresTheAttributesOfAnOrderedDict) {
    auto const metadata = dict({text("_metadata"), dict({text("version"), integer(1)})});
    auto const state =
        call(global("collections", "OrderedDict"), {}) + text("epoch") + integer(2) + "s" + metadata + "b";
    EXPECT_EQ(read(pickle(state)).values, (std::map<std::string, std::string>{{"epoch", "2"}}));
}

TEST(Pickle, ReadsNumpyArraysInPlace) {
    auto const rows = numpy_array(integers({2, 3}), numpy_dtype("f4", "<"), false, bytes(floats({1, 2, 3, 4, 5, 6})));
    auto const columns = numpy_array(integers({2, 3}), numpy_dtype("f4", "<"), true, bytes(floats({1, 2, 3, 4, 5, 6})));
    auto const checkpoint = read(pickle(dict({text("model"), dict({text("a.b"), rows, text("c"), columns})})));
    EXPECT_EQ(elements(checkpoint, "model.a.b"), (std::vector<float>{1, 2, 3, 4, 5, 6}));
    EXPECT_EQ(elements(checkpoint, "model.c"), (std::vector<float>{1, 3, 5, 2, 4, 6}));
    EXPECT_FALSE(checkpoint.find("model.c")->view.is_contiguous());
}

TEST(Pickle, ReadsNumpyBytesThatOldProtocolsSpellAsText) {
    auto const latin1 = call(global("_codecs", "encode"), {text("\xC3\xBF\x01"), text("latin1")});
    auto const array = numpy_array(integers({2}), numpy_dtype("u1", "|"), false, latin1);
    auto const python2 = numpy_array(integers({2}), numpy_dtype("u1", "|"), false, "U\x02\x03\x04");
    auto const checkpoint = read(pickle(list({array, python2})));
    EXPECT_EQ(elements(checkpoint, "0"), (std::vector<float>{255, 1}));
    EXPECT_EQ(elements(checkpoint, "1"), (std::vector<float>{3, 4}));
}

TEST(Pickle, ReadsNumpyArraysOfProtocol5) {
    auto const data = "\x96" + u64(4) + floats({2});
    auto const array =
        call(global("numpy._core.numeric", "_frombuffer"), {data, numpy_dtype("f4", "<"), integers({1, 1}), text("C")});
    EXPECT_EQ(elements(read(pickle(list({array}))), "0"), std::vector<float>{2});
}

TEST(Pickle, ReadsNumpyScalarsAsValues) {
    auto const half = call(global("numpy.core.multiarray", "scalar"), {numpy_dtype("f2", "<"), bytes(u16(0x3C00))});
    EXPECT_EQ(value_of(half), "1");
    auto const long_integer =
        call(global("numpy._core.multiarray", "scalar"), {numpy_dtype("i8", "<"), bytes(u64(42))});
    EXPECT_EQ(value_of(long_integer), "42");
}

TEST(Pickle, KnowsHarmlessTorchNames) {
    EXPECT_EQ(value_of(global("torch", "float32")), "float32");
    EXPECT_EQ(value_of(call(global("torch", "device"), {text("cuda"), integer(1)})), "cuda");
    auto const size = read(pickle(dict({text("x"), call(global("torch", "Size"), {integers({4, 5})})})));
    EXPECT_EQ(size.values, (std::map<std::string, std::string>{{"x.0", "4"}, {"x.1", "5"}}));
}

}  // namespace
}  // namespace vitrum
