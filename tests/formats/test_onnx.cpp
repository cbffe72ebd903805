// SPDX-License-Identifier: Apache-2.0
#include "formats/onnx.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include <unistd.h>

#include "vitrum/error.h"

namespace vitrum::onnx_test {
namespace {

namespace fs = std::filesystem;
using Bytes = std::string;

// Protobuf by hand: a field is its number and wire type, then a varint, or a length and that many bytes.
Bytes varint(std::uint64_t value) {
    Bytes bytes;
    for (; value >= 128; value >>= 7) bytes += static_cast<char>(value | 128);
    return bytes + static_cast<char>(value);
}
Bytes number(int field, std::int64_t value) {
    return varint(static_cast<std::uint64_t>(field) << 3) + varint(static_cast<std::uint64_t>(value));
}
Bytes part(int field, Bytes const& content) {
    return varint(static_cast<std::uint64_t>(field) << 3 | 2) + varint(content.size()) + content;
}
template <class T>
Bytes raw(std::initializer_list<T> values) {
    Bytes bytes(values.size() * sizeof(T), '\0');
    std::memcpy(bytes.data(), values.begin(), bytes.size());
    return bytes;
}

constexpr int kFloat = 1, kInt64 = 7, kHalf = 10;

Bytes tensor(Bytes const& name, int type, std::initializer_list<std::int64_t> dims, Bytes const& data) {
    Bytes bytes;
    for (auto const dim : dims) bytes += number(1, dim);
    return bytes + number(2, type) + part(8, name) + data;
}
Bytes node(Bytes const& op, std::initializer_list<Bytes> inputs, std::initializer_list<Bytes> outputs,
           Bytes const& attributes = {}) {
    Bytes bytes;
    for (auto const& input : inputs) bytes += part(1, input);
    for (auto const& output : outputs) bytes += part(2, output);
    return bytes + part(3, op + "_node") + part(4, op) + attributes;
}
Bytes port(Bytes const& name, Bytes const& dims) {
    return part(1, name) + part(2, part(1, number(1, kFloat) + part(2, dims)));
}
/// [batch, 3, ?]
Bytes const kDims = part(1, part(2, "batch")) + part(1, number(1, 3)) + part(1, "");

Bytes model(Bytes const& graph, std::int64_t opset = 17) {
    return number(1, 8) + part(2, "pytorch") + part(3, "2.0") + part(7, graph) +
           part(8, part(1, "") + number(2, opset));
}
/// y = x · w
Bytes small(Bytes const& weight) {
    return part(1, node("Mul", {"x", "w"}, {"y"})) + part(2, "main") + part(5, weight) + part(11, port("x", kDims)) +
           part(12, port("y", kDims));
}
Bytes const kWeight = tensor("w", kFloat, {3, 1}, part(9, raw<float>({1, 2, 3})));

OnnxModel read(Bytes const& content) {
    auto const owner = std::make_shared<Bytes>(content);
    return read_onnx(std::as_bytes(std::span(*owner)), "model.onnx", owner);
}
std::string error_of(Bytes const& content) {
    try {
        static_cast<void>(read(content));
    } catch (Error const& error) {
        std::string what = error.what();
        EXPECT_TRUE(what.starts_with("model.onnx: ")) << what;
        EXPECT_EQ(what.find('\n'), std::string::npos) << what;
        return what;
    }
    return "no error";
}
template <class T>
std::vector<T> values(OnnxTensor const& tensor) {
    std::vector<T> all(tensor.bytes.size() / sizeof(T));
    std::memcpy(all.data(), tensor.bytes.data(), tensor.bytes.size());
    return all;
}
#define EXPECT_PART(text, wanted) EXPECT_NE((text).find(wanted), std::string::npos) << (text)

TEST(Onnx, ReadsGraphTensorsAndPorts) {
    auto const read_model = read(model(small(kWeight)));
    EXPECT_EQ(read_model.producer, "pytorch 2.0");
    EXPECT_EQ(read_model.opsets.at(""), 17);
    auto const& graph = read_model.graph;
    ASSERT_EQ(graph.nodes.size(), 1U);
    EXPECT_EQ(graph.nodes[0].label(), "Mul \"Mul_node\"");
    EXPECT_EQ(graph.nodes[0].inputs, (std::vector<std::string_view>{"x", "w"}));
    ASSERT_EQ(graph.tensors.size(), 1U);
    EXPECT_EQ(graph.tensors[0].shape, (Shape{3, 1}));
    EXPECT_EQ(values<float>(graph.tensors[0]), (std::vector<float>{1, 2, 3}));
    auto const& dims = *graph.inputs.at(0).dims;
    ASSERT_EQ(dims.size(), 3U);
    EXPECT_EQ(dims[0].name, "batch");
    EXPECT_EQ(dims[1].extent, 3);
    EXPECT_EQ(dims[2].extent, -1);
}

TEST(Onnx, ReadsAttributes) {
    Bytes const attributes = part(5, part(1, "axes") + number(8, 2) + number(8, -1) + number(20, 7)) +
                             part(5, part(1, "packed") + part(8, varint(1) + varint(300)) + number(20, 7)) +
                             part(5, part(1, "mode") + part(4, "linear") + number(20, 3)) +
                             part(5, part(1, "alpha") + varint(2 << 3 | 5) + raw<float>({0.5F}) + number(20, 1));
    auto const m = read(model(part(1, node("Odd", {"x"}, {"y"}, attributes)) + part(11, port("x", kDims)) +
                              part(12, port("y", kDims))));
    auto const& n = m.graph.nodes.at(0);
    EXPECT_EQ(n.attribute("axes")->integers, (std::vector<std::int64_t>{2, -1}));
    EXPECT_EQ(n.attribute("packed")->integers, (std::vector<std::int64_t>{1, 300}));
    EXPECT_EQ(n.attribute("mode")->text, "linear");
    EXPECT_EQ(n.attribute("alpha")->number, 0.5F);
    EXPECT_EQ(n.attribute("none"), nullptr);
}

TEST(Onnx, ReadsNumbersFromTypedFields) {
    auto const of = [](Bytes const& weight) { return read(model(small(weight))); };
    EXPECT_EQ(values<float>(of(tensor("w", kFloat, {2}, part(4, raw<float>({4, 5})))).graph.tensors[0]),
              (std::vector<float>{4, 5}));
    EXPECT_EQ(values<std::int64_t>(of(tensor("w", kInt64, {2}, number(7, -3) + number(7, 9))).graph.tensors[0]),
              (std::vector<std::int64_t>{-3, 9}));
    EXPECT_EQ(
        values<std::uint16_t>(of(tensor("w", kHalf, {2}, part(5, varint(0x3C00) + varint(0xC000)))).graph.tensors[0]),
        (std::vector<std::uint16_t>{0x3C00, 0xC000}));
}

TEST(Onnx, UnpacksNumbersBelowEightBits) {
    constexpr int kFloat4 = 23, kInt4 = 22, kUint2 = 25;
    auto const of = [](int type, std::int64_t count, Bytes const& data) {
        auto const m = read(model(small(tensor("w", type, {count}, data))));
        return values<std::int8_t>(m.graph.tensors[0]);
    };
    EXPECT_EQ(of(kInt4, 3, part(9, "\x8F\x07")), (std::vector<std::int8_t>{-1, -8, 7}));
    EXPECT_EQ(of(kUint2, 5, part(9, "\xE4\x01")), (std::vector<std::int8_t>{0, 1, 2, 3, 1}));
    EXPECT_EQ(of(kFloat4, 3, number(5, 0x8F) + number(5, 0x07)), (std::vector<std::int8_t>{15, 8, 7}));
}

TEST(Onnx, EqualStringsAreEqualNumbers) {
    auto const m = read(model(small(tensor("w", 8, {3}, part(6, "a") + part(6, "") + part(6, "a")))));
    auto const numbers = values<std::uint64_t>(m.graph.tensors[0]);
    EXPECT_EQ(m.graph.tensors[0].dtype, DType::text);
    EXPECT_EQ(numbers.at(0), numbers.at(2));
    EXPECT_NE(numbers.at(0), numbers.at(1));
    EXPECT_PART(error_of(model(small(tensor("w", 8, {3}, part(6, "a"))))), "needs 24 bytes, but 8");
}

TEST(Onnx, TellsListsAndOptionalValues) {
    Bytes const tensor_type = part(1, number(1, kFloat) + part(2, kDims));
    auto const of = [&](Bytes const& type) {
        return read(model(part(1, node("Relu", {"x"}, {"y"})) + part(11, part(1, "x") + part(2, type)) +
                          part(12, port("y", kDims))))
            .graph.inputs.at(0);
    };
    OnnxPort const list = of(part(4, part(1, tensor_type))), optional = of(part(9, part(1, tensor_type)));
    OnnxPort const both = of(part(9, part(1, part(4, part(1, tensor_type)))));
    EXPECT_TRUE(list.is_list && !list.is_optional && list.dtype == DType::f32 && list.dims->size() == 3);
    EXPECT_TRUE(!optional.is_list && optional.is_optional && optional.dtype == DType::f32);
    EXPECT_TRUE(both.is_list && both.is_optional && both.dtype == DType::f32);
    EXPECT_FALSE(of(part(4, part(1, part(4, part(1, tensor_type))))).dtype);
}

TEST(Onnx, RefusesTensorsThatDoNotFillTheirShape) {
    EXPECT_PART(error_of(model(small(tensor("w", kFloat, {4}, part(9, raw<float>({1, 2, 3})))))),
                "needs 16 bytes, but 12");
    EXPECT_PART(error_of(model(small(tensor("w", kFloat, {-1}, part(9, ""))))), "impossible extents");
    EXPECT_PART(error_of(model(small(tensor("w", kFloat, {1LL << 40, 1LL << 40}, part(9, ""))))), "impossible extents");
    EXPECT_PART(error_of(model(small(tensor("w", 14, {1}, part(9, "a"))))), "COMPLEX64");
    EXPECT_PART(error_of(model(small(tensor("w", 22, {3}, part(9, "a"))))), "needs 2 bytes, but 1");
    EXPECT_PART(error_of(model(small(tensor("w", kFloat, {1, 1, 1, 1, 1, 1, 1, 1, 1}, part(9, raw<float>({1})))))),
                "9 dimensions");
}

TEST(Onnx, RefusesGraphsThatAreCyclicUnsortedOrIncomplete) {
    Bytes const ports = part(11, port("x", kDims)) + part(12, port("y", kDims));
    auto const graph = [&](Bytes const& nodes) { return error_of(model(nodes + ports)); };
    auto const relu = [](Bytes const& from, Bytes const& to) { return part(1, node("Relu", {from}, {to})); };
    EXPECT_PART(graph(relu("a", "y") + relu("x", "a")), "a later node makes: the graph is cyclic or not sorted");
    EXPECT_PART(graph(relu("b", "a") + relu("a", "b") + relu("a", "y")), "cyclic or not sorted");
    EXPECT_PART(graph(relu("gone", "y")), "Relu \"Relu_node\" reads \"gone\", which nothing makes");
    EXPECT_PART(graph(relu("x", "y") + relu("x", "y")), "makes \"y\", which is there already");
    EXPECT_PART(graph(relu("x", "a")), "nothing makes the output \"y\"");
}

TEST(Onnx, RefusesUnknownOpsetsAndDamage) {
    EXPECT_PART(error_of(model(small(kWeight), 99)), "version 99");
    EXPECT_PART(error_of(model(small(kWeight), 0)), "version 0 ");
    EXPECT_PART(error_of(number(1, 8) + part(2, "pytorch")), "without a graph");
    Bytes const whole = model(small(kWeight));
    for (std::size_t size = 0; size < whole.size(); ++size) {
        EXPECT_THROW(static_cast<void>(read(whole.substr(0, size))), Error) << size;
    }
    for (std::size_t i = 0; i < whole.size(); ++i) {
        for (int const change : {0x01, 0x10, 0x80, 0xFF}) {
            Bytes changed = whole;
            changed[i] = static_cast<char>(changed[i] ^ change);
            try {
                static_cast<void>(read(changed));
            } catch (Error const&) {
                // the right way to end
            }
        }
    }
}

class OnnxExternal : public testing::Test {
protected:
    void SetUp() override {
        fs::remove_all(root_);
        fs::create_directories(root_ / "model" / "sub");
        write(root_ / "secret.bin", raw<float>({7, 8, 9}));
        write(root_ / "model" / "weights.bin", raw<float>({0, 1, 2, 3, 4}));
    }
    void TearDown() override { fs::remove_all(root_); }

    static void write(fs::path const& path, Bytes const& content) { std::ofstream(path, std::ios::binary) << content; }
    static Bytes entry(Bytes const& key, Bytes const& value) { return part(13, part(1, key) + part(2, value)); }
    std::string read_with(Bytes const& entries) {
        fs::path const path = root_ / "model" / "m.onnx";
        write(path, model(small(tensor("w", kFloat, {3}, number(14, 1) + entries))));
        try {
            auto const m = read_onnx(path);
            std::string text;
            for (float const value : values<float>(m.graph.tensors.at(0))) text += std::to_string(int(value)) + " ";
            return text;
        } catch (Error const& error) {
            return error.what();
        }
    }
    fs::path const root_ = fs::temp_directory_path() / ("vitrum_onnx_" + std::to_string(getpid()));
};

TEST_F(OnnxExternal, ReadsTensorsBesideTheModel) {
    EXPECT_EQ(read_with(entry("location", "weights.bin") + entry("offset", "4") + entry("length", "12")), "1 2 3 ");
    EXPECT_EQ(read_with(entry("location", "sub/../weights.bin")), "0 1 2 ");
}

TEST_F(OnnxExternal, TellsTheFilesAndReadsThemFromMemory) {
    static_cast<void>(read_with(entry("location", "weights.bin") + entry("offset", "4") + entry("length", "12")));
    auto const mapped = read_onnx(root_ / "model" / "m.onnx");
    ASSERT_EQ(mapped.beside.size(), 1U);
    EXPECT_EQ(mapped.beside.at("weights.bin").size(), 20U);
    auto const m = read_onnx(mapped.bytes, "elsewhere", nullptr, mapped.beside);
    EXPECT_EQ(values<float>(m.graph.tensors.at(0)), (std::vector<float>{1, 2, 3}));
    EXPECT_THROW(static_cast<void>(read_onnx(mapped.bytes, "elsewhere", nullptr)), Error);
}

TEST_F(OnnxExternal, RefusesToLeaveTheModelsFolder) {
    EXPECT_PART(read_with(entry("location", "../secret.bin")), "outside of the model's folder");
    EXPECT_PART(read_with(entry("location", (root_ / "secret.bin").string())), "outside of the model's folder");
    fs::create_symlink("../secret.bin", root_ / "model" / "link.bin");
    EXPECT_PART(read_with(entry("location", "link.bin")), "outside of the model's folder");
}

TEST_F(OnnxExternal, RefusesRangesThatAreNotThere) {
    EXPECT_PART(read_with(entry("location", "gone.bin")), "missing");
    EXPECT_PART(read_with(entry("location", "weights.bin") + entry("offset", "12")), "are not there: it has 20");
    EXPECT_PART(read_with(entry("location", "weights.bin") + entry("offset", "18446744073709551612")), "are not there");
    EXPECT_PART(read_with(entry("location", "weights.bin") + entry("offset", "x")), "no number");
    EXPECT_PART(read_with(""), "not named");
}

}  // namespace
}  // namespace vitrum::onnx_test
