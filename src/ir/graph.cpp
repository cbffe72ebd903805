// SPDX-License-Identifier: Apache-2.0
#include "ir/graph.h"

#include "base/check.h"

namespace vitrum {

ValueId Graph::add_input(std::string name, std::vector<Dim> dims) {
    auto const id = static_cast<ValueId>(values.size());
    values.push_back({.name = std::move(name), .dims = std::move(dims), .constant = nullptr});
    inputs.push_back(id);
    return id;
}

DenseType Value::dense_type() const {
    if (constant) return {dtype, constant->shape};
    std::vector<std::int64_t> extents;
    for (Dim const& dim : dims) extents.push_back(dim.at({}));
    return {dtype, Shape(extents)};
}

static Value dense_value(std::string name, DenseType const& type) {
    return {.name = std::move(name),
            .dims = {type.shape.begin(), type.shape.end()},
            .constant = nullptr,
            .dtype = type.dtype,
            .layout = Layout::dense};
}

ValueId Graph::add_dense_input(std::string name, DenseType const& type) {
    auto const id = static_cast<ValueId>(values.size());
    values.push_back(dense_value(std::move(name), type));
    inputs.push_back(id);
    return id;
}

ValueId Graph::add_constant(std::string name, Constant constant) {
    auto const id = static_cast<ValueId>(values.size());
    std::vector<Dim> dims(constant.shape.begin(), constant.shape.end());
    DType const dtype = constant.dtype;
    values.push_back({.name = std::move(name),
                      .dims = std::move(dims),
                      .constant = std::make_shared<Constant const>(std::move(constant)),
                      .dtype = dtype});
    return id;
}

static std::vector<Value> outputs_of(Op const& op, Graph const& graph, std::vector<ValueId> const& inputs) {
    std::vector<Value> outputs;
    if (auto const* const dense_op = std::get_if<Dense>(&op)) {
        std::vector<DenseType> types;
        for (ValueId const input : inputs) types.push_back(graph.value(input).dense_type());
        DenseOutcome const outcome = dense_outcome(*dense_op, types);
        VITRUM_ASSERT(outcome.violation.empty());
        for (DenseType const& type : outcome.outputs) outputs.push_back(dense_value("", type));
        return outputs;
    }
    std::vector<std::vector<Dim>> dims;
    for (ValueId const input : inputs) dims.push_back(input == kNone ? std::vector<Dim>{} : graph.value(input).dims);
    Layout const layout = std::holds_alternative<ToDense>(op) ? Layout::dense : Layout::pixels;
    for (auto& output : infer_outputs(op, dims))
        outputs.push_back({"", std::move(output), nullptr, DType::f32, layout});
    return outputs;
}

std::vector<ValueId> Graph::add_all(Op op, std::vector<ValueId> node_inputs, std::string provenance) {
    std::vector<ValueId> made;
    for (Value& output : outputs_of(op, *this, node_inputs)) {
        made.push_back(static_cast<ValueId>(values.size()));
        values.push_back(std::move(output));
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
