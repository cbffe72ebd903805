// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "ir/graph.h"

namespace vitrum {

/// A matrix [channels, channels] that makes an attention's scaled queries [heads, count, channels / heads] of `from`
/// [count, channels]: the one of least norm. Nothing where the shapes do not fit, or where rows of `from` depend on one
/// another.
[[nodiscard]] std::optional<Constant> query_projection(ConstTensorView const& queries, Shape const& shape,
                                                       std::vector<double> const& from);

}  // namespace vitrum
