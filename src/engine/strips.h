// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "ir/graph.h"

// The end of an upsampling network has many channels at the size of its output, which only the next convolution looks
// at: SwinIR ×4 of 720 × 1280 pixels has 3.8 GB there and 0.7 GB everywhere else. Such an end is computed in strips of
// rows, whose activations lie in memory only while the strip is made.

namespace vitrum {

/// Rows [begin, end) of a picture.
struct Rows {
    std::int64_t begin = 0, end = 0;

    [[nodiscard]] std::int64_t count() const { return end - begin; }
};

/// What a node of the chain reads and writes in one strip. Those of its rows that lie next to a cut are written without
/// their neighbours and never read.
struct StripStep {
    std::size_t node = 0;
    Rows input, output;
};

/// The last nodes of a graph, from `first` on, each the only reader of the one before.
struct StripChain {
    std::size_t first = 0;
    std::vector<std::vector<StripStep>> strips;
};

/// Cuts the end of the graph into strips whose activations take at most `most_bytes` where whole ones would take more
/// than twice that; nothing else, and no batches.
[[nodiscard]] std::optional<StripChain> cut_into_strips(Graph const& graph, Sizes const& sizes, std::size_t most_bytes);

}  // namespace vitrum
