// SPDX-License-Identifier: Apache-2.0
#include "onnx_graph.h"

#include <cstring>

namespace vitrum::test {
namespace {

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
Bytes raw(std::vector<T> const& values) {
    Bytes bytes(values.size() * sizeof(T), '\0');
    if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
    return bytes;
}

/// TypeProto's tensor.
Bytes tensor_type(std::vector<std::string> const& dims, int type) {
    Bytes shape;
    for (auto const& dim : dims) {
        bool const is_number = !dim.empty() && dim.find_first_not_of("0123456789") == std::string::npos;
        shape += part(1, is_number ? number(1, std::stoll(dim)) : part(2, dim));
    }
    return part(1, number(1, type) + part(2, shape));
}

}  // namespace

OnnxFile& OnnxFile::input(std::string const& name, std::vector<std::string> const& dims, int type) {
    graph_ += part(11, part(1, name) + part(2, tensor_type(dims, type)));
    return *this;
}

OnnxFile& OnnxFile::list(std::string const& name, std::vector<std::string> const& dims) {
    graph_ += part(11, part(1, name) + part(2, part(4, part(1, tensor_type(dims, 1)))));
    return *this;
}

OnnxFile& OnnxFile::opset(std::int64_t version) {
    opset_ = version;
    return *this;
}

OnnxFile& OnnxFile::output(std::string const& name) {
    graph_ += part(12, part(1, name));
    return *this;
}

OnnxFile& OnnxFile::tensor(std::string const& name, std::vector<std::int64_t> const& dims,
                           std::vector<float> const& values) {
    Bytes shape;
    for (auto const dim : dims) shape += number(1, dim);
    graph_ += part(5, shape + number(2, 1) + part(8, name) + part(9, raw(values)));
    return *this;
}

OnnxFile& OnnxFile::tensor_beside(std::string const& name, std::vector<std::int64_t> const& dims,
                                  std::string const& file) {
    Bytes shape;
    for (auto const dim : dims) shape += number(1, dim);
    Bytes const location = part(13, part(1, "location") + part(2, file));
    graph_ += part(5, shape + number(2, 1) + part(8, name) + location + number(14, 1));
    return *this;
}

OnnxFile& OnnxFile::integers(std::string const& name, std::vector<std::int64_t> const& values) {
    graph_ += part(5, number(1, std::ssize(values)) + number(2, 7) + part(8, name) + part(9, raw(values)));
    return *this;
}

OnnxFile& OnnxFile::node(std::string const& op, std::vector<std::string> const& inputs, std::string const& output,
                         std::vector<std::pair<std::string, std::int64_t>> const& attributes,
                         std::string const& node_name) {
    Bytes bytes;
    for (auto const& input : inputs) bytes += part(1, input);
    bytes += part(2, output) + part(3, node_name.empty() ? op + "_node" : node_name) + part(4, op);
    for (auto const& [name, value] : attributes) {
        // A name that ends in s is a list: "pads" of four equal numbers.
        bool const is_list = name == "pads" || name == "perm";
        Bytes field = part(1, name);
        if (is_list) {
            for (int i = 0; i < 4; ++i) field += number(8, name == "perm" ? value >> (4 * (3 - i)) & 15 : value);
            field += number(20, 7);
        } else {
            field += number(3, value) + number(20, 2);
        }
        bytes += part(5, field);
    }
    graph_ += part(1, bytes);
    return *this;
}

std::string OnnxFile::bytes() const {
    return number(1, 8) + part(2, "test") + part(7, graph_) + part(8, part(1, "") + number(2, opset_));
}

OnnxSource OnnxFile::source(std::map<std::string, std::int64_t> settings) const {
    auto const owner = std::make_shared<std::string>(bytes());
    return OnnxSource(read_onnx(std::as_bytes(std::span(*owner)), "model.onnx", owner), std::move(settings));
}

}  // namespace vitrum::test
