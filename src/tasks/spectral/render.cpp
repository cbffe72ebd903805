// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "vitrum/cube.h"

namespace vitrum {
namespace {

using Vector = std::array<double, 3>;

/// A bell with its own width to either side, in 1/nm.
double lobe(double nm, double centre, double below, double above) {
    double const t = (nm - centre) * (nm < centre ? below : above);
    return std::exp(-0.5 * t * t);
}

/// CIE 1931 2° colour matching functions: the multi-lobe fit of Wyman, Sloan and Shirley, "Simple Analytic
/// Approximations to the CIE XYZ Color Matching Functions", JCGT 2(2), 2013.
Vector colour_matching(double nm) {
    return {0.362 * lobe(nm, 442.0, 0.0624, 0.0374) + 1.056 * lobe(nm, 599.8, 0.0264, 0.0323) -
                0.065 * lobe(nm, 501.1, 0.0490, 0.0382),
            0.821 * lobe(nm, 568.8, 0.0213, 0.0247) + 0.286 * lobe(nm, 530.9, 0.0613, 0.0322),
            1.217 * lobe(nm, 437.0, 0.0845, 0.0278) + 0.681 * lobe(nm, 459.0, 0.0385, 0.0725)};
}

/// Relative power of CIE standard illuminant D65 (ISO 11664-2), 400 to 700 nm in steps of 10.
double daylight(double nm) {
    constexpr std::array kPower = {82.7549, 91.4860, 93.4318, 86.6823, 104.865, 117.008, 117.812, 114.861,
                                   115.923, 108.811, 109.354, 107.802, 104.790, 107.689, 104.405, 104.046,
                                   100.000, 96.3342, 95.7880, 88.6856, 90.0062, 89.5991, 87.6987, 83.2886,
                                   83.6992, 80.0268, 80.2146, 82.2778, 78.2842, 69.7213, 71.6091};
    double const at = std::clamp((nm - 400) / 10, 0.0, static_cast<double>(kPower.size() - 1));
    auto const below = std::min(static_cast<std::size_t>(at), kPower.size() - 2);
    return std::lerp(kPower[below], kPower[below + 1], at - static_cast<double>(below));
}

/// The nanometres that each band stands for: half the way to either neighbour.
double band_width(std::vector<double> const& nm, std::size_t i) {
    if (nm.size() == 1) return 1;
    if (i == 0) return nm[1] - nm[0];
    if (i + 1 == nm.size()) return nm[i] - nm[i - 1];
    return (nm[i + 1] - nm[i - 1]) / 2;
}

/// What each band adds to linear sRGB. The sums over all bands are one, so that a flat spectrum is white even
/// where the bands do not cover all that the eye sees.
std::vector<Vector> rgb_weights(std::vector<double> const& wavelengths) {
    constexpr Vector kWhite = {0.95047, 1.0, 1.08883};  // XYZ of D65
    constexpr std::array<Vector, 3> kRgbOfXyz = {
        {{3.2404542, -1.5371385, -0.4985314}, {-0.9692660, 1.8760108, 0.0415560}, {0.0556434, -0.2040259, 1.0572252}}};
    std::vector<Vector> xyz(wavelengths.size());
    Vector sum{};
    for (std::size_t band = 0; band < wavelengths.size(); ++band) {
        Vector const matching = colour_matching(wavelengths[band]);
        for (std::size_t i = 0; i < 3; ++i) {
            xyz[band][i] = matching[i] * daylight(wavelengths[band]) * band_width(wavelengths, band);
            sum[i] += xyz[band][i];
        }
    }
    std::vector<Vector> rgb(wavelengths.size());
    for (std::size_t band = 0; band < wavelengths.size(); ++band) {
        for (std::size_t c = 0; c < 3; ++c) {
            for (std::size_t i = 0; i < 3; ++i) rgb[band][c] += kRgbOfXyz[c][i] * xyz[band][i] * kWhite[i] / sum[i];
        }
    }
    return rgb;
}

std::uint8_t encode_srgb(double linear) {
    double const v = std::clamp(linear, 0.0, 1.0);
    double const encoded = v <= 0.0031308 ? 12.92 * v : 1.055 * std::pow(v, 1 / 2.4) - 0.055;
    return static_cast<std::uint8_t>(encoded * 255 + 0.5);
}

}  // namespace

Image render_srgb(Cube const& cube) {
    std::vector<Vector> const weights = rgb_weights(cube.wavelengths());
    Image image(cube.width(), cube.height(), 3, SampleType::u8);
    auto* to = image.row<std::uint8_t>(0);
    for (std::int64_t y = 0; y < cube.height(); ++y) {
        for (std::int64_t x = 0; x < cube.width(); ++x) {
            auto const spectrum = cube.at(x, y);
            Vector rgb{};
            for (std::size_t band = 0; band < spectrum.size(); ++band) {
                for (std::size_t c = 0; c < 3; ++c) rgb[c] += weights[band][c] * static_cast<double>(spectrum[band]);
            }
            for (double const channel : rgb) *to++ = encode_srgb(channel);
        }
    }
    return image;
}

}  // namespace vitrum
