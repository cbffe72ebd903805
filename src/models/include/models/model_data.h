// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "models/family.h"

namespace vitrum {

struct Model::Data {
    std::shared_ptr<Checkpoint const> checkpoint;
    StateDict dict;  ///< points into *checkpoint
    Detection detection;
    Graph shape_graph;  ///< the graph with constants that have shapes but no data

    /// The unoptimised graph with its weights. Throws Error where a weight is NaN or Inf.
    [[nodiscard]] Graph build_graph() const;
};

/// Recognises the network that a checkpoint holds, as Model::load does.
[[nodiscard]] Model recognise(std::shared_ptr<Checkpoint const> const& checkpoint, Overrides const& overrides);

}  // namespace vitrum
