// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/tensor_view.h"
#include "ir/op.h"

namespace vitrum {

using ValueId = std::int32_t;
inline constexpr ValueId kNone = -1;

/// A weight in canonical form: packed row-major float32 that `owner` keeps alive. Operators on dense values also take
/// constants of other types, whose bytes `data` points to.
struct Constant {
    Shape shape;
    float const* data = nullptr;
    std::shared_ptr<void const> owner;
    DType dtype = DType::f32;

    [[nodiscard]] std::byte const* bytes() const { return reinterpret_cast<std::byte const*>(data); }
};

/// How an activation lies in memory.
enum class Layout : std::uint8_t {
    pixels,  ///< float32 [N, H, W, C] at the backend's pixel stride
    dense    ///< row-major, of any rank and element type, of constant extents
};

/// What flows along an edge: an activation with symbolic extents, or a constant.
struct Value {
    std::string name;
    std::vector<Dim> dims;
    std::shared_ptr<Constant const> constant;  ///< null for activations
    DType dtype = DType::f32;
    Layout layout = Layout::pixels;

    /// Of dense values and constants.
    [[nodiscard]] DenseType dense_type() const;
};

struct Node {
    Op op;
    std::vector<ValueId> inputs;   ///< Op::kInputs of them, kNone where an optional one is absent
    std::vector<ValueId> outputs;  ///< at least one
    std::string provenance;        ///< the checkpoint's module path: "layers.0.residual_group.blocks.1.attn"
};

/// Nodes in topological order over one table of values. Built by models and importers, rewritten by passes.
struct Graph {
    std::vector<Value> values;
    std::vector<Node> nodes;
    std::vector<ValueId> inputs;
    std::vector<ValueId> outputs;  ///< their values' names are the outputs' names

    [[nodiscard]] Value const& value(ValueId id) const { return values[static_cast<std::size_t>(id)]; }
    [[nodiscard]] bool is_constant(ValueId id) const { return id != kNone && value(id).constant != nullptr; }

    ValueId add_input(std::string name, std::vector<Dim> dims);
    ValueId add_dense_input(std::string name, DenseType const& type);
    ValueId add_constant(std::string name, Constant constant);
    /// Appends a node, whose outputs' extents follow from the operator's shape rule.
    std::vector<ValueId> add_all(Op op, std::vector<ValueId> inputs, std::string provenance);
    /// The same for an operator with one output.
    ValueId add(Op op, std::vector<ValueId> inputs, std::string provenance);
    /// Makes a value one of the graph's results.
    void add_output(std::string name, ValueId id);
};

/// What is wrong with an operator on inputs of these extents (constants included; empty for absent ones), or "".
[[nodiscard]] std::string op_violation(Op const& op, std::span<std::vector<Dim> const> inputs);

/// Whether an operator's input is an activation; the others are constants.
[[nodiscard]] bool is_activation_input(Op const& op, int input);

/// The shape rule: the outputs' extents. The operator must have no violation.
[[nodiscard]] std::vector<std::vector<Dim>> infer_outputs(Op const& op, std::span<std::vector<Dim> const> inputs);

/// The first broken rule among those that passes and backends rely on, or "". For graphs that come from files.
[[nodiscard]] std::string graph_violation(Graph const& graph);

/// Asserts that there is none. For graphs that we made ourselves.
void verify(Graph const& graph);

/// One line per node: "%12 = WindowAttention(%11) heads=6 window=8 shift=4 [N, ceil(H/8)*8, ...]  # provenance".
[[nodiscard]] std::string print(Graph const& graph);

/// Multiply-adds times two of the graph's products at these sizes (matrix products and convolutions only).
[[nodiscard]] double flops(Graph const& graph, Sizes const& sizes);
[[nodiscard]] double flops(Graph const& graph, Node const& node, Sizes const& sizes);

/// The number of weights.
[[nodiscard]] std::int64_t parameter_count(Graph const& graph);

}  // namespace vitrum
