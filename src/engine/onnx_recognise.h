// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "engine/engine_data.h"

namespace vitrum {

/// A known family found in an ONNX file.
struct Recognised {
    ModelInfo info;
    std::optional<Graph> graph;  ///< the family's, optimised; nothing: not recognised
    std::string why_not;         ///< why, where the file holds the names of a family's weights
};

/// Looks for a known family's weights in the file, builds that family's graph, and runs both on a small picture of
/// noise: only where they agree is the file recognised. Throws Error (usage) where an override is neither the file's
/// nor the family's.
[[nodiscard]] Recognised recognise_onnx(std::shared_ptr<OnnxSource const> const& source, Overrides const& overrides,
                                        CompileOptions const& options);

}  // namespace vitrum
