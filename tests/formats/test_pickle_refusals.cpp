// SPDX-License-Identifier: Apache-2.0
// What the restricted pickle interpreter refuses: code, damage, and files made to exhaust memory or time.

#include "build_files.h"

namespace vitrum {
namespace {

using namespace make;
using namespace std::string_literals;

TEST(PickleRefusal, NamesTheFunctionThatTheFileTriesToCall) {
    auto const error = error_of(pickle(dict({text("weights"), call(global("os", "system"), {text("echo")})})));
    EXPECT_EQ(
        error,
        "model.pth: refuses to call \"os.system\" (pickle byte 16): a checkpoint may hold tensors and plain containers "
        "only; re-save it with torch.save(model.state_dict(), ...)");
}

TEST(PickleRefusal, HoldsForEveryWayToNameAFunction) {
    EXPECT_CONTAINS(error_of(pickle(text("posix") + text("system") + "\x93")), "\"posix.system\"");
    EXPECT_CONTAINS(error_of(pickle("(S'x'\nios\nsystem\n")), "\"os.system\"");
    EXPECT_CONTAINS(error_of(pickle(global("builtins", "eval"))), "\"builtins.eval\"");
    EXPECT_CONTAINS(error_of(pickle(global("builtins", "getattr"))), "\"builtins.getattr\"");
    EXPECT_CONTAINS(error_of(pickle(global("torch.storage", "_load_from_bytes"))),
                    "\"torch.storage._load_from_bytes\"");
    EXPECT_CONTAINS(error_of(pickle(global("argparse", "Namespace"))), "\"argparse.Namespace\"");
    EXPECT_CONTAINS(error_of(pickle("\x82\x01")), "extension registry");
    EXPECT_CONTAINS(error_of(pickle("\x97")), "outside the pickle");
}

TEST(PickleRefusal, HoldsForNamesThatAreNoFunctionsHere) {
    EXPECT_CONTAINS(error_of(pickle(call(global("builtins", "int"), {text("1")}))), "refuses to call \"int\"");
    EXPECT_CONTAINS(error_of(pickle(call(global("torch", "FloatStorage"), {integer(1)}))), "refuses to call");
    EXPECT_CONTAINS(error_of(pickle(text("f") + ")R")), "refuses to call something that is no function");
    auto const nested =
        call(global("torch._tensor", "_rebuild_from_type_v2"),
             {global("_codecs", "encode"), global("torch", "Tensor"), tuple({text("a"), text("latin1")}), kNone});
    EXPECT_CONTAINS(error_of(pickle(nested)), "arguments that make no sense");
}

TEST(PickleRefusal, KeepsTerminalCodesOutOfErrors) {
    auto const error = error_of(pickle(text("a\x1B[2J\nb") + text("c") + "\x93"));
    EXPECT_CONTAINS(error, "\"a\\x1b[2J\\x0ab.c\"");
}

TEST(PickleDamage, IsReportedWithItsByte) {
    EXPECT_CONTAINS(error_of("\x80\x02}"), "the file ends inside the pickle (pickle byte 3)");
    EXPECT_CONTAINS(error_of(pickle("X" + u32(1000) + "short")), "the file ends");
    EXPECT_CONTAINS(error_of(pickle("\x8D" + u64(~std::uint64_t{0}))), "the file ends");
    EXPECT_CONTAINS(error_of(pickle("T" + u32(0xFFFFFFFF))), "the file ends");
    EXPECT_CONTAINS(error_of(pickle("\xFF")), "0xff is no pickle opcode (pickle byte 2)");
    EXPECT_CONTAINS(error_of("\x80\x02."), "a value that is not there");
    EXPECT_CONTAINS(error_of(pickle("t")), "a mark that is not there");
    EXPECT_CONTAINS(error_of(pickle(text("key") + "\x86")), "values that are not there");
    EXPECT_CONTAINS(error_of(pickle("}(" + text("key") + "u")), "a key without a value");
    EXPECT_CONTAINS(error_of(pickle("h\x07")), "memo index 7 was never set");
    EXPECT_CONTAINS(error_of(pickle("Nr" + u32(0xFFFFFFF0))), "larger than the file");
    EXPECT_CONTAINS(error_of(pickle("Np-1\n")), "larger than the file");
    EXPECT_CONTAINS(error_of(pickle("I1x\n")), "\"1x\" is not a number");
    EXPECT_CONTAINS(error_of(pickle("S'a\n")), "a string without quotes");
    EXPECT_CONTAINS(error_of(pickle("S'\\x4'\n")), "escape sequence");
    EXPECT_CONTAINS(error_of(pickle("V\\u12\n")), "escape sequence");
}

TEST(PickleDamage, ContainersThatHoldThemselvesEnd) {
    EXPECT_CONTAINS(error_of(pickle("]q\x01h\x01" + "a"s)), "nested deeper than 100, or contain themselves");
}

TEST(PickleDamage, NestingOfAnyDepthEnds) {
    constexpr std::size_t kDeep = 200'000;
    EXPECT_CONTAINS(error_of(pickle(std::string(kDeep, ']') + std::string(kDeep - 1, 'a'))), "nested deeper than 100");
    EXPECT_CONTAINS(error_of(pickle(std::string(kDeep, '('))), "a value that is not there");
}

TEST(PickleDamage, ListsThatDoubleEndlesslyEnd) {
    std::string body = "]";
    for (int i = 0; i < 60; ++i) body += "q\x01" + "0]h\x01"s + "ah\x01" + "a";
    EXPECT_CONTAINS(error_of(pickle(body)), "refer to each other endlessly");
}

TEST(PickleDamage, CopiesThatGrowQuadraticallyEnd) {
    std::string body = "](";
    for (int i = 0; i < 3000; ++i) body += "N";
    body += "eq\x01" + "0]"s;
    for (int i = 0; i < 3000; ++i) body += global("builtins", "list") + "h\x01" + "\x85Ra";
    EXPECT_CONTAINS(error_of(pickle(body)), "more values than a checkpoint has");
}

TEST(PickleDamage, LongKeysAtManyPlacesEnd) {
    std::string const key(1 << 20, 'k');
    std::string body = text(key) + "q\x01" + "0]"s;
    for (int i = 0; i < 1000; ++i) body += "}h\x01"s + "h\x01" + "sa";
    EXPECT_CONTAINS(error_of(pickle(body)), "more than 256 MiB");
}

TEST(PickleDamage, NumpyArraysMustMatchTheirBytes) {
    auto const array = [](std::string const& shape, std::string const& dtype) {
        return error_of(pickle(dict({text("w"), numpy_array(shape, dtype, false, bytes(floats({1, 2})))})));
    };
    EXPECT_CONTAINS(array(integers({3}), numpy_dtype("f4", "<")), "tensor \"w\"");
    EXPECT_CONTAINS(array(integers({3}), numpy_dtype("f4", "<")),
                    "of shape [3] and type float32 does not match its 8 bytes");
    EXPECT_CONTAINS(array(integers({-2}), numpy_dtype("f4", "<")), "does not match");
    EXPECT_CONTAINS(array(integers({std::int64_t{1} << 62, 16}), numpy_dtype("f4", "<")), "does not match");
    EXPECT_CONTAINS(array(integers({2}), numpy_dtype("f4", ">")), "big-endian");
    EXPECT_CONTAINS(array(integers({1}), numpy_dtype("c8", "<")), "numpy type \"c8\", which is not read");
    EXPECT_CONTAINS(array(integers({1, 1, 1, 1, 1, 1, 1, 1, 1}), numpy_dtype("f8", "<")), "9 dimensions");
    EXPECT_CONTAINS(array(tuple({text("two")}), numpy_dtype("f4", "<")), "no number");
}

TEST(PickleDamage, NumpyArraysWithoutStateAreNamed) {
    auto const shell =
        call(global("numpy.core.multiarray", "_reconstruct"), {global("numpy", "ndarray"), integers({0}), bytes("b")});
    EXPECT_CONTAINS(error_of(pickle(dict({text("w"), shell}))), "tensor \"w\" (pickle byte");
}

TEST(PickleDamage, TwoTensorsOfOneNameAreRefused) {
    auto const array = numpy_array(integers({1}), numpy_dtype("f4", "<"), false, bytes(floats({1})));
    EXPECT_CONTAINS(error_of(pickle(dict({text("a.b"), array, text("a"), dict({text("b"), array})}))),
                    "two tensors are named \"a.b\"");
}

TEST(PickleDamage, KeysMustBePlain) {
    EXPECT_CONTAINS(error_of(pickle(dict({text("a"), dict({tuple({integer(1)}), kNone})}))),
                    "the dictionary at \"a\" has a key");
}

TEST(PickleDamage, AStorageOutsideAPlainPickleIsMissing) {
    auto const weight = tensor(storage("FloatStorage", "0", 1), 0, integers({1}), integers({1}));
    EXPECT_CONTAINS(error_of(pickle(dict({text("w"), weight}))), "storage \"0\", which the file does not hold");
    EXPECT_CONTAINS(error_of(pickle("P0\n")), "refuses to take data from \"0\"");
    EXPECT_CONTAINS(error_of(pickle(integer(1) + "Q")), "storage reference that makes no sense");
}

}  // namespace
}  // namespace vitrum
