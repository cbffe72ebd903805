// SPDX-License-Identifier: Apache-2.0
#include "passes/passes.h"

namespace vitrum {

Graph optimise(Graph graph) {
    verify(graph);
    graph = fuse_norm(std::move(graph));
    // On both sides of the residual: an activation stands before the sum (SwinIR) or behind it (ResNet).
    graph = fuse_activation(std::move(graph));
    graph = fuse_residual(std::move(graph));
    graph = fuse_activation(std::move(graph));
    // Late: the shuffle is the store, and nothing but a matrix can follow it inside the operator.
    graph = fuse_pixel_shuffle(std::move(graph));
    graph = fold_pointwise(graph);
    verify(graph);
    return graph;
}

}  // namespace vitrum
