// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ir/graph.h"
#include "vitrum/engine.h"

namespace vitrum {

/// A made-up ×2 network with one of each of SwinIR's operators and random weights: 3 channels in and out,
/// windows of 4, any size.
[[nodiscard]] Graph small_graph();
[[nodiscard]] ModelInfo small_info();

/// Reads three values that depend on the picture's size alone, the first through a chain that may run in place.
[[nodiscard]] Graph graph_with_positions();

/// Three chains of one input, whose results are added: steps of one need none of another.
[[nodiscard]] Graph graph_with_branches();

/// Two convolutions of one number, of which the second reads 3e4 times the picture.
[[nodiscard]] Graph steep_graph();

/// The network compiled; no file is read.
[[nodiscard]] Engine small_engine(CompileOptions const& options = {});

/// Fills a session's input with a fixed pseudo-random picture.
void fill_input(Session& session);

}  // namespace vitrum
