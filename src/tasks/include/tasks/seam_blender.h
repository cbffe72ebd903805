// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tasks/tiling.h"
#include "vitrum/image.h"

namespace vitrum {

/// Puts restored tiles together into a picture, row by row of tiles and from left to right, each pixel
/// written once and finished. Only the seams wait as floats: a strip of the tile to the left and some rows
/// of the tiles above, so that a picture of any size costs no float copy of it.
class SeamBlender {
public:
    /// `gain` brings the network's values to 0 … 1.
    SeamBlender(TilePlan const& plan, int scale, float gain, Image& picture);

    /// The restored tile in row iy and column ix: [tile height · scale, tile width · scale, picture channels],
    /// packed. Returns how many values were NaN or infinite.
    [[nodiscard]] std::int64_t add(std::int64_t iy, std::int64_t ix, float const* tile);

    /// Bytes that a blender for this plan holds.
    [[nodiscard]] static std::size_t bytes(TilePlan const& plan, std::int64_t width, int scale, int channels);

private:
    /// What a tile contributes along one axis, in output pixels: it emits [begin, end); of that it shares
    /// the first `fade` with its predecessor; and it hands the `kept` pixels from `end` on to its successor.
    struct Extent {
        std::int64_t origin, begin, end, fade, kept;
    };
    [[nodiscard]] Extent extent(AxisTiles const& axis, std::int64_t i, std::int64_t length) const;

    void blend_row_with_left(Extent const& x, float const* row, std::int64_t y_in_tile);
    [[nodiscard]] std::int64_t emit(Extent const& x, std::int64_t y);

    TilePlan plan_;
    int scale_;
    float gain_;
    Image& picture_;
    std::int64_t channels_;
    std::vector<float> row_;    ///< the row under work, [begin, end) of the tile
    std::vector<float> left_;   ///< the right seam of the tile to the left, a row per row of the tile
    std::vector<float> above_;  ///< the bottom seam of the row of tiles above, whole rows of the picture
};

}  // namespace vitrum
