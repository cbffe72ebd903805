// SPDX-License-Identifier: Apache-2.0
#include "op_case.h"

#include <cmath>
#include <random>

namespace vitrum::test {
namespace {

std::vector<Dim> dims_of(Shape const& shape) {
    return {shape.begin(), shape.end()};
}

std::uint32_t fnv1a(std::string_view text) {
    std::uint32_t hash = 2166136261U;
    for (char const c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
    return hash;
}

/// Uniform values of the wanted mean and deviation. The mapping is spelled out because the standard leaves that
/// of std::uniform_real_distribution to the library.
std::vector<float> draw(CaseInput const& input, std::mt19937& generator) {
    double const half_width = input.deviation * std::sqrt(3.0);
    std::vector<float> values(static_cast<std::size_t>(input.shape.count()));
    for (float& value : values) {
        if (input.below > 0) {
            value = static_cast<float>(static_cast<std::int64_t>(generator()) % input.below);
            continue;
        }
        double const unit = static_cast<double>(static_cast<std::int32_t>(generator())) * 0x1p-31;
        value = static_cast<float>(input.mean + half_width * unit);
    }
    return values;
}

}  // namespace

std::vector<Value> OpCase::outputs() const {
    Graph const made = graph();
    std::vector<Value> values;
    for (ValueId const id : made.outputs) values.push_back(made.value(id));
    return values;
}

Problem OpCase::problem() const {
    Problem problem;
    for (CaseInput const& input : inputs) {
        problem.inputs.push_back(input.shape);
        problem.present.push_back(input.present());
    }
    for (Value const& output : outputs()) problem.outputs.push_back(output.dense_type().shape);
    return problem;
}

bool OpCase::is_small() const {
    std::int64_t values = 0;
    for (CaseInput const& input : inputs) values += input.present() ? input.shape.count() : 0;
    return values <= 150'000;
}

Graph OpCase::graph() const {
    Graph graph;
    std::vector<ValueId> ids;
    for (CaseInput const& input : inputs) {
        if (!input.present()) ids.push_back(kNone);
        else if (input.same_as >= 0) ids.push_back(ids[static_cast<std::size_t>(input.same_as)]);
        else if (input.role == Role::weight) ids.push_back(graph.add_constant("", {input.shape, nullptr, nullptr}));
        else if (input.role == Role::dense) ids.push_back(graph.add_dense_input("", {input.dtype, input.shape}));
        else ids.push_back(graph.add_input("", dims_of(input.shape)));
    }
    graph.outputs = graph.add_all(op, std::move(ids), name);
    return graph;
}

Values make_values(OpCase const& c) {
    std::mt19937 generator(fnv1a(c.name));
    Values values;
    for (CaseInput const& input : c.inputs) {
        if (!input.present()) values.emplace_back();
        else if (input.same_as >= 0) values.push_back(values[static_cast<std::size_t>(input.same_as)]);
        else values.push_back(draw(input, generator));
    }
    return values;
}

}  // namespace vitrum::test
