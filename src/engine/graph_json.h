// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include <nlohmann/json.hpp>

#include "ir/graph.h"
#include "vitrum/model.h"

namespace vitrum {

// The header of an engine file. Reading throws nlohmann's exceptions or Error for what does not parse; the
// caller still checks graph_violation().

using Json = nlohmann::ordered_json;

[[nodiscard]] Json to_json(ModelInfo const& info);
[[nodiscard]] ModelInfo model_info_from_json(Json const& json);

/// `place` tells the data offset of a constant.
[[nodiscard]] Json to_json(Graph const& graph, std::function<std::uint64_t(Constant const&)> const& place);
/// `fetch` makes the constant of that shape at that data offset.
[[nodiscard]] Graph graph_from_json(Json const& json,
                                    std::function<Constant(Shape const&, std::uint64_t)> const& fetch);

}  // namespace vitrum
