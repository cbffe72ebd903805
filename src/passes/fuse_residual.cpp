// SPDX-License-Identifier: Apache-2.0
#include "fuse_pairs.h"
#include "passes/passes.h"

namespace vitrum {
namespace {

template <class O>
std::optional<Node> absorb(Node const& producer, ValueId other) {
    if (!std::holds_alternative<O>(producer.op) || producer.inputs[O::kResidual] != kNone) return std::nullopt;
    Node fused = producer;
    fused.inputs[O::kResidual] = other;
    return fused;
}

}  // namespace

Graph fuse_residual(Graph graph) {
    return fuse_pairs(
        std::move(graph), [](Node const& producer, Node const& consumer, int input) -> std::optional<Node> {
            if (!std::holds_alternative<Add>(consumer.op)) return std::nullopt;
            ValueId const other = consumer.inputs[static_cast<std::size_t>(input == Add::kA ? Add::kB : Add::kA)];
            if (auto const* conv = std::get_if<Conv2d>(&producer.op)) {
                if (conv->pixel_shuffle != 1) return std::nullopt;  // the residual comes before the shuffle
                return absorb<Conv2d>(producer, other);
            }
            if (auto fused = absorb<WindowAttention>(producer, other)) return fused;
            if (auto fused = absorb<GroupWindowAttention>(producer, other)) return fused;
            if (auto fused = absorb<ShiftMlp>(producer, other)) return fused;
            if (auto fused = absorb<SpectralAttention>(producer, other)) return fused;
            if (auto fused = absorb<ConvMlp>(producer, other)) return fused;
            return absorb<Mlp>(producer, other);
        });
}

}  // namespace vitrum
