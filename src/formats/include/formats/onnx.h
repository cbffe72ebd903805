// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/dtype.h"
#include "base/shape.h"

namespace vitrum {

// An ONNX file as data: https://onnx.ai/onnx/repo-docs/IR.html. Texts and tensors are views into the mapped file (or
// into memory that OnnxModel::storage keeps alive); names are as the file spells them.

/// A tensor stored in the file or beside it: packed row-major, checked against its shape, not aligned.
struct OnnxTensor {
    std::string_view name;
    DType dtype = DType::f32;
    Shape shape;
    std::span<std::byte const> bytes;
};

struct OnnxGraph;

/// One attribute of a node; which field is set follows from `type`.
struct OnnxAttribute {
    enum class Type : std::uint8_t { other, number, integer, text, tensor, graph, numbers, integers, texts };
    std::string_view name;
    Type type = Type::other;
    float number = 0;
    std::int64_t integer = 0;
    std::string_view text;
    std::vector<float> numbers;
    std::vector<std::int64_t> integers;
    std::vector<std::string_view> texts;
    std::optional<OnnxTensor> tensor;
    std::shared_ptr<OnnxGraph const> graph;
    std::string_view refers_to;  ///< inside functions: the attribute of the call whose value this is
};

struct OnnxNode {
    std::string_view op, domain, name;
    std::vector<std::string_view> inputs, outputs;  ///< empty: absent
    std::vector<OnnxAttribute> attributes;
    std::size_t offset = 0;  ///< where the node begins in the file

    [[nodiscard]] OnnxAttribute const* attribute(std::string_view attribute_name) const;
    /// `Conv "/body/conv1"` for error texts.
    [[nodiscard]] std::string label() const;
};

/// An extent that a file states: a number, a name ("batch"), or neither.
struct OnnxDim {
    std::int64_t extent = -1;  ///< −1: not known
    std::string_view name;
};

/// An input or output of a graph: a tensor, or a list of such (a sequence), either of which may be absent.
struct OnnxPort {
    std::string_view name;
    std::optional<DType> dtype;                ///< nothing where it is none of these or of a type that is not read
    std::optional<std::vector<OnnxDim>> dims;  ///< nothing where the file does not say
    bool is_list = false, is_optional = false;
};

struct OnnxGraph {
    std::string_view name;
    std::vector<OnnxNode> nodes;  ///< each after those whose outputs it reads
    std::vector<OnnxTensor> tensors;
    std::vector<OnnxPort> inputs;  ///< without those that a tensor of the same name gives a default
    std::vector<OnnxPort> outputs;
};

/// A function of the file itself, which its nodes may call by (domain, name).
struct OnnxFunction {
    std::string_view domain, name;
    std::vector<std::string_view> inputs, outputs;
    std::vector<OnnxAttribute> defaults;
    std::vector<OnnxNode> nodes;
};

/// Files by the names that a model gives them.
using OnnxFiles = std::map<std::string, std::span<std::byte const>, std::less<>>;

struct OnnxModel {
    std::filesystem::path path;
    std::string producer;                                     ///< "pytorch 2.11.0"
    std::map<std::string, std::int64_t, std::less<>> opsets;  ///< version by domain; "" is ONNX's own
    OnnxGraph graph;
    std::vector<OnnxFunction> functions;
    std::span<std::byte const> bytes;                  ///< the file itself
    OnnxFiles beside;                                  ///< those that its tensors lie in
    std::vector<std::shared_ptr<void const>> storage;  ///< keeps the bytes alive
};

/// Reads a model and checks its structure: nodes sorted, every name made once, tensors inside of the file. Tensors in
/// files of their own must lie in the model's folder. Throws Error: file, byte offset, node, reason.
[[nodiscard]] OnnxModel read_onnx(std::filesystem::path const& path);

/// The same for bytes in memory, with tensors in no other files than those `beside`, of the same owner.
[[nodiscard]] OnnxModel read_onnx(std::span<std::byte const> bytes, std::filesystem::path const& name,
                                  std::shared_ptr<void const> owner, OnnxFiles beside = {});

/// A tensor in a file of its own (.pb), as ONNX's tests are made of.
[[nodiscard]] OnnxTensor read_onnx_tensor(std::span<std::byte const> bytes, std::filesystem::path const& name,
                                          std::vector<std::shared_ptr<void const>>& storage);

/// The type of TensorProto.DataType's number, or nothing where it is not read.
[[nodiscard]] std::optional<DType> onnx_dtype(std::int64_t code);

}  // namespace vitrum
