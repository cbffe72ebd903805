// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "vitrum/export.h"
#include "vitrum/image.h"

namespace vitrum {

/// A picture with a spectrum at every pixel: float32 [height, width, bands], packed, the top row first.
class VITRUM_API Cube {
public:
    Cube() = default;
    /// Zeros; one band for each wavelength (nm). Throws Error (out_of_memory) where the memory cannot be had.
    Cube(std::int64_t height, std::int64_t width, std::vector<double> wavelengths);

    [[nodiscard]] std::int64_t height() const { return height_; }
    [[nodiscard]] std::int64_t width() const { return width_; }
    [[nodiscard]] std::int64_t bands() const { return static_cast<std::int64_t>(wavelengths_.size()); }
    /// Of each band, in nm, ascending.
    [[nodiscard]] std::vector<double> const& wavelengths() const { return wavelengths_; }

    [[nodiscard]] std::span<float> values() { return values_; }
    [[nodiscard]] std::span<float const> values() const { return values_; }
    /// The bands of one pixel.
    [[nodiscard]] std::span<float const> at(std::int64_t x, std::int64_t y) const {
        return values().subspan(static_cast<std::size_t>((y * width_ + x) * bands()), wavelengths_.size());
    }

private:
    std::int64_t height_ = 0, width_ = 0;
    std::vector<double> wavelengths_;
    std::vector<float> values_;
};

enum class CubeFormat : std::uint8_t { envi, mat, npy, tiff };

/// The format that a path's extension stands for: .hdr, .mat, .npy, .tif. Throws Error (usage) for any other;
/// for a picture format the text says that it cannot hold the bands.
[[nodiscard]] VITRUM_API CubeFormat cube_format_of_path(std::filesystem::path const& path);

/// Writes all bands as float32, whole or not at all:
///   .hdr  an ENVI header with wavelengths; the numbers beside it as .img, band after band (BSQ)
///   .mat  MATLAB 7.3 with `cube` [height, width, bands] and `bands`, the wavelengths
///   .npy  [height, width, bands]
///   .tif  a page for each band, uncompressed; wavelengths in the image description
/// `description` says where the cube came from; ENVI and TIFF keep it. Returns the files written.
VITRUM_API std::vector<std::filesystem::path> save_cube(Cube const& cube, std::filesystem::path const& path,
                                                        std::string const& description = {});

/// One band as a grey 8-bit picture: 0 is black, 1 is white, linear between.
[[nodiscard]] VITRUM_API Image band_image(Cube const& cube, std::int64_t band);

/// The cube as the eye would see it, in 8-bit sRGB: reflectances under daylight (CIE D65) through the CIE 1931
/// colour matching functions. A flat spectrum of 1 is white.
[[nodiscard]] VITRUM_API Image render_srgb(Cube const& cube);

/// A part of a cube, in pixels; of one pixel where width and height are 1.
struct CubeBox {
    std::int64_t x = 0, y = 0, width = 1, height = 1;
};

/// The spectrum of a box: mean and standard deviation of every band over its pixels.
struct Spectrum {
    CubeBox box;
    std::vector<double> mean, deviation;
};

/// Throws Error (usage) where the box is empty or reaches outside.
[[nodiscard]] VITRUM_API Spectrum spectrum_of(Cube const& cube, CubeBox const& box);

/// A row for each wavelength; a column for the mean of each spectrum, and one for the deviation of each box.
VITRUM_API void save_spectra_csv(std::span<double const> wavelengths, std::span<Spectrum const> spectra,
                                 std::filesystem::path const& path);
/// A diagram, as SVG or PNG by the extension: a line for each spectrum, with a band of one standard deviation
/// around those of boxes.
VITRUM_API void save_spectra_plot(std::span<double const> wavelengths, std::span<Spectrum const> spectra,
                                  std::filesystem::path const& path);

}  // namespace vitrum
