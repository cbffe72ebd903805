// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "base/check.h"
#include "samples.h"
#include "vitrum/image.h"

namespace vitrum {
namespace {

using image::to_sample;

double cubic(double x) {
    x = std::abs(x);
    if (x <= 1) return (1.5 * x - 2.5) * x * x + 1;
    if (x < 2) return ((-0.5 * x + 2.5) * x - 4) * x + 2;
    return 0;
}

// For each output position the same number of source positions and weights.
struct Taps {
    std::size_t count = 0;
    std::vector<std::int64_t> source;
    std::vector<float> weight;
};

std::int64_t mirrored(std::int64_t i, std::int64_t size) {
    i %= 2 * size;
    if (i < 0) i += 2 * size;
    return i < size ? i : 2 * size - 1 - i;
}

Taps make_taps(std::int64_t from, std::int64_t to) {
    double const scale = static_cast<double>(to) / static_cast<double>(from);
    double const sharpness = std::min(scale, 1.0);  // a wider kernel when shrinking
    double const reach = 2 / sharpness;
    Taps taps;
    taps.count = static_cast<std::size_t>(std::ceil(2 * reach)) + 1;
    taps.source.reserve(taps.count * static_cast<std::size_t>(to));
    taps.weight.reserve(taps.count * static_cast<std::size_t>(to));
    for (std::int64_t i = 0; i < to; ++i) {
        double const centre = (static_cast<double>(i) + 0.5) / scale - 0.5;
        auto const first = static_cast<std::int64_t>(std::ceil(centre - reach));
        double sum = 0;
        std::vector<double> weights(taps.count);
        for (std::size_t k = 0; k < taps.count; ++k) {
            weights[k] = cubic((centre - static_cast<double>(first + static_cast<std::int64_t>(k))) * sharpness);
            sum += weights[k];
        }
        for (std::size_t k = 0; k < taps.count; ++k) {
            taps.source.push_back(mirrored(first + static_cast<std::int64_t>(k), from));
            taps.weight.push_back(static_cast<float>(weights[k] / sum));
        }
    }
    return taps;
}

// One plane of interleaved samples, first along columns (one output row at a time), then along the row, so
// that beside the two pictures only one row is in memory.
template <class T>
void resize_plane(T const* from, std::int64_t width, int channels, Taps const& across, Taps const& down,
                  std::int64_t new_width, std::int64_t new_height, T* to) {
    std::int64_t const row_samples = width * channels;
    std::vector<float> row(static_cast<std::size_t>(row_samples));
    for (std::int64_t y = 0; y < new_height; ++y) {
        std::ranges::fill(row, 0.F);
        for (std::size_t k = 0; k < down.count; ++k) {
            std::size_t const tap = static_cast<std::size_t>(y) * down.count + k;
            T const* const source = from + down.source[tap] * row_samples;
            float const weight = down.weight[tap];
            if (weight == 0) continue;
            for (std::int64_t i = 0; i < row_samples; ++i) row[i] += weight * static_cast<float>(source[i]);
        }
        // imresize keeps its samples' type between the passes, and so do we, to the bit.
        for (float& value : row) value = static_cast<float>(to_sample<T>(value));
        for (std::int64_t x = 0; x < new_width; ++x) {
            for (int c = 0; c < channels; ++c) {
                float sum = 0;
                for (std::size_t k = 0; k < across.count; ++k) {
                    std::size_t const tap = static_cast<std::size_t>(x) * across.count + k;
                    sum += across.weight[tap] * row[across.source[tap] * channels + c];
                }
                *to++ = to_sample<T>(sum);
            }
        }
    }
}

}  // namespace

Image resize_bicubic(Image const& image, std::int64_t width, std::int64_t height) {
    if (image.empty()) fail_as(ErrorKind::usage, "there is no picture to resize: it is empty");
    Image resized(width, height, image.channels(), image.type(), image.has_alpha());
    Taps const across = make_taps(image.width(), width);
    Taps const down = make_taps(image.height(), height);
    visit_samples(image.type(), [&]<class T>(T) {
        resize_plane(image.row<T>(0), image.width(), image.channels(), across, down, width, height, resized.row<T>(0));
        if (image.has_alpha()) {
            resize_plane(image.alpha_row<T>(0), image.width(), 1, across, down, width, height, resized.alpha_row<T>(0));
        }
    });
    resized.metadata = image.metadata;
    return resized;
}

}  // namespace vitrum
