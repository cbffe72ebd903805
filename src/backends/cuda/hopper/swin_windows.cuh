// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "swin_tiles.cuh"

// Windows of Swin's attention as tiles (see TileMover).

namespace vitrum::cuda::hopper {

constexpr int kWindow = 8;
constexpr int kOffsetSide = 2 * kWindow - 1, kOffsets = kOffsetSide * kOffsetSide;  // between two tokens

/// Windows of whole pictures, rolled by (−shift, −shift): a tile is a window.
struct WindowTiles {
    int h = 0, w = 0, down = 0, across = 0, shift = 0, count = 0;
    int first_row = 0;       ///< of windows, with which a picture's tiles begin
    bool backwards = false;  ///< the last one is the first tile

    WindowTiles() = default;
    WindowTiles(Pixels const& x, int shift_, int first_row_ = 0)
        : h(static_cast<int>(x.h)),
          w(static_cast<int>(x.w)),
          down(h / kWindow),
          across(w / kWindow),
          shift(shift_),
          count(static_cast<int>(x.n) * down * across),
          first_row(first_row_) {}
};

/// One of them.
struct WindowTile {
    WindowTiles const& tiles;
    int picture, row, column;

    __device__ WindowTile(WindowTiles const& tiles_, int tile) : tiles(tiles_) {
        if (tiles.backwards) tile = tiles.count - 1 - tile;
        auto const line = static_cast<unsigned>(tile) / static_cast<unsigned>(tiles.across);
        column = tile - static_cast<int>(line) * tiles.across;
        picture = static_cast<int>(line / static_cast<unsigned>(tiles.down));
        row = static_cast<int>(line) - picture * tiles.down + tiles.first_row;
        if (row >= tiles.down) row -= tiles.down;
    }
    [[nodiscard]] __device__ static constexpr int tokens() { return kTokens; }
    [[nodiscard]] __device__ std::int64_t pixel(int token) const {
        int y = row * kWindow + token / kWindow + tiles.shift, x = column * kWindow + token % kWindow + tiles.shift;
        if (y >= tiles.h) y -= tiles.h;
        if (x >= tiles.w) x -= tiles.w;
        return (static_cast<std::int64_t>(picture) * tiles.h + y) * tiles.w + x;
    }
    /// The first row of the window that comes from the picture's other side; kWindow where none does.
    [[nodiscard]] __device__ int row_seam() const { return row == tiles.down - 1 ? kWindow - tiles.shift : kWindow; }
    [[nodiscard]] __device__ int column_seam() const {
        return column == tiles.across - 1 ? kWindow - tiles.shift : kWindow;
    }
};

}  // namespace vitrum::cuda::hopper
