// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

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
        if (graph_.inputs.size() != 1 || graph_.outputs.size() != 1) return "not one input and one output";
        for (ValueId const output : graph_.outputs) {
            if (!exists(output) || !is_defined(output) || graph_.is_constant(output))
                return "an output that nothing makes";
        }
        return "";
    }

private:
    [[nodiscard]] bool exists(ValueId id) const {
        return id >= 0 && static_cast<std::size_t>(id) < graph_.values.size();
    }
    [[nodiscard]] bool is_defined(ValueId id) const { return defined_[static_cast<std::size_t>(id)]; }

    std::string node_violation(Node const& node) {
        std::vector<std::vector<Dim>> dims;
        for (ValueId const input : node.inputs) {
            if (input != kNone && (!exists(input) || !is_defined(input))) return "an input that nothing made before";
            dims.push_back(input == kNone ? std::vector<Dim>{} : graph_.value(input).dims);
        }
        if (auto text = op_violation(node.op, dims); !text.empty()) return text;
        for (std::size_t i = 0; i < node.inputs.size(); ++i) {
            if (node.inputs[i] == kNone) continue;
            bool const flows = is_activation_input(node.op, static_cast<int>(i));
            if (flows == graph_.is_constant(node.inputs[i])) return flows ? "a constant flows" : "a weight is computed";
        }
        if (node.outputs.size() != 1 || !exists(node.outputs.front())) return "not one output";
        auto const output = node.outputs.front();
        if (is_defined(output)) return "an output that is made twice";
        if (infer_output(node.op, dims) != graph_.value(output).dims) return "extents differ from the shape rule";
        defined_[static_cast<std::size_t>(output)] = true;
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
