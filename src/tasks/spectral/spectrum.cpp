// SPDX-License-Identifier: Apache-2.0
#include "spectrum.h"

#include <algorithm>
#include <cmath>

#include "base/atomic_file.h"
#include "base/check.h"

namespace vitrum {

Spectrum spectrum_of(Cube const& cube, CubeBox const& box) {
    bool const inside = box.x >= 0 && box.y >= 0 && box.width > 0 && box.height > 0 && box.x < cube.width() &&
                        box.y < cube.height() && box.width <= cube.width() - box.x &&
                        box.height <= cube.height() - box.y;
    if (!inside) {
        fail_as(ErrorKind::usage, "{}×{} pixels at ({}, {}) do not lie inside the cube of {}×{}", box.width, box.height,
                box.x, box.y, cube.width(), cube.height());
    }
    auto const bands = static_cast<std::size_t>(cube.bands());
    Spectrum spectrum{box, std::vector<double>(bands), std::vector<double>(bands)};
    auto const for_each_pixel = [&](auto const& body) {
        for (std::int64_t y = box.y; y < box.y + box.height; ++y) {
            for (std::int64_t x = box.x; x < box.x + box.width; ++x) body(cube.at(x, y));
        }
    };
    auto const pixels = static_cast<double>(box.width * box.height);
    for_each_pixel([&](std::span<float const> values) {
        for (std::size_t i = 0; i < bands; ++i) spectrum.mean[i] += static_cast<double>(values[i]);
    });
    for (double& mean : spectrum.mean) mean /= pixels;
    for_each_pixel([&](std::span<float const> values) {
        for (std::size_t i = 0; i < bands; ++i) {
            double const off = static_cast<double>(values[i]) - spectrum.mean[i];
            spectrum.deviation[i] += off * off;
        }
    });
    for (double& deviation : spectrum.deviation) deviation = std::sqrt(deviation / pixels);
    return spectrum;
}

std::string label_of(CubeBox const& box) {
    if (box.width == 1 && box.height == 1) return fmt::format("({} {})", box.x, box.y);
    return fmt::format("({} {}) {}x{}", box.x, box.y, box.width, box.height);
}

void save_spectra_csv(std::span<double const> wavelengths, std::span<Spectrum const> spectra,
                      std::filesystem::path const& path) {
    std::string text = "wavelength_nm";
    for (Spectrum const& spectrum : spectra) {
        std::string const label = label_of(spectrum.box);
        text += fmt::format(",{}", label);
        if (has_deviation(spectrum)) text += fmt::format(",{} deviation", label);
    }
    text += "\n";
    for (std::size_t i = 0; i < wavelengths.size(); ++i) {
        text += fmt::format("{}", wavelengths[i]);
        for (Spectrum const& spectrum : spectra) {
            text += fmt::format(",{:.7g}", spectrum.mean[i]);
            if (has_deviation(spectrum)) text += fmt::format(",{:.7g}", spectrum.deviation[i]);
        }
        text += "\n";
    }
    AtomicFile file(path);
    file.write(std::as_bytes(std::span(text)));
    file.commit();
}

}  // namespace vitrum
