// SPDX-License-Identifier: Apache-2.0
#include "fuse_pairs.h"
#include "passes/passes.h"

namespace vitrum {

Graph fuse_activation(Graph graph) {
    return fuse_pairs(std::move(graph), [](Node const& producer, Node const& consumer, int) -> std::optional<Node> {
        auto const* conv = std::get_if<Conv2d>(&producer.op);
        auto const* activate = std::get_if<Activate>(&consumer.op);
        // The shuffle comes last: a convolution that has it already stays.
        if (conv == nullptr || activate == nullptr || conv->activation != Activation::none ||
            conv->pixel_shuffle != 1) {
            return std::nullopt;
        }
        Node fused = producer;
        Conv2d op = *conv;
        op.activation = activate->activation;
        op.negative_slope = activate->negative_slope;
        if (producer.inputs[Conv2d::kResidual] != kNone) op.residual_place = ResidualPlace::before_activation;
        fused.op = op;
        return fused;
    });
}

}  // namespace vitrum
