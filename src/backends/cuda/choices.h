// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

// How work is cut for a device: pure functions of the sizes, so that they can be tested without one.

namespace vitrum::cuda {

[[nodiscard]] constexpr std::int64_t divide_up(std::int64_t a, std::int64_t b) {
    return (a + b - 1) / b;
}
[[nodiscard]] constexpr std::int64_t round_up(std::int64_t a, std::int64_t b) {
    return divide_up(a, b) * b;
}

/// Floats from one pixel or row to the next, so that 16-byte accesses are aligned.
[[nodiscard]] constexpr std::int64_t padded_channels(std::int64_t channels) {
    return round_up(channels, 4);
}

// ---- Matrix products

constexpr int kTileRows = 128;  // of a block

/// A float32 weight [columns, channels, taps] as [depth][stride], zeros where there is nothing.
struct PackedExtent {
    std::int64_t depth, stride;
    [[nodiscard]] constexpr std::int64_t padded_depth() const { return depth; }
    [[nodiscard]] constexpr std::int64_t padded_columns() const { return stride; }
    [[nodiscard]] constexpr std::int64_t bytes() const { return depth * stride * 4; }
};
[[nodiscard]] constexpr PackedExtent packed_extent(std::int64_t columns, std::int64_t channels, std::int64_t taps) {
    return {round_up(taps * padded_channels(channels), 16), round_up(columns, 64)};
}

/// ⌊k / d⌋ as the upper half of k · magic: right for k · d < 2^32.
[[nodiscard]] constexpr std::uint64_t division_magic(std::uint32_t d) {
    return ((std::uint64_t{1} << 32) + d - 1) / d;
}

// ---- Chunks: what lies between the steps of an operator has to fit the workspace.

/// Of the largest buffers together. Only tests change it, so that small pictures are cut too.
inline std::int64_t chunk_bytes = std::int64_t{128} << 20;

/// Items (rows, windows) at a time, at least one.
[[nodiscard]] inline std::int64_t items_at_once(std::int64_t items, std::int64_t bytes_per_item) {
    return std::clamp<std::int64_t>(chunk_bytes / std::max<std::int64_t>(1, bytes_per_item), 1,
                                    std::max<std::int64_t>(1, items));
}

/// Whole pictures, or a band of rows of one picture with the rows around it that its results depend on.
struct Band {
    std::int64_t first_picture, pictures;
    std::int64_t first_row, rows;        ///< of the result
    std::int64_t first_read, read_rows;  ///< with the halo, inside of the picture
};

/// Pictures [n, h, w] cut into bands.
struct Bands {
    std::int64_t n, h, w, halo;
    std::int64_t pictures = 1;  ///< at a time, where a picture fits whole
    std::int64_t rows = 1;      ///< of a band

    /// `step`: rows of a band are a multiple of it, but for the last band.
    static Bands choose(std::int64_t n, std::int64_t h, std::int64_t w, std::int64_t halo, std::int64_t bytes_per_pixel,
                        std::int64_t step = 1) {
        Bands b{n, h, w, halo};
        std::int64_t const row_bytes = std::max<std::int64_t>(1, w * bytes_per_pixel);
        std::int64_t const fitting = chunk_bytes / row_bytes;  // rows
        if (fitting >= h) {
            b.rows = std::max<std::int64_t>(1, h);
            b.pictures = std::clamp<std::int64_t>(fitting / b.rows, 1, std::max<std::int64_t>(1, n));
        } else {
            b.rows = std::max(step, (fitting - 2 * halo) / step * step);
        }
        return b;
    }
    [[nodiscard]] constexpr bool is_cut() const { return rows < h; }
    [[nodiscard]] constexpr std::int64_t per_picture() const { return divide_up(h, rows); }
    [[nodiscard]] constexpr std::int64_t count() const { return divide_up(n, pictures) * per_picture(); }
    [[nodiscard]] constexpr Band operator[](std::int64_t index) const {
        Band band{};
        band.first_picture = index / per_picture() * pictures;
        band.pictures = std::min(pictures, n - band.first_picture);
        band.first_row = index % per_picture() * rows;
        band.rows = std::min(rows, h - band.first_row);
        band.first_read = std::max<std::int64_t>(0, band.first_row - halo);
        band.read_rows = std::min(h, band.first_row + band.rows + halo) - band.first_read;
        return band;
    }
    /// Pixels of the largest band, its halo counted whether or not the picture ends there.
    [[nodiscard]] constexpr std::int64_t most_pixels() const { return pictures * (rows + 2 * halo) * w; }
};

// ---- Attention

/// Channels of a head for which there is code, or 0.
[[nodiscard]] constexpr int attention_dim(std::int64_t dim) {
    for (int const compiled : {16, 32, 64, 128}) {
        if (dim <= compiled) return compiled;
    }
    return 0;
}

/// One thread per query of a window, whole warps, at most 256.
[[nodiscard]] constexpr int attention_threads(std::int64_t queries) {
    return static_cast<int>(std::clamp<std::int64_t>(round_up(queries, 32), 32, 256));
}

}  // namespace vitrum::cuda
