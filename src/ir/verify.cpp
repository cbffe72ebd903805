// SPDX-License-Identifier: Apache-2.0
#include "base/check.h"
#include "ir/graph.h"

namespace vitrum {
namespace {

/// Whether an absent input is legal: those that the operator's comment calls optional.
bool is_optional(Conv2d const&, int input) { return input == Conv2d::kBias || input == Conv2d::kResidual; }
bool is_optional(WindowAttention const&, int input) {
    return input == WindowAttention::kQkvBias || input >= WindowAttention::kNormWeight;
}
bool is_optional(Mlp const&, int input) { return input >= Mlp::kNormWeight; }
template <class O>
bool is_optional(O const&, int) {
    return false;
}

void verify_extents(Graph const& graph, Node const& node) {
    std::vector<std::vector<Dim>> dims;
    for (ValueId const input : node.inputs) {
        dims.push_back(input == kNone ? std::vector<Dim>{} : graph.value(input).dims);
    }
    VITRUM_ASSERT(infer_output(node.op, dims) == graph.value(node.outputs.front()).dims);
}

}  // namespace

void verify(Graph const& graph) {
    std::vector<bool> defined(graph.values.size(), false);
    for (std::size_t i = 0; i < graph.values.size(); ++i) defined[i] = graph.values[i].constant != nullptr;
    for (ValueId const input : graph.inputs) defined[static_cast<std::size_t>(input)] = true;

    for (Node const& node : graph.nodes) {
        VITRUM_ASSERT(node.outputs.size() == 1);
        std::visit([&]<class O>(O const& op) {
            VITRUM_ASSERT(node.inputs.size() == O::kInputs);
            for (int i = 0; i < O::kInputs; ++i) {
                ValueId const input = node.inputs[static_cast<std::size_t>(i)];
                VITRUM_ASSERT(input == kNone ? is_optional(op, i) : defined[static_cast<std::size_t>(input)]);
            }
        }, node.op);
        verify_extents(graph, node);
        VITRUM_ASSERT(!defined[static_cast<std::size_t>(node.outputs.front())]);
        defined[static_cast<std::size_t>(node.outputs.front())] = true;
    }
    for (ValueId const output : graph.outputs) VITRUM_ASSERT(defined[static_cast<std::size_t>(output)]);
}

}  // namespace vitrum
