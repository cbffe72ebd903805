// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <vector>

#include "image/convert.h"
#include "samples.h"

namespace vitrum {
namespace {

// One level of a box pyramid: per cell the mean colour of the visible pixels under it, and whether there are any.
struct Level {
    std::int64_t width = 0, height = 0;
    int channels = 0;
    std::vector<float> colour;
    std::vector<std::uint8_t> known;

    Level(std::int64_t w, std::int64_t h, int c)
        : width(w),
          height(h),
          channels(c),
          colour(static_cast<std::size_t>(w * h * c)),
          known(static_cast<std::size_t>(w * h)) {}

    [[nodiscard]] float* at(std::int64_t x, std::int64_t y) { return colour.data() + (y * width + x) * channels; }
    [[nodiscard]] std::uint8_t& known_at(std::int64_t x, std::int64_t y) {
        return known[static_cast<std::size_t>(y * width + x)];
    }
};

// Level zero is the picture itself, read in place: `sample(x, y)` points to a visible pixel's colour or is null.
template <class Sample>
Level halve(std::int64_t width, std::int64_t height, int channels, Sample const& sample) {
    Level level((width + 1) / 2, (height + 1) / 2, channels);
    for (std::int64_t y = 0; y < height; ++y) {
        for (std::int64_t x = 0; x < width; ++x) {
            auto const* const from = sample(x, y);
            if (from == nullptr) continue;
            auto& count = level.known_at(x / 2, y / 2);
            ++count;
            float* const mean = level.at(x / 2, y / 2);
            for (int c = 0; c < channels; ++c) mean[c] += (static_cast<float>(from[c]) - mean[c]) / count;
        }
    }
    return level;
}

bool has_gap(Level const& level) {
    return std::ranges::find(level.known, std::uint8_t{0}) != level.known.end();
}

void fill_gaps(Level& fine, Level& coarse) {
    for (std::int64_t y = 0; y < fine.height; ++y) {
        for (std::int64_t x = 0; x < fine.width; ++x) {
            if (fine.known_at(x, y) == 0) std::copy_n(coarse.at(x / 2, y / 2), fine.channels, fine.at(x, y));
        }
    }
}

template <class T>
void bleed(Image& image) {
    int const channels = image.channels();
    std::vector<Level> levels;
    levels.push_back(halve(image.width(), image.height(), channels, [&](std::int64_t x, std::int64_t y) {
        return image.alpha_row<T>(y)[x] > T{} ? image.row<T>(y) + x * channels : nullptr;
    }));
    while (has_gap(levels.back()) && (levels.back().width > 1 || levels.back().height > 1)) {
        Level& last = levels.back();
        levels.push_back(halve(last.width, last.height, channels, [&](std::int64_t x, std::int64_t y) {
            return last.known_at(x, y) != 0 ? last.at(x, y) : nullptr;
        }));
    }
    if (has_gap(levels.back())) return;  // nothing is visible anywhere
    for (std::size_t i = levels.size() - 1; i > 0; --i) fill_gaps(levels[i - 1], levels[i]);
    for (std::int64_t y = 0; y < image.height(); ++y) {
        for (std::int64_t x = 0; x < image.width(); ++x) {
            if (image.alpha_row<T>(y)[x] > T{}) continue;
            float const* const from = levels[0].at(x / 2, y / 2);
            T* const to = image.row<T>(y) + x * channels;
            for (int c = 0; c < channels; ++c) to[c] = image::to_sample<T>(from[c]);
        }
    }
}

template <class T>
bool has_invisible(Image const& image) {
    auto const bytes = image.alpha_bytes();
    auto const* const alpha = reinterpret_cast<T const*>(bytes.data());
    return std::any_of(alpha, alpha + bytes.size() / sizeof(T), [](T a) { return !(a > T{}); });
}

}  // namespace

void bleed_colour_under_alpha(Image& image) {
    if (!image.has_alpha()) return;
    visit_samples(image.type(), [&]<class T>(T) {
        if (has_invisible<T>(image)) bleed<T>(image);
    });
}

}  // namespace vitrum
