// SPDX-License-Identifier: Apache-2.0
#include "image/convert.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "sample_rows.h"
#include "samples.h"

namespace vitrum {
namespace {

using image::kWhite;
using image::luma;
using image::to_sample;

void check_region(Image const& image, Region const& region) {
    VITRUM_ASSERT(region.x >= 0 && region.y >= 0 && region.width >= 0 && region.height >= 0);
    VITRUM_ASSERT(region.x + region.width <= image.width() && region.y + region.height <= image.height());
}

/// Divided, not multiplied by a reciprocal: the quotient is what a reference reader computes.
template <class T>
float unit(T sample) {
    return static_cast<float>(sample) / kWhite<T>;
}

template <class T>
void row_to_float(T const* from, int from_channels, std::int64_t width, int channels, std::int64_t stride, float* to) {
    if (channels == from_channels && stride == channels) {  // one loop, which becomes vectors
        for (std::int64_t i = 0; i < width * channels; ++i) to[i] = unit(from[i]);
        return;
    }
    for (std::int64_t x = 0; x < width; ++x, from += from_channels, to += stride) {
        if (channels == from_channels) {
            for (int c = 0; c < channels; ++c) to[c] = unit(from[c]);
        } else if (channels == 3) {
            to[0] = to[1] = to[2] = unit(from[0]);
        } else {
            to[0] = luma(unit(from[0]), unit(from[1]), unit(from[2]));
        }
    }
}

/// Returns how many values are NaN or infinite.
template <class T>
std::int64_t row_from_float(float const* from, std::int64_t count, T* to) {
    if constexpr (std::is_integral_v<T>) {
        return image::samples_from_float(from, count, to);
    } else {
        std::copy_n(from, count, to);
        return std::count_if(to, to + count, [](float value) { return !std::isfinite(value); });
    }
}

template <class From, class To>
void convert_plane(std::span<std::byte const> from, std::span<std::byte> to) {
    auto const* source = reinterpret_cast<From const*>(from.data());
    auto* target = reinterpret_cast<To*>(to.data());
    for (std::size_t i = 0; i < from.size() / sizeof(From); ++i) {
        target[i] = to_sample<To>(static_cast<float>(source[i]) * kWhite<To> / kWhite<From>);
    }
}

template <class T>
void flatten_rows(Image& image) {
    int const channels = image.channels();
    for (std::int64_t y = 0; y < image.height(); ++y) {
        T* colour = image.row<T>(y);
        T const* const alpha = image.alpha_row<T>(y);
        for (std::int64_t x = 0; x < image.width(); ++x) {
            float const opacity = static_cast<float>(alpha[x]) / kWhite<T>;
            for (int c = 0; c < channels; ++c, ++colour) {
                *colour = to_sample<T>(static_cast<float>(*colour) * opacity + kWhite<T> * (1 - opacity));
            }
        }
    }
}

}  // namespace

void colour_to_float(Image const& image, Region const& region, int channels, std::int64_t stride, float* to) {
    check_region(image, region);
    VITRUM_ASSERT((channels == 1 || channels == 3) && stride >= channels);
    visit_samples(image.type(), [&]<class T>(T) {
        for (std::int64_t y = 0; y < region.height; ++y) {
            row_to_float(image.row<T>(region.y + y) + region.x * image.channels(), image.channels(), region.width,
                         channels, stride, to + y * region.width * stride);
        }
    });
}

std::int64_t colour_from_float(float const* from, std::int64_t stride, Region const& region, Image& image) {
    check_region(image, region);
    VITRUM_ASSERT(stride >= image.channels());
    std::int64_t not_finite = 0;
    int const channels = image.channels();
    visit_samples(image.type(), [&]<class T>(T) {
        for (std::int64_t y = 0; y < region.height; ++y) {
            T* row = image.row<T>(region.y + y) + region.x * channels;
            bool const is_packed = stride == channels;
            std::int64_t const at_once = is_packed ? region.width : 1;
            for (std::int64_t x = 0; x < region.width;
                 x += at_once, from += at_once * stride, row += at_once * channels) {
                not_finite += row_from_float(from, at_once * channels, row);
            }
        }
    });
    return not_finite;
}

Image convert_samples(Image const& image, SampleType type) {
    if (type == image.type()) return image.clone();
    Image converted(image.width(), image.height(), image.channels(), type, image.has_alpha());
    visit_samples(image.type(), [&]<class From>(From) {
        visit_samples(type, [&]<class To>(To) {
            convert_plane<From, To>(image.colour_bytes(), converted.colour_bytes());
            convert_plane<From, To>(image.alpha_bytes(), converted.alpha_bytes());
        });
    });
    converted.metadata = image.metadata;
    return converted;
}

Image convert_channels(Image const& image, int channels) {
    if (channels == image.channels()) return image.clone();
    Image converted(image.width(), image.height(), channels, image.type(), image.has_alpha());
    visit_samples(image.type(), [&]<class T>(T) {
        for (std::int64_t y = 0; y < image.height(); ++y) {
            T const* from = image.row<T>(y);
            T* to = converted.row<T>(y);
            for (std::int64_t x = 0; x < image.width(); ++x, from += image.channels(), to += channels) {
                if (channels == 3) {
                    to[0] = to[1] = to[2] = from[0];
                } else {
                    to[0] = to_sample<T>(
                        luma(static_cast<float>(from[0]), static_cast<float>(from[1]), static_cast<float>(from[2])));
                }
            }
        }
    });
    std::ranges::copy(image.alpha_bytes(), converted.alpha_bytes().begin());
    converted.metadata = image.metadata;
    return converted;
}

void flatten_on_white(Image& image) {
    if (!image.has_alpha()) return;
    visit_samples(image.type(), [&]<class T>(T) { flatten_rows<T>(image); });
    image.drop_alpha();
}

}  // namespace vitrum
