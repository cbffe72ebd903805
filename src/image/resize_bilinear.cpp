// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "base/check.h"
#include "image/resize.h"

namespace vitrum {
namespace {

// Pillow's fixed point: 8 bits of sample and 2 of head room beside the weights' bits.
constexpr int kWeightBits = 32 - 8 - 2;

/// For each output position a run of source positions and their weights, which sum to 1 << kWeightBits but for
/// rounding.
struct BilinearTaps {
    struct Run {
        std::int64_t first, count;
        std::size_t weights;
    };
    std::vector<Run> runs;
    std::vector<std::int32_t> weights;
};

BilinearTaps make_bilinear_taps(std::int64_t from, std::int64_t to) {
    double const scale = static_cast<double>(from) / static_cast<double>(to);
    double const reach = std::max(scale, 1.0);
    BilinearTaps taps;
    std::vector<double> weights;
    for (std::int64_t i = 0; i < to; ++i) {
        double const centre = (static_cast<double>(i) + 0.5) * scale;
        auto const first = std::max<std::int64_t>(static_cast<std::int64_t>(centre - reach + 0.5), 0);
        auto const last = std::min<std::int64_t>(static_cast<std::int64_t>(centre + reach + 0.5), from);
        taps.runs.push_back({first, last - first, taps.weights.size()});
        weights.clear();
        double sum = 0;
        for (std::int64_t k = first; k < last; ++k) {
            double const distance = std::abs(static_cast<double>(k) - centre + 0.5) * (1 / reach);
            weights.push_back(distance < 1 ? 1 - distance : 0);
            sum += weights.back();
        }
        for (double const weight : weights) {
            taps.weights.push_back(static_cast<std::int32_t>(0.5 + weight / sum * (1 << kWeightBits)));
        }
    }
    return taps;
}

std::uint8_t rounded(std::int32_t sum) {
    return static_cast<std::uint8_t>(std::clamp(sum >> kWeightBits, 0, 255));
}

constexpr std::int32_t kHalf = 1 << (kWeightBits - 1);

Image resize_rows(Image const& image, std::int64_t width) {
    BilinearTaps const taps = make_bilinear_taps(image.width(), width);
    Image resized(width, image.height(), image.channels(), SampleType::u8);
    int const channels = image.channels();
    for (std::int64_t y = 0; y < image.height(); ++y) {
        auto const* const from = image.row<std::uint8_t>(y);
        auto* to = resized.row<std::uint8_t>(y);
        for (BilinearTaps::Run const& run : taps.runs) {
            for (int c = 0; c < channels; ++c) {
                std::int32_t sum = kHalf;
                for (std::int64_t k = 0; k < run.count; ++k) {
                    sum +=
                        from[(run.first + k) * channels + c] * taps.weights[run.weights + static_cast<std::size_t>(k)];
                }
                *to++ = rounded(sum);
            }
        }
    }
    return resized;
}

Image resize_columns(Image const& image, std::int64_t height) {
    BilinearTaps const taps = make_bilinear_taps(image.height(), height);
    Image resized(image.width(), height, image.channels(), SampleType::u8);
    std::vector<std::int32_t> sums(static_cast<std::size_t>(image.width() * image.channels()));
    for (std::int64_t y = 0; y < height; ++y) {
        BilinearTaps::Run const& run = taps.runs[static_cast<std::size_t>(y)];
        std::ranges::fill(sums, kHalf);
        for (std::int64_t k = 0; k < run.count; ++k) {
            auto const* const from = image.row<std::uint8_t>(run.first + k);
            std::int32_t const weight = taps.weights[run.weights + static_cast<std::size_t>(k)];
            for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += from[i] * weight;
        }
        std::ranges::transform(sums, resized.row<std::uint8_t>(y), rounded);
    }
    return resized;
}

}  // namespace

Image resize_bilinear(Image const& image, std::int64_t width, std::int64_t height) {
    VITRUM_ASSERT(!image.empty() && image.type() == SampleType::u8);
    // A side that keeps its length gets no pass, as in Pillow; rows come first.
    Image wide;
    if (image.width() != width) wide = resize_rows(image, width);
    Image const& rows = wide.empty() ? image : wide;
    if (image.height() != height) return resize_columns(rows, height);
    if (!wide.empty()) return wide;
    Image copy = image.clone();
    copy.drop_alpha();
    copy.metadata = {};
    return copy;
}

}  // namespace vitrum
