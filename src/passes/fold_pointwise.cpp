// SPDX-License-Identifier: Apache-2.0
#include "fuse_pairs.h"
#include "passes/passes.h"

namespace vitrum {
namespace {

/// Two matrices behind each other: [O, M] and, for each of `phases` positions that a shuffle separates, [M, I].
struct Extents {
    std::int64_t outputs, middle, phases, inputs;

    /// One product instead of two must not cost more.
    [[nodiscard]] bool pays() const { return outputs * inputs <= middle * (inputs + outputs); }
};

ValueId next_id(Graph const& graph, std::vector<Value> const& made) {
    return static_cast<ValueId>(graph.values.size() + made.size());
}

/// Sums in float64, rounded once.
Constant folded_weight(Extents const& e, float const* second, float const* first) {
    auto values = std::make_shared<std::vector<float>>(static_cast<std::size_t>(e.outputs * e.phases * e.inputs));
    std::vector<double> row(static_cast<std::size_t>(e.inputs));
    for (std::int64_t i = 0; i < e.outputs * e.phases; ++i) {
        std::ranges::fill(row, 0.0);
        for (std::int64_t m = 0; m < e.middle; ++m) {
            double const factor = second[i / e.phases * e.middle + m];
            float const* const from = first + (m * e.phases + i % e.phases) * e.inputs;
            for (std::int64_t k = 0; k < e.inputs; ++k) row[static_cast<std::size_t>(k)] += factor * from[k];
        }
        std::ranges::copy(row, values->begin() + i * e.inputs);
    }
    return {{e.outputs * e.phases, e.inputs, 1, 1}, values->data(), values};
}

/// `first` and `bias` may be null: none.
Constant folded_bias(Extents const& e, float const* second, float const* first, float const* bias) {
    auto values = std::make_shared<std::vector<float>>(static_cast<std::size_t>(e.outputs * e.phases));
    for (std::int64_t i = 0; i < e.outputs * e.phases; ++i) {
        double sum = bias == nullptr ? 0.0 : bias[i / e.phases];
        for (std::int64_t m = 0; m < e.middle && first != nullptr; ++m) {
            sum += static_cast<double>(second[i / e.phases * e.middle + m]) * first[m * e.phases + i % e.phases];
        }
        (*values)[static_cast<std::size_t>(i)] = static_cast<float>(sum);
    }
    return {{e.outputs * e.phases}, values->data(), values};
}

bool is_linear(Node const& node) {
    auto const* conv = std::get_if<Conv2d>(&node.op);
    return conv != nullptr && conv->kernel == 1 && conv->stride == 1 && conv->activation == Activation::none &&
           node.inputs[Conv2d::kResidual] == kNone;
}

class Folder {
public:
    Folder(Graph const& graph, std::vector<Value>& made) : graph_(graph), made_(made) {}

    std::optional<Node> fold(Node const& producer, Node const& consumer, int input) {
        auto const* second = std::get_if<Conv2d>(&consumer.op);
        if (!is_linear(producer) || second == nullptr || input != Conv2d::kX || second->kernel != 1 ||
            second->stride != 1 || second->pixel_shuffle != 1) {
            return std::nullopt;
        }
        auto const& first = std::get<Conv2d>(producer.op);
        // A residual is added before the shuffle of the operator that has both.
        if (first.pixel_shuffle != 1 && consumer.inputs[Conv2d::kResidual] != kNone) return std::nullopt;
        Shape const& inner = constant(producer, Conv2d::kWeight)->shape;
        Shape const& outer = constant(consumer, Conv2d::kWeight)->shape;
        Extents const e{outer[0], outer[1], std::int64_t{first.pixel_shuffle} * first.pixel_shuffle, inner[1]};
        float const* const weight = constant(consumer, Conv2d::kWeight)->data;
        if (!e.pays() || weight == nullptr || constant(producer, Conv2d::kWeight)->data == nullptr) return std::nullopt;
        Node folded = consumer;
        Conv2d op = *second;
        op.pixel_shuffle = first.pixel_shuffle;
        folded.op = op;
        folded.inputs[Conv2d::kX] = producer.inputs[Conv2d::kX];
        folded.inputs[Conv2d::kWeight] =
            add(consumer.provenance + ".weight", folded_weight(e, weight, constant(producer, Conv2d::kWeight)->data));
        Constant const* const inner_bias = constant(producer, Conv2d::kBias);
        Constant const* const outer_bias = constant(consumer, Conv2d::kBias);
        if (inner_bias != nullptr || outer_bias != nullptr) {
            folded.inputs[Conv2d::kBias] =
                add(consumer.provenance + ".bias",
                    folded_bias(e, weight, inner_bias == nullptr ? nullptr : inner_bias->data,
                                outer_bias == nullptr ? nullptr : outer_bias->data));
        }
        return folded;
    }

private:
    [[nodiscard]] Constant const* constant(Node const& node, int input) const {
        ValueId const id = node.inputs[static_cast<std::size_t>(input)];
        if (id == kNone) return nullptr;
        auto const index = static_cast<std::size_t>(id);
        return (index < graph_.values.size() ? graph_.value(id) : made_[index - graph_.values.size()]).constant.get();
    }

    ValueId add(std::string name, Constant value) {
        ValueId const id = next_id(graph_, made_);
        std::vector<Dim> dims(value.shape.begin(), value.shape.end());
        made_.push_back({std::move(name), std::move(dims), std::make_shared<Constant const>(std::move(value))});
        return id;
    }

    Graph const& graph_;
    std::vector<Value>& made_;
};

/// Weights that nobody reads any more would still be kept and written to engine files.
void drop_unread_constants(Graph& graph) {
    std::vector<bool> read(graph.values.size(), false);
    for (Node const& node : graph.nodes) {
        for (ValueId const id : node.inputs) {
            if (id != kNone) read[static_cast<std::size_t>(id)] = true;
        }
    }
    for (std::size_t i = 0; i < read.size(); ++i) {
        if (!read[i]) graph.values[i].constant = nullptr;
    }
}

}  // namespace

Graph fold_pointwise(Graph const& graph) {
    std::vector<Value> made;
    Folder folder(graph, made);
    Graph folded = fuse_pairs(graph, [&](Node const& producer, Node const& consumer, int input) {
        return folder.fold(producer, consumer, input);
    });
    for (Value& value : made) folded.values.push_back(std::move(value));
    drop_unread_constants(folded);
    return folded;
}

}  // namespace vitrum
