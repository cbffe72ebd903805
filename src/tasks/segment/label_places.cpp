// SPDX-License-Identifier: Apache-2.0
#include "label_places.h"

#include <algorithm>

namespace vitrum {
namespace {

/// Distance to another label or the picture's edge, where a step may go to any of eight neighbours: two sweeps,
/// each looking at the neighbours that it has passed.
std::vector<std::int32_t> distances(std::span<std::uint16_t const> labels, Extent extent) {
    std::int64_t const height = extent.h, width = extent.w;
    std::vector<std::int32_t> distance(labels.size());
    auto const relax = [&](std::int64_t x, std::int64_t y, std::int64_t step) {
        auto const at = static_cast<std::size_t>(y * width + x);
        std::int32_t nearest = step > 0 ? 1 << 30 : distance[at];
        auto const look = [&](std::int64_t dx, std::int64_t dy) {
            std::int64_t const nx = x + dx, ny = y + dy;
            bool const inside = nx >= 0 && nx < width && ny >= 0 && ny < height;
            auto const other = static_cast<std::size_t>(ny * width + nx);
            bool const same = inside && labels[other] == labels[at];
            nearest = std::min(nearest, same ? distance[other] + 1 : 1);
        };
        look(-step, 0);
        for (std::int64_t dx = -1; dx <= 1; ++dx) look(dx, -step);
        distance[at] = nearest;
    };
    for (std::int64_t y = 0; y < height; ++y) {
        for (std::int64_t x = 0; x < width; ++x) relax(x, y, 1);
    }
    for (std::int64_t y = height - 1; y >= 0; --y) {
        for (std::int64_t x = width - 1; x >= 0; --x) relax(x, y, -1);
    }
    return distance;
}

}  // namespace

std::vector<WidestPlace> widest_places(std::span<std::uint16_t const> labels, Extent extent) {
    std::vector<WidestPlace> places(labels.empty() ? 0 : *std::ranges::max_element(labels) + std::size_t{1});
    std::vector<std::int32_t> const distance = distances(labels, extent);
    for (std::size_t i = 0; i < labels.size(); ++i) {
        WidestPlace& place = places[labels[i]];
        if (distance[i] <= place.reach) continue;
        auto const at = static_cast<std::int64_t>(i);
        place = {at % extent.w, at / extent.w, distance[i]};
    }
    return places;
}

}  // namespace vitrum
