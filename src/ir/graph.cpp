// SPDX-License-Identifier: Apache-2.0
#include "ir/graph.h"

#include "base/check.h"

namespace vitrum {

ValueId Graph::add_input(std::string name, std::vector<Dim> dims) {
    auto const id = static_cast<ValueId>(values.size());
    values.push_back({std::move(name), std::move(dims), nullptr});
    inputs.push_back(id);
    return id;
}

ValueId Graph::add_constant(std::string name, Constant constant) {
    auto const id = static_cast<ValueId>(values.size());
    std::vector<Dim> dims(constant.shape.begin(), constant.shape.end());
    values.push_back({std::move(name), std::move(dims), std::make_shared<Constant const>(std::move(constant))});
    return id;
}

std::vector<ValueId> Graph::add_all(Op op, std::vector<ValueId> node_inputs, std::string provenance) {
    std::vector<std::vector<Dim>> dims;
    for (ValueId const input : node_inputs) dims.push_back(input == kNone ? std::vector<Dim>{} : value(input).dims);
    std::vector<ValueId> made;
    for (auto& output : infer_outputs(op, dims)) {
        made.push_back(static_cast<ValueId>(values.size()));
        values.push_back({"", std::move(output), nullptr});
    }
    nodes.push_back({std::move(op), std::move(node_inputs), made, std::move(provenance)});
    return made;
}

ValueId Graph::add(Op op, std::vector<ValueId> node_inputs, std::string provenance) {
    auto const made = add_all(std::move(op), std::move(node_inputs), std::move(provenance));
    VITRUM_ASSERT(made.size() == 1);
    return made.front();
}

void Graph::add_output(std::string name, ValueId id) {
    values[static_cast<std::size_t>(id)].name = std::move(name);
    outputs.push_back(id);
}

std::int64_t parameter_count(Graph const& graph) {
    std::int64_t total = 0;
    for (Value const& value : graph.values) {
        if (value.constant) total += value.constant->shape.count();
    }
    return total;
}

}  // namespace vitrum
