// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>

#include "ir/graph.h"

namespace vitrum {

/// A rule sees a node and the one that makes its input number `input`, which nobody else reads. It answers the
/// single node that does the work of both, or nothing.
using PairRule = std::function<std::optional<Node>(Node const& producer, Node const& consumer, int input)>;

/// Applies a rule wherever it answers. The fused node takes the consumer's place in the order, so that all its
/// inputs are there, and the consumer's output.
[[nodiscard]] Graph fuse_pairs(Graph graph, PairRule const& rule);

}  // namespace vitrum
