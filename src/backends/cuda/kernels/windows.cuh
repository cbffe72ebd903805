// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "device.cuh"

// Windows of a rolled picture, found by address: nothing is moved.

namespace vitrum::cuda {

/// Pictures [h, w] extended right and bottom to whole windows, then rolled by (−shift, −shift).
struct Windows {
    std::int64_t h, w;          ///< of the picture
    std::int64_t down, across;  ///< windows of a picture
    int window, shift;

    Windows(std::int64_t h_, std::int64_t w_, int window_, int shift_)
        : h(h_), w(w_), down(divide_up(h_, window_)), across(divide_up(w_, window_)), window(window_), shift(shift_) {}

    [[nodiscard]] __host__ __device__ int tokens() const { return window * window; }
    [[nodiscard]] std::int64_t per_picture() const { return down * across; }

    /// Token t of window `index`, counted over all pictures, as a pixel; −1 outside of the picture.
    [[nodiscard]] __host__ __device__ std::int64_t pixel(std::int64_t index, int t) const {
        Place const at(index, down, across);
        std::int64_t row = at.row * window + t / window + shift;
        std::int64_t column = at.column * window + t % window + shift;
        if (row >= down * window) row -= down * window;
        if (column >= across * window) column -= across * window;
        return row < h && column < w ? (at.n * h + row) * w + column : -1;
    }
};

/// Row m of a buffer of windows as a pixel.
struct WindowRows {
    Windows windows;
    std::int64_t first_window;

    [[nodiscard]] __host__ __device__ std::int64_t operator()(std::int64_t m) const {
        Quotient const at = divide(m, windows.tokens());
        return windows.pixel(first_window + at.whole, static_cast<int>(at.rest));
    }
};

}  // namespace vitrum::cuda
