// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "base/check.h"
#include "image/convert.h"
#include "vitrum/measure.h"

namespace vitrum {
namespace {

constexpr std::int64_t kWindow = 11;

/// One channel as numbers, the border already cut off.
struct Plane {
    std::int64_t width, height;
    std::vector<double> values;
};

Plane luma(Image const& image, int border) {
    Plane plane{image.width() - 2 * border, image.height() - 2 * border, {}};
    plane.values.reserve(static_cast<std::size_t>(plane.width * plane.height));
    int const channels = image.channels();
    for (std::int64_t y = border; y < image.height() - border; ++y) {
        std::uint8_t const* pixel = image.row<std::uint8_t>(y) + border * channels;
        for (std::int64_t x = 0; x < plane.width; ++x, pixel += channels) {
            double const y601 =
                (65.481 * pixel[0] + 128.553 * pixel[1 % channels] + 24.966 * pixel[2 % channels]) / 255;
            plane.values.push_back(channels == 1 ? pixel[0] : y601 + 16);
        }
    }
    return plane;
}

double psnr_db(double squares, double count) {
    return 10 * std::log10(255.0 * 255.0 / (squares / count));
}

double psnr_of(Plane const& a, Plane const& b) {
    double squares = 0;
    for (std::size_t i = 0; i < a.values.size(); ++i) {
        squares += (a.values[i] - b.values[i]) * (a.values[i] - b.values[i]);
    }
    return psnr_db(squares, static_cast<double>(a.values.size()));
}

double psnr_of_samples(Image const& a, Image const& b, int border) {
    std::int64_t const first = border * a.channels(), last = (a.width() - border) * a.channels();
    double squares = 0;
    for (std::int64_t y = border; y < a.height() - border; ++y) {
        for (std::int64_t i = first; i < last; ++i) {
            int const error = a.row<std::uint8_t>(y)[i] - b.row<std::uint8_t>(y)[i];
            squares += error * error;
        }
    }
    return psnr_db(squares, static_cast<double>((last - first) * (a.height() - 2 * border)));
}

std::array<double, kWindow> gaussian() {
    std::array<double, kWindow> weights{};
    double sum = 0;
    for (std::int64_t i = 0; i < kWindow; ++i) {
        double const distance = static_cast<double>(i - kWindow / 2);
        sum += weights[static_cast<std::size_t>(i)] = std::exp(-distance * distance / (2 * 1.5 * 1.5));
    }
    for (double& weight : weights) weight /= sum;
    return weights;
}

/// The product of two planes, averaged over every window that lies fully inside.
Plane windowed_mean(Plane const& a, Plane const* b) {
    static std::array<double, kWindow> const weights = gaussian();
    std::int64_t const width = a.width - kWindow + 1, height = a.height - kWindow + 1;
    std::vector<double> rows(static_cast<std::size_t>(width * a.height));
    for (std::int64_t y = 0; y < a.height; ++y) {
        for (std::int64_t x = 0; x < width; ++x) {
            double sum = 0;
            for (std::int64_t k = 0; k < kWindow; ++k) {
                std::size_t const i = static_cast<std::size_t>(y * a.width + x + k);
                sum += weights[static_cast<std::size_t>(k)] * a.values[i] * (b != nullptr ? b->values[i] : 1.0);
            }
            rows[static_cast<std::size_t>(y * width + x)] = sum;
        }
    }
    Plane mean{width, height, std::vector<double>(static_cast<std::size_t>(width * height))};
    for (std::int64_t i = 0; i < width * height; ++i) {
        for (std::int64_t k = 0; k < kWindow; ++k) {
            mean.values[static_cast<std::size_t>(i)] +=
                weights[static_cast<std::size_t>(k)] * rows[static_cast<std::size_t>(i + k * width)];
        }
    }
    return mean;
}

double ssim_of(Plane const& a, Plane const& b) {
    constexpr double c1 = (0.01 * 255) * (0.01 * 255), c2 = (0.03 * 255) * (0.03 * 255);
    Plane const mean_a = windowed_mean(a, nullptr), mean_b = windowed_mean(b, nullptr);
    Plane const aa = windowed_mean(a, &a), bb = windowed_mean(b, &b), ab = windowed_mean(a, &b);
    double sum = 0;
    for (std::size_t i = 0; i < ab.values.size(); ++i) {
        double const ma = mean_a.values[i], mb = mean_b.values[i];
        double const variances = aa.values[i] - ma * ma + bb.values[i] - mb * mb;
        double const covariance = ab.values[i] - ma * mb;
        sum += (2 * ma * mb + c1) * (2 * covariance + c2) / ((ma * ma + mb * mb + c1) * (variances + c2));
    }
    return sum / static_cast<double>(ab.values.size());
}

}  // namespace

PictureQuality compare_pictures(Image const& picture, Image const& reference, int border) {
    if (picture.width() != reference.width() || picture.height() != reference.height()) {
        fail("the pictures differ in size: {}×{} and {}×{}", picture.width(), picture.height(), reference.width(),
             reference.height());
    }
    if (std::min(picture.width(), picture.height()) - 2 * border < kWindow) {
        fail("a picture of {}×{} pixels is too small to measure: {} are needed inside a border of {}", picture.width(),
             picture.height(), kWindow, border);
    }
    int const channels = std::max(picture.channels(), reference.channels());
    Image const a = convert_channels(convert_samples(picture, SampleType::u8), channels);
    Image const b = convert_channels(convert_samples(reference, SampleType::u8), channels);
    Plane const ya = luma(a, border), yb = luma(b, border);
    return {psnr_of(ya, yb), psnr_of_samples(a, b, border), ssim_of(ya, yb)};
}

}  // namespace vitrum
