// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "backends/backend.h"
#include "ir/graph.h"

namespace vitrum {

/// Where an operand lies: a constant's address, or an offset into the session's arena.
struct Operand {
    enum class Kind { absent, constant, arena } kind = Kind::absent;
    TensorView view;  ///< data is set for constants only
    std::size_t offset = 0;
};

/// One launch: the kernel chosen for a node at these sizes and where everything lies.
struct Step {
    Node const* node = nullptr;
    Selection selection;
    ChainKernel chain;  ///< see find_chains
    std::vector<Operand> inputs;
    std::vector<Operand> outputs;
    std::size_t workspace_offset = 0;
    std::vector<std::size_t> needs;  ///< see find_needs
    bool once = false;               ///< reads no picture: runs when a session binds the program, and its results stay
    double flops = 0, bytes = 0;
};

class PackedWeights;

/// An optimised graph at one concrete N × H × W: kernels chosen, memory planned. Refers to the graph.
struct Program {
    std::shared_ptr<Graph const> graph;     ///< set by the engine, which keeps it alive by this
    std::shared_ptr<PackedWeights> packed;  ///< of that graph's constants
    Sizes sizes;
    Precision precision = Precision::fp32;
    std::vector<Step> steps;
    std::vector<std::size_t> last_steps;  ///< see find_needs
    bool is_chain = false;                ///< each step needs the one before it and no other
    std::size_t arena_bytes = 0;
    std::size_t own_bytes = 0;  ///< of all this, without graph and weights
    std::vector<Operand> inputs, outputs;
    mutable std::shared_ptr<Program const> more_exact;  ///< made and guarded by the engine, at first need
};

/// Upsamplers whose activations would take more than twice `strip_bytes` are computed in strips (see strips.h).
/// Throws Error: sizes out of range, a node that every kernel refuses (with their reasons).
[[nodiscard]] Program make_program(Graph const& graph, Backend const& backend, Sizes const& sizes, int threads,
                                   Precision precision, std::size_t strip_bytes);

}  // namespace vitrum
