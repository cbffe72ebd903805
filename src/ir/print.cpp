// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "ir/graph.h"

namespace vitrum {
namespace {

std::string_view name_of(Activation activation) {
    switch (activation) {
        case Activation::none: return "none";
        case Activation::leaky_relu: return "leaky_relu";
        case Activation::gelu: return "gelu";
    }
    return "?";
}

std::string attributes(Conv2d const& op) {
    std::string text = fmt::format(" kernel={}", op.kernel);
    if (op.activation != Activation::none) text += fmt::format(" activation={}", name_of(op.activation));
    if (op.activation == Activation::leaky_relu) text += fmt::format(" slope={}", op.negative_slope);
    if (op.pixel_shuffle != 1) text += fmt::format(" pixel_shuffle={}", op.pixel_shuffle);
    return text;
}
std::string attributes(LayerNorm const& op) { return fmt::format(" epsilon={}", op.epsilon); }
std::string attributes(WindowAttention const& op) {
    return fmt::format(" heads={} window={} shift={}", op.heads, op.window, op.shift);
}
std::string attributes(Mlp const&) { return ""; }
std::string attributes(Add const&) { return ""; }
std::string attributes(Activate const& op) { return fmt::format(" {} slope={}", name_of(op.activation), op.negative_slope); }
std::string attributes(PixelShuffle const& op) { return fmt::format(" factor={}", op.factor); }
std::string attributes(ResizeNearest const& op) { return fmt::format(" factor={}", op.factor); }
std::string attributes(ReflectPad const& op) { return fmt::format(" multiple={}", op.multiple); }
std::string attributes(Crop const& op) { return fmt::format(" height={} width={}", op.height.str(), op.width.str()); }

std::string operand(Graph const& graph, ValueId id) {
    if (id == kNone) return "-";
    Value const& value = graph.value(id);
    return value.name.empty() ? fmt::format("%{}", id) : "@" + value.name;
}

std::string extents(std::vector<Dim> const& dims) {
    std::string text;
    for (Dim const& dim : dims) text += (text.empty() ? "" : ", ") + dim.str();
    return "[" + text + "]";
}

}  // namespace

std::string print(Graph const& graph) {
    std::string text;
    for (ValueId const input : graph.inputs) {
        text += fmt::format("{} = input {}\n", operand(graph, input), extents(graph.value(input).dims));
    }
    for (Node const& node : graph.nodes) {
        std::string operands;
        for (ValueId const input : node.inputs) operands += (operands.empty() ? "" : ", ") + operand(graph, input);
        auto const output = node.outputs.front();
        text += fmt::format("{} = {}({}){} {}", operand(graph, output), name_of(node.op), operands,
                            std::visit([](auto const& op) { return attributes(op); }, node.op),
                            extents(graph.value(output).dims));
        text += node.provenance.empty() ? "\n" : fmt::format("  # {}\n", node.provenance);
    }
    for (ValueId const output : graph.outputs) text += fmt::format("output {}\n", operand(graph, output));
    return text;
}

}  // namespace vitrum
