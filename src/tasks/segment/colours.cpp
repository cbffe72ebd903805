// SPDX-License-Identifier: Apache-2.0
#include "colours.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>

namespace vitrum {
namespace {

struct Oklch {
    double lightness, chroma, hue;
};

constexpr std::array<Oklch, 3> kRings = {Oklch{0.72, 0.17, 0}, {0.58, 0.20, 15}, {0.84, 0.13, 30}};

std::uint8_t encoded(double linear) {
    double const clipped = std::clamp(linear, 0.0, 1.0);
    double const value = clipped <= 0.0031308 ? 12.92 * clipped : 1.055 * std::pow(clipped, 1 / 2.4) - 0.055;
    return static_cast<std::uint8_t>(std::lround(value * 255));
}

/// Squared distance in OKLab.
double apart(Oklch const& a, Oklch const& b) {
    double const turn = (a.hue - b.hue) * std::numbers::pi / 180;
    double const l = a.lightness - b.lightness;
    return l * l + a.chroma * a.chroma + b.chroma * b.chroma - 2 * a.chroma * b.chroma * std::cos(turn);
}

}  // namespace

Rgb from_oklch(double lightness, double chroma, double hue) {
    double const turn = hue * std::numbers::pi / 180;
    double const a = chroma * std::cos(turn), b = chroma * std::sin(turn);
    double const l = std::pow(lightness + 0.3963377774 * a + 0.2158037573 * b, 3);
    double const m = std::pow(lightness - 0.1055613458 * a - 0.0638541728 * b, 3);
    double const s = std::pow(lightness - 0.0894841775 * a - 1.2914855480 * b, 3);
    return {encoded(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
            encoded(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
            encoded(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s)};
}

std::vector<Rgb> class_colours(std::size_t count) {
    constexpr double kGoldenAngle = 137.50776405;
    std::vector<Rgb> colours;
    for (std::size_t i = 0; i < count; ++i) {
        Oklch const& ring = kRings[i % kRings.size()];
        colours.push_back(from_oklch(ring.lightness, ring.chroma, static_cast<double>(i) * kGoldenAngle));
    }
    return colours;
}

std::vector<Rgb> distinct_colours(std::size_t count) {
    constexpr int kHues = 24;
    std::vector<Oklch> free;
    for (Oklch const& ring : kRings) {
        for (int i = 0; i < kHues; ++i) free.push_back({ring.lightness, ring.chroma, ring.hue + i * 360.0 / kHues});
    }
    std::vector<double> distance(free.size(), std::numeric_limits<double>::max());
    std::vector<Rgb> colours;
    for (std::size_t next = 0; colours.size() < std::min(count, free.size());) {
        Oklch const taken = free[next];
        colours.push_back(from_oklch(taken.lightness, taken.chroma, taken.hue));
        for (std::size_t i = 0; i < free.size(); ++i) distance[i] = std::min(distance[i], apart(free[i], taken));
        next = static_cast<std::size_t>(std::ranges::max_element(distance) - distance.begin());
    }
    while (colours.size() < count) colours.push_back(colours[colours.size() - free.size()]);
    return colours;
}

}  // namespace vitrum
