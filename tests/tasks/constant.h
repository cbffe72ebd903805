// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ir/graph.h"

namespace vitrum {

/// A constant that owns its values.
inline ValueId constant(Graph& graph, std::string const& name, Shape const& shape, std::vector<float> values) {
    auto owner = std::make_shared<std::vector<float>>(std::move(values));
    return graph.add_constant(name, {shape, owner->data(), owner});
}

}  // namespace vitrum
