// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tasks/segment/geometry.h"

namespace vitrum {

/// The middle of the widest place inside a region: where its name is best written.
struct WidestPlace {
    std::int64_t x = 0, y = 0;
    std::int64_t reach = 0;  ///< pixels to the nearest one of another label, along rows, columns and diagonals
};

/// By label, up to the largest that occurs; a label that does not occur has reach 0.
[[nodiscard]] std::vector<WidestPlace> widest_places(std::span<std::uint16_t const> labels, Extent extent);

}  // namespace vitrum
