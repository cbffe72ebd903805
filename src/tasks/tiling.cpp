// SPDX-License-Identifier: Apache-2.0
#include "tasks/tiling.h"

#include <algorithm>

#include "base/check.h"

namespace vitrum {
namespace {

constexpr std::int64_t divide_up(std::int64_t value, std::int64_t by) {
    return (value + by - 1) / by;
}
constexpr std::int64_t round_up(std::int64_t value, std::int64_t multiple) {
    return divide_up(value, multiple) * multiple;
}
constexpr std::int64_t round_down(std::int64_t value, std::int64_t multiple) {
    return value / multiple * multiple;
}

}  // namespace

AxisTiles cover_axis(std::int64_t length, std::int64_t max_tile, std::int64_t overlap, std::int64_t multiple) {
    VITRUM_ASSERT(length > 0 && max_tile > 0 && overlap >= 0 && multiple > 0);
    if (length <= max_tile) return {length, 0, {0}};
    std::int64_t const limit = std::max(round_down(max_tile, multiple), multiple);
    std::int64_t const shared = std::min(round_up(overlap, multiple), round_down(limit / 2, multiple));
    std::int64_t const padded = round_up(length, multiple);
    if (padded <= limit) return {length, 0, {0}};

    std::int64_t const count = divide_up(padded - shared, limit - shared);
    std::int64_t const tile = round_up(divide_up(padded + (count - 1) * shared, count), multiple);
    AxisTiles axis{tile, shared, {}};
    // Spread evenly: what is left over of the last tile becomes context for all of them.
    std::int64_t const steps = (padded - tile) / multiple;
    for (std::int64_t i = 0; i < count; ++i) axis.origins.push_back(i * steps / (count - 1) * multiple);
    return axis;
}

Seam seam_after(AxisTiles const& axis, std::int64_t i) {
    std::int64_t const begin = axis.origins[static_cast<std::size_t>(i) + 1];
    std::int64_t const shared = axis.origins[static_cast<std::size_t>(i)] + axis.tile - begin;
    std::int64_t const width = axis.overlap / 2;
    return {begin + (shared - width) / 2, width};
}

TilePlan plan_tiles(std::int64_t height, std::int64_t width, std::int64_t max_tile, std::int64_t overlap,
                    std::int64_t multiple) {
    return {cover_axis(height, max_tile, overlap, multiple), cover_axis(width, max_tile, overlap, multiple)};
}

std::int64_t largest_tile(std::int64_t height, std::int64_t width, std::int64_t overlap, std::int64_t multiple,
                          std::function<bool(std::int64_t, std::int64_t)> const& fits) {
    auto const fits_at = [&](std::int64_t side) {
        TilePlan const plan = plan_tiles(height, width, side, overlap, multiple);
        return fits(plan.y.tile, plan.x.tile);
    };
    std::int64_t const whole = std::max(height, width);
    if (fits(height, width)) return whole;
    std::int64_t const smallest = round_up(kSmallestTile, multiple);
    if (whole <= smallest || !fits_at(smallest)) return 0;

    std::int64_t good = smallest / multiple, bad = divide_up(whole, multiple);
    while (bad - good > 1) {
        std::int64_t const middle = good + (bad - good) / 2;
        (fits_at(middle * multiple) ? good : bad) = middle;
    }
    return good * multiple;
}

}  // namespace vitrum
