// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "vitrum/image.h"

namespace vitrum {

/// A part of a picture, in pixels. It must lie inside.
struct Region {
    std::int64_t x = 0, y = 0, width = 0, height = 0;
};

[[nodiscard]] inline Region whole(Image const& image) {
    return {0, 0, image.width(), image.height()};
}

/// Colour of a region as float: `channels` (1 or 3) values per pixel, `stride` floats from one pixel to the
/// next, rows packed; what lies between channels and stride is left alone. Integer samples become [0, 1], f32
/// stays as it is. Grey is repeated into RGB; RGB becomes grey by the luma of BT.601.
void colour_to_float(Image const& image, Region const& region, int channels, std::int64_t stride, float* to);

/// The reverse: writes a region's colour from floats with image.channels() values per pixel. Integer samples
/// are clamped and rounded half up. Returns how many values were NaN or infinite; an integer sample becomes
/// 0 for them, an f32 sample keeps them.
[[nodiscard]] std::int64_t colour_from_float(float const* from, std::int64_t stride, Region const& region,
                                             Image& image);

/// Another sample type, full scale to full scale; to integers clamped and rounded half up.
[[nodiscard]] Image convert_samples(Image const& image, SampleType type);

/// RGB from grey by repetition, or grey from RGB by the luma of BT.601.
[[nodiscard]] Image convert_channels(Image const& image, int channels);

/// Composes over white and drops alpha. Does nothing without alpha.
void flatten_on_white(Image& image);

/// Gives fully transparent pixels the colour of the visible ones around them, so that a network or a filter
/// that mixes neighbours draws no dark or tinted fringe along transparent edges. Visible pixels and alpha
/// stay as they are.
void bleed_colour_under_alpha(Image& image);

}  // namespace vitrum
