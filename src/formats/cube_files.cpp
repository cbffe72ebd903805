// SPDX-License-Identifier: Apache-2.0
#include "formats/cube_files.h"

#include <algorithm>
#include <bit>
#include <system_error>
#include <vector>

#include "base/atomic_file.h"
#include "base/check.h"
#include "npy.h"

namespace vitrum {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers are written as they lie in memory");

/// https://www.nv5geospatialsoftware.com/docs/ENVIHeaderFiles.html
std::string envi_header(CubeView const& cube, std::string description) {
    std::erase_if(description, [](char c) { return c == '{' || c == '}' || c == '\n'; });
    constexpr int kFloat32 = 4, kLittleEndian = 0;
    std::string text = fmt::format(
        "ENVI\ndescription = {{{}}}\nsamples = {}\nlines = {}\nbands = {}\nheader offset = 0\n"
        "file type = ENVI Standard\ndata type = {}\ninterleave = bsq\nbyte order = {}\nwavelength units = Nanometers\n",
        description, cube.width, cube.height, cube.bands, kFloat32, kLittleEndian);
    std::string wavelengths, names;
    for (double const nm : cube.wavelengths) {
        wavelengths += fmt::format("{}{}", wavelengths.empty() ? "" : ", ", nm);
        names += fmt::format("{}{} nm", names.empty() ? "" : ", ", nm);
    }
    return text + fmt::format("wavelength = {{{}}}\nband names = {{{}}}\n", wavelengths, names);
}

}  // namespace

void write_npy(std::filesystem::path const& path, CubeView const& cube) {
    AtomicFile file(path);
    file.write(as_bytes(npy_header({cube.height, cube.width, cube.bands})));
    auto const count = static_cast<std::size_t>(cube.height * cube.width * cube.bands);
    file.write(std::as_bytes(std::span(cube.values, count)));
    file.commit();
}

std::filesystem::path envi_data_path(std::filesystem::path const& header) {
    return std::filesystem::path(header).replace_extension(".img");
}

void write_envi(std::filesystem::path const& path, CubeView const& cube, std::string const& description) {
    AtomicFile header(path), data(envi_data_path(path));
    header.write(as_bytes(envi_header(cube, description)));
    std::vector<float> band(static_cast<std::size_t>(cube.height * cube.width));
    for (std::int64_t b = 0; b < cube.bands; ++b) {
        cube.copy_band(b, band.data());
        data.write(std::as_bytes(std::span(band)));
    }
    std::error_code none_there;
    std::filesystem::remove(path, none_there);
    data.commit();
    header.commit();
}

}  // namespace vitrum
