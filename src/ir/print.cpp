// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "ir/fields.h"
#include "ir/graph.h"

namespace vitrum {
namespace {

std::string text_of(Activation value) {
    return std::string(name_of(value));
}
std::string text_of(ResidualPlace value) {
    return std::string(name_of(value));
}
std::string text_of(Dim const& value) {
    return value.str();
}
template <std::size_t kCount>
std::string text_of(std::array<int, kCount> const& values) {
    return fmt::format("{}", fmt::join(values, ","));
}
template <class T>
std::string text_of(T value) {
    return fmt::format("{}", value);
}

template <class O>
std::string attributes(O const& op) {
    std::string text;
    if constexpr (std::is_same_v<O, Dense>) text = fields_text(op);
    for_each_field(
        op, [&](std::string_view name, auto const& value) { text += fmt::format(" {}={}", name, text_of(value)); });
    return text;
}

std::string operand(Graph const& graph, ValueId id) {
    if (id == kNone) return "-";
    Value const& value = graph.value(id);
    return value.name.empty() ? fmt::format("%{}", id) : "@" + value.name;
}

std::string extents(Value const& value) {
    std::string text;
    for (Dim const& dim : value.dims) text += (text.empty() ? "" : ", ") + dim.str();
    return (value.dtype == DType::f32 ? "" : std::string(name_of(value.dtype))) + "[" + text + "]";
}

}  // namespace

std::string print(Graph const& graph) {
    std::string text;
    for (ValueId const input : graph.inputs) {
        text += fmt::format("{} = input {}\n", operand(graph, input), extents(graph.value(input)));
    }
    for (Node const& node : graph.nodes) {
        std::string operands;
        for (ValueId const input : node.inputs) operands += (operands.empty() ? "" : ", ") + operand(graph, input);
        std::string results, shapes;
        for (ValueId const output : node.outputs) {
            results += (results.empty() ? "" : ", ") + operand(graph, output);
            shapes += ' ';
            shapes += extents(graph.value(output));
        }
        text += fmt::format("{} = {}({}){}{}", results, name_of(node.op), operands,
                            std::visit([](auto const& op) { return attributes(op); }, node.op), shapes);
        text += node.provenance.empty() ? "\n" : fmt::format("  # {}\n", node.provenance);
    }
    for (ValueId const output : graph.outputs) text += fmt::format("output {}\n", operand(graph, output));
    return text;
}

}  // namespace vitrum
