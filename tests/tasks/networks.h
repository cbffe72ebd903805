// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vitrum/engine.h"

namespace vitrum {

/// One 3×3 convolution that treats every channel alike and enlarges by repeating it at each sub-pixel, on the
/// scalar backend with one thread: small enough to know every pixel of its answer.
struct ConvNetwork {
    int channels = 3;
    int scale = 1;
    double value_range = 1;
    float centre = 1, around = 0;      ///< weight of the pixel itself, and of each of its eight neighbours
    bool mixes_whole_picture = false;  ///< what it says of itself
};

[[nodiscard]] Engine make_engine(ConvNetwork const& network);

/// RGB to 31 bands: band b of a pixel is gain · (b + 1) / 31 · the mean of its channels.
[[nodiscard]] Engine make_rgb_to_bands(float gain = 1, bool mixes_whole_picture = false);

/// A snapshot and its mask to 28 bands: what was moved back, plus the first columns of the moved mask.
[[nodiscard]] Engine make_snapshot_network();

/// Every pixel as it was.
inline constexpr ConvNetwork kIdentity{};
/// The mean of nine pixels.
inline constexpr ConvNetwork kBlur{.centre = 1.0F / 9, .around = 1.0F / 9};

}  // namespace vitrum
