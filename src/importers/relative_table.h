// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "ir/graph.h"

namespace vitrum {

/// The table [(2w − 1)², heads] that the biases of window attention [heads, w², w²] were gathered from: nothing where
/// the constant is none, that is where positions with one offset have two biases.
[[nodiscard]] std::optional<Constant> relative_table(Constant const& biases);

}  // namespace vitrum
