// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <vector>

#include "engine/engine_data.h"

namespace vitrum::test {

/// Constants of a graph, evenly spread by `gain` around `mean`.
class Weights {
public:
    explicit Weights(Graph& graph) : graph_(graph) {}
    ValueId operator()(Shape const& shape, float gain, float mean = 0) {
        auto owner = std::make_shared<std::vector<float>>();
        std::uniform_real_distribution<float> uniform(mean - gain, mean + gain);
        for (std::int64_t i = 0; i < shape.count(); ++i) owner->push_back(uniform(random_));
        return graph_.add_constant("w" + std::to_string(graph_.values.size()), {shape, owner->data(), owner});
    }

private:
    Graph& graph_;
    std::mt19937 random_{7};
};

/// LayerNorm, an MLP whose hidden numbers reach `hidden`, and the residual: half a block of a Swin layer. Hopper's
/// kernels, which scale what leaves float16, do not serve that width.
inline Engine make_mlp_engine(float hidden, Precision precision, std::shared_ptr<Backend const> backend = nullptr) {
    constexpr std::int64_t kChannels = 48;
    Graph graph;
    Weights weight(graph);
    auto const x = graph.add_input("input", {Dim(Symbol::n), Dim(Symbol::h), Dim(Symbol::w), kChannels});
    auto const norm_weight = weight({kChannels}, 0, 1), norm_bias = weight({kChannels}, 0);
    auto const fc1 = weight({2 * kChannels, kChannels}, hidden / 8), fc1_bias = weight({2 * kChannels}, 0);
    auto const fc2 = weight({kChannels, 2 * kChannels}, 0.1F / hidden), fc2_bias = weight({kChannels}, 0);
    graph.add_output("output", graph.add(Mlp{}, {x, fc1, fc1_bias, fc2, fc2_bias, norm_weight, norm_bias, x}, "mlp"));
    ModelInfo info;
    info.in_channels = info.out_channels = kChannels;
    CompileOptions const options{.device = Device::cuda, .threads = 1, .precision = precision};
    return Engine(std::make_shared<Engine::Data>(info, std::move(graph), options, std::move(backend)));
}

/// What a picture becomes, the same one each time.
inline std::vector<float> outcome(Session& session, bool is_checked) {
    session.prepare({1, 8, 8});
    std::mt19937 random(3);
    for (float& value : session.input()) value = static_cast<float>(random() % 256) / 255.0F;
    if (is_checked) session.run_checked();
    else session.run();
    return {session.output().begin(), session.output().end()};
}

[[nodiscard]] inline bool is_finite(std::vector<float> const& values) {
    return std::ranges::all_of(values, [](float value) { return std::isfinite(value); });
}

}  // namespace vitrum::test
