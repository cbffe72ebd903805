// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ir/graph.h"

namespace vitrum {

/// Every pass in its order: what a model built becomes what an engine runs.
[[nodiscard]] Graph optimise(Graph graph);

/// LayerNorm → WindowAttention, Mlp or ConvMlp: the norm moves inside, so that a window's tokens are read once.
[[nodiscard]] Graph fuse_norm(Graph graph);
/// Conv2d → Activate: the activation moves into the convolution's epilogue.
[[nodiscard]] Graph fuse_activation(Graph graph);
/// Conv2d → PixelShuffle: the shuffle becomes the convolution's store address.
[[nodiscard]] Graph fuse_pixel_shuffle(Graph graph);
/// A 1 × 1 convolution behind another, or behind another's shuffle: one with the product of their weights.
[[nodiscard]] Graph fold_pointwise(Graph const& graph);
/// Conv2d, attention or Mlp → Add: the sum becomes the operator's residual.
[[nodiscard]] Graph fuse_residual(Graph graph);

}  // namespace vitrum
