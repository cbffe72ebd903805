// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace vitrum {

/// Where one side of a picture is cut: equal tiles that overlap, in input pixels.
struct AxisTiles {
    std::int64_t tile = 0;              ///< side of every tile
    std::int64_t overlap = 0;           ///< what neighbours share at least
    std::vector<std::int64_t> origins;  ///< ascending, the first 0, all multiples of the model's tile multiple

    [[nodiscard]] std::int64_t count() const { return static_cast<std::int64_t>(origins.size()); }
};

/// Pixels [begin, begin + width) of an axis where tile i fades out and tile i + 1 fades in.
struct Seam {
    std::int64_t begin = 0, width = 0;
};

/// Covers `length` pixels with as few tiles of at most `max_tile` as overlap permits, made no larger than
/// that number of tiles needs. Origins and sides are multiples of `multiple`, so that the windows of a
/// window-attention network fall on the same pixels as without tiles; the last tile may therefore reach up
/// to multiple − 1 pixels beyond the picture (the network would pad that much itself). A length of at most
/// `max_tile` is one tile of exactly that length. An overlap above half a tile is lowered to it.
[[nodiscard]] AxisTiles cover_axis(std::int64_t length, std::int64_t max_tile, std::int64_t overlap,
                                   std::int64_t multiple);

/// The seam between tiles i and i + 1: the middle half of the overlap. The outer quarters are left out
/// because there one of the two tiles lacks the context on its far side.
[[nodiscard]] Seam seam_after(AxisTiles const& axis, std::int64_t i);

/// The weight of the tile that fades in at position `k` of a seam; its neighbour has one minus that.
[[nodiscard]] inline float fade_in(std::int64_t k, std::int64_t width) {
    return (static_cast<float>(k) + 0.5F) / static_cast<float>(width);
}

struct TilePlan {
    AxisTiles y, x;
    [[nodiscard]] std::int64_t count() const { return y.count() * x.count(); }
};

[[nodiscard]] TilePlan plan_tiles(std::int64_t height, std::int64_t width, std::int64_t max_tile, std::int64_t overlap,
                                  std::int64_t multiple);

/// No tile is chosen smaller than this (in input pixels): below it overlap is nearly all of the work.
constexpr std::int64_t kSmallestTile = 64;

/// The largest tile side whose plan fits, by bisection; the whole picture where that fits; 0 where not even
/// the smallest tile does. `fits` is asked with the height and width of a tile and should be monotone.
[[nodiscard]] std::int64_t largest_tile(std::int64_t height, std::int64_t width, std::int64_t overlap,
                                        std::int64_t multiple,
                                        std::function<bool(std::int64_t, std::int64_t)> const& fits);

}  // namespace vitrum
