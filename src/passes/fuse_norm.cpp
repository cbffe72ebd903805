// SPDX-License-Identifier: Apache-2.0
#include "fuse_pairs.h"
#include "passes/passes.h"

namespace vitrum {
namespace {

template <class O>
std::optional<Node> absorb(LayerNorm const& norm, Node const& producer, Node const& consumer) {
    auto const* op = std::get_if<O>(&consumer.op);
    if (op == nullptr || consumer.inputs[O::kNormWeight] != kNone) return std::nullopt;
    Node fused = consumer;
    O absorbed = *op;
    absorbed.norm_epsilon = norm.epsilon;
    fused.op = absorbed;
    fused.inputs[O::kX] = producer.inputs[LayerNorm::kX];
    fused.inputs[O::kNormWeight] = producer.inputs[LayerNorm::kWeight];
    fused.inputs[O::kNormBias] = producer.inputs[LayerNorm::kBias];
    return fused;
}

}  // namespace

Graph fuse_norm(Graph graph) {
    return fuse_pairs(std::move(graph),
                      [](Node const& producer, Node const& consumer, int input) -> std::optional<Node> {
                          auto const* norm = std::get_if<LayerNorm>(&producer.op);
                          if (norm == nullptr || input != 0) return std::nullopt;
                          if (auto fused = absorb<WindowAttention>(*norm, producer, consumer)) return fused;
                          if (auto fused = absorb<ConvMlp>(*norm, producer, consumer)) return fused;
                          return absorb<Mlp>(*norm, producer, consumer);
                      });
}

}  // namespace vitrum
