// SPDX-License-Identifier: Apache-2.0
#include "fuse_pairs.h"

#include <algorithm>

namespace vitrum {
namespace {

constexpr int kNobody = -1;

struct Uses {
    std::vector<int> producer;  ///< index of the node that makes a value
    std::vector<int> readers;   ///< how many reads it has, graph outputs included

    explicit Uses(Graph const& graph) : producer(graph.values.size(), kNobody), readers(graph.values.size(), 0) {
        for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
            for (ValueId const id : graph.nodes[n].outputs)
                producer[static_cast<std::size_t>(id)] = static_cast<int>(n);
            for (ValueId const id : graph.nodes[n].inputs) {
                if (id != kNone) ++readers[static_cast<std::size_t>(id)];
            }
        }
        for (ValueId const id : graph.outputs) ++readers[static_cast<std::size_t>(id)];
    }
};

}  // namespace

Graph fuse_pairs(Graph graph, PairRule const& rule) {
    Uses const uses(graph);
    std::vector<bool> gone(graph.nodes.size(), false);
    for (Node& consumer : graph.nodes) {
        for (std::size_t i = 0; i < consumer.inputs.size(); ++i) {
            ValueId const id = consumer.inputs[i];
            if (id == kNone || uses.readers[static_cast<std::size_t>(id)] != 1) continue;
            int const producer = uses.producer[static_cast<std::size_t>(id)];
            if (producer == kNobody) continue;
            auto fused = rule(graph.nodes[static_cast<std::size_t>(producer)], consumer, static_cast<int>(i));
            if (!fused) continue;
            fused->outputs = consumer.outputs;
            consumer = std::move(*fused);
            gone[static_cast<std::size_t>(producer)] = true;
            break;
        }
    }
    std::vector<Node> kept;
    for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
        if (!gone[n]) kept.push_back(std::move(graph.nodes[n]));
    }
    graph.nodes = std::move(kept);
    return graph;
}

}  // namespace vitrum
