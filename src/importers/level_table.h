// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "ir/graph.h"
#include "vitrum/sizes.h"

namespace vitrum {

/// The levels' embeddings [3, C] that exporters have added to the sine positions (ir/op.h: SinePosition) of maps of the
/// strides 32, 16 and 8 of such a picture, one after the other: [pixels, C] with extents of 1 around it. Nothing where
/// the constant is something else.
[[nodiscard]] std::optional<Constant> level_table(Constant const& positions, Sizes const& picture);

}  // namespace vitrum
