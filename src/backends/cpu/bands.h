// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "scratch.h"

namespace vitrum::cpu {

/// A band of rows, or of one block of their columns: what one worker streams through, row after row.
struct Band {
    std::int64_t n;
    std::int64_t row, end_row;
    std::int64_t column, end_column;
};

/// How a picture is cut into bands for kernels that keep the last rows of intermediate features in a ring: they
/// compute some rows and columns around a band again, so bands are as large as caches and threads allow.
struct Bands {
    // Three rows of a ring lie in the second-level cache beside weights and tiles: 1 MiB on Zen 4, 2 MiB on Sapphire
    // Rapids.
    static constexpr std::int64_t kRingFloats = 200'000;
    static constexpr std::int64_t kRows = 64;  ///< where there are enough: two more cost 3 %
    static constexpr std::int64_t kFewestRows = 4;

    std::int64_t pictures, height, width;
    std::int64_t columns;  ///< of a block; whole vectors on every target
    std::int64_t rows;     ///< of a band

    /// `ring_floats` of all rings together for one column of the picture.
    Bands(Shape const& x, std::int64_t ring_floats, int threads) : pictures(x[0]), height(x[1]), width(x[2]) {
        std::int64_t const fitting = std::max<std::int64_t>(kRingFloats / ring_floats, 64);
        std::int64_t const blocks = (width + fitting - 1) / fitting;
        columns = round_up((width + blocks - 1) / blocks, 16);
        // Bands of equal height, as many as the threads share evenly.
        std::int64_t const areas = pictures * row_blocks();
        std::int64_t const rounds =
            std::max<std::int64_t>(1, (areas * height + kRows * threads / 2) / (kRows * threads));
        std::int64_t const bands = (rounds * threads + areas - 1) / areas;
        rows = std::max((height + bands - 1) / bands, kFewestRows);
    }

    [[nodiscard]] std::int64_t count() const { return pictures * row_blocks() * row_bands(); }

    [[nodiscard]] Band at(std::int64_t item) const {
        std::int64_t const row = item / row_blocks() % row_bands() * rows;
        std::int64_t const column = item % row_blocks() * columns;
        return {item / (row_blocks() * row_bands()), row, std::min(row + rows, height), column,
                std::min(column + columns, width)};
    }

private:
    [[nodiscard]] std::int64_t row_blocks() const { return (width + columns - 1) / columns; }
    [[nodiscard]] std::int64_t row_bands() const { return (height + rows - 1) / rows; }
};

/// The last three or four rows of a channel-major feature map: [rows][channels][stride], the band's first column at
/// kMargin.
struct RowRing {
    static constexpr std::int64_t kMargin = 16;  ///< a whole vector: the band's columns are aligned

    float* data;
    std::int64_t rows, channels, stride;

    /// An odd number of cache lines, so that channels spread over all cache sets. Blocks of 64 columns may begin two
    /// columns left of the band and end beyond its right neighbours.
    [[nodiscard]] static constexpr std::int64_t stride_for(std::int64_t columns) {
        return (kMargin + round_up(columns + 2, 16) + 16) / 16 * 16 | 16;
    }
    [[nodiscard]] static constexpr std::int64_t floats(std::int64_t rows, std::int64_t channels, std::int64_t columns) {
        return rows * channels * stride_for(columns);
    }

    /// Row of the picture (−2 and up), channel 0, the band's first column.
    [[nodiscard]] float* row(std::int64_t index) const {
        return data + (index + rows) % rows * channels * stride + kMargin;
    }
    void clear_row(std::int64_t index) const { std::fill_n(row(index) - kMargin, channels * stride, 0.0F); }
    /// Zeros where convolutions look beyond the picture; what is computed later leaves them alone.
    void clear() const { std::fill_n(data, rows * channels * stride, 0.0F); }
};

}  // namespace vitrum::cpu
