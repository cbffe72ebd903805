// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace vitrum {

/// A spectral cube that somebody else owns: [height, width, bands] packed, the wavelength of each band in nm.
struct CubeView {
    float const* values;
    std::int64_t height, width, bands;
    std::span<double const> wavelengths;

    /// One band as a picture of its own.
    void copy_band(std::int64_t band, float* to) const {
        for (std::int64_t i = 0; i < height * width; ++i) to[i] = values[i * bands + band];
    }
};

// Each appears whole or not at all.

/// float32 [height, width, bands].
void write_npy(std::filesystem::path const& path, CubeView const& cube);

/// ENVI: `path` is the header (.hdr); the numbers go beside it with the extension .img, band after band (BSQ),
/// which viewers show without seeking and numpy.fromfile(…).reshape(bands, height, width) reads. The header comes
/// last and an older one is removed first, so that no header ever stands beside another cube's numbers.
void write_envi(std::filesystem::path const& path, CubeView const& cube, std::string const& description);

/// The file of the numbers beside an ENVI header.
[[nodiscard]] std::filesystem::path envi_data_path(std::filesystem::path const& header);

/// MATLAB 7.3 (HDF5) with the variables of the ARAD and NTIRE files: `cube`, single [height, width, bands], and
/// `bands`, the wavelengths in nm, double [1, bands].
void write_mat(std::filesystem::path const& path, CubeView const& cube);

}  // namespace vitrum
