// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "ir/graph.h"

namespace vitrum {
namespace {

class Verifier {
public:
    explicit Verifier(Graph const& graph) : graph_(graph), defined_(graph.values.size(), false) {}

    std::string run() {
        for (std::size_t i = 0; i < graph_.values.size(); ++i) defined_[i] = graph_.values[i].constant != nullptr;
        for (ValueId const input : graph_.inputs) {
            if (!exists(input) || is_defined(input)) return "an input of the graph is no activation of its own";
            defined_[static_cast<std::size_t>(input)] = true;
        }
        for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
            if (auto text = node_violation(graph_.nodes[n]); !text.empty()) {
                return fmt::format("node {} ({}): {}", n, name_of(graph_.nodes[n].op), text);
            }
        }
        if (graph_.outputs.empty()) return "no output";
        for (ValueId const output : graph_.outputs) {
            if (!exists(output) || !is_defined(output) || graph_.is_constant(output))
                return "an output that nothing makes";
            if (std::ranges::find(graph_.inputs, output) != graph_.inputs.end()) return "an input is an output";
            if (std::ranges::count(graph_.outputs, output) != 1) return "an output that is listed twice";
        }
        return "";
    }

private:
    [[nodiscard]] bool exists(ValueId id) const {
        return id >= 0 && static_cast<std::size_t>(id) < graph_.values.size();
    }
    [[nodiscard]] bool is_defined(ValueId id) const { return defined_[static_cast<std::size_t>(id)]; }

    std::string node_violation(Node const& node) {
        for (ValueId const input : node.inputs) {
            if (input != kNone && (!exists(input) || !is_defined(input))) return "an input that nothing made before";
        }
        if (auto const* const dense_op = std::get_if<Dense>(&node.op)) return dense_violation(*dense_op, node);
        return native_violation(node);
    }

    std::string dense_violation(Dense const& op, Node const& node) {
        std::vector<DenseType> types;
        for (ValueId const input : node.inputs) {
            if (input == kNone) return "an input is absent";
            if (!graph_.is_constant(input) && graph_.value(input).layout != Layout::dense)
                return "an input is not dense";
            types.push_back(graph_.value(input).dense_type());
        }
        DenseOutcome const outcome = dense_outcome(op, types);
        if (!outcome.violation.empty()) return outcome.violation;
        std::vector<std::vector<Dim>> made;
        for (std::size_t i = 0; i < outcome.outputs.size(); ++i) {
            Shape const& shape = outcome.outputs[i].shape;
            made.emplace_back(shape.begin(), shape.end());
            bool const is_known = i < node.outputs.size() && exists(node.outputs[i]);
            if (is_known && graph_.value(node.outputs[i]).dtype != outcome.outputs[i].dtype) return "another type";
        }
        return define_outputs(node, made, Layout::dense);
    }

    std::string native_violation(Node const& node) {
        std::vector<std::vector<Dim>> dims;
        for (ValueId const input : node.inputs)
            dims.push_back(input == kNone ? std::vector<Dim>{} : graph_.value(input).dims);
        Layout const from = std::holds_alternative<ToPixels>(node.op) ? Layout::dense : Layout::pixels;
        if (auto text = op_violation(node.op, dims); !text.empty()) return text;
        for (std::size_t i = 0; i < node.inputs.size(); ++i) {
            if (node.inputs[i] == kNone) continue;
            bool const flows = is_activation_input(node.op, static_cast<int>(i));
            Value const& value = graph_.value(node.inputs[i]);
            if (flows == (value.constant != nullptr)) return flows ? "a constant flows" : "a weight is computed";
            if (value.dtype != DType::f32 || (flows && value.layout != from)) return "an input of another layout";
        }
        Layout const to = std::holds_alternative<ToDense>(node.op) ? Layout::dense : Layout::pixels;
        return define_outputs(node, infer_outputs(node.op, dims), to);
    }

    std::string define_outputs(Node const& node, std::vector<std::vector<Dim>> const& made, Layout layout) {
        if (node.outputs.size() != made.size()) return "another number of outputs than the operator has";
        for (std::size_t i = 0; i < made.size(); ++i) {
            ValueId const output = node.outputs[i];
            if (!exists(output)) return "an output that is no value";
            if (is_defined(output)) return "an output that is made twice";
            if (made[i] != graph_.value(output).dims) return "extents differ from the shape rule";
            if (graph_.value(output).layout != layout) return "an output of another layout";
            defined_[static_cast<std::size_t>(output)] = true;
        }
        return "";
    }

    Graph const& graph_;
    std::vector<bool> defined_;
};

}  // namespace

std::string graph_violation(Graph const& graph) {
    return Verifier(graph).run();
}

void verify(Graph const& graph) {
    VITRUM_ASSERT(graph_violation(graph).empty());
}

}  // namespace vitrum
