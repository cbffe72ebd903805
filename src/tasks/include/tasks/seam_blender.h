// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "tasks/tiling.h"

namespace vitrum {

/// What the tiles become together.
struct BlendedSize {
    std::int64_t height = 0, width = 0;  ///< output pixels
    int channels = 0;
};

/// Takes `count` finished pixels of row y from column x on, packed, and returns how many values among them were
/// NaN or infinite.
using RowSink = std::function<std::int64_t(std::int64_t x, std::int64_t y, std::int64_t count, float const* pixels)>;

/// Puts tiles together, row by row of tiles and from left to right, each pixel handed out once and finished.
/// Only the seams wait: a strip of the tile to the left and some rows of the tiles above, so that a result of
/// any size costs no second copy of it.
class SeamBlender {
public:
    /// `gain` is what every value is multiplied with.
    SeamBlender(TilePlan const& plan, int scale, float gain, BlendedSize const& size, RowSink sink);

    /// The tile in row iy and column ix: [tile height · scale, tile width · scale, channels], packed. Returns how
    /// many values were NaN or infinite.
    [[nodiscard]] std::int64_t add(std::int64_t iy, std::int64_t ix, float const* tile);

    /// Bytes that a blender for this plan holds.
    [[nodiscard]] static std::size_t bytes(TilePlan const& plan, BlendedSize const& size, int scale);

private:
    /// What a tile contributes along one axis, in output pixels: it emits [begin, end); of that it shares
    /// the first `fade` with its predecessor; and it hands the `kept` pixels from `end` on to its successor.
    struct Extent {
        std::int64_t origin, begin, end, fade, kept;
    };
    [[nodiscard]] Extent extent(AxisTiles const& axis, std::int64_t i, std::int64_t length) const;

    void blend_row_with_left(Extent const& x, float const* row, std::int64_t y_in_tile);

    TilePlan plan_;
    int scale_;
    float gain_;
    BlendedSize size_;
    RowSink sink_;
    std::int64_t channels_;
    std::vector<float> row_;    ///< the row under work, [begin, end) of the tile
    std::vector<float> left_;   ///< the right seam of the tile to the left, a row per row of the tile
    std::vector<float> above_;  ///< the bottom seam of the row of tiles above, whole rows of the result
};

}  // namespace vitrum
