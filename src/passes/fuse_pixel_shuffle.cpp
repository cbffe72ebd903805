// SPDX-License-Identifier: Apache-2.0
#include "fuse_pairs.h"
#include "passes/passes.h"

namespace vitrum {

Graph fuse_pixel_shuffle(Graph graph) {
    return fuse_pairs(std::move(graph), [](Node const& producer, Node const& consumer, int) -> std::optional<Node> {
        auto const* conv = std::get_if<Conv2d>(&producer.op);
        auto const* shuffle = std::get_if<PixelShuffle>(&consumer.op);
        if (conv == nullptr || shuffle == nullptr || conv->pixel_shuffle != 1) return std::nullopt;
        Node fused = producer;
        Conv2d op = *conv;
        op.pixel_shuffle = shuffle->factor;
        fused.op = op;
        return fused;
    });
}

}  // namespace vitrum
