// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/backend.h"
#include "ir/graph.h"

namespace vitrum {

/// Throws Error (usage) for sizes that no program is made for.
void check_sizes(Sizes const& sizes);

/// The one demand that symbolic extents cannot settle: engine files come from strangers.
void check_crop(Node const& node, Problem const& problem);

}  // namespace vitrum
