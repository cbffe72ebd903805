// SPDX-License-Identifier: Apache-2.0
#include "vitrum/cube.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <new>

#include "base/check.h"
#include "formats/cube_files.h"
#include "image/tiff_pages.h"

namespace vitrum {
namespace {

CubeView view(Cube const& cube) {
    return {cube.values().data(), cube.height(), cube.width(), cube.bands(), cube.wavelengths()};
}

std::string lowered_extension(std::filesystem::path const& path) {
    std::string extension = path.extension().string();
    std::ranges::transform(extension, extension.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return extension;
}

bool is_picture_name(std::filesystem::path const& path) {
    try {
        static_cast<void>(format_of_path(path));
        return true;
    } catch (Error const&) {
        return false;
    }
}

}  // namespace

Cube::Cube(std::int64_t height, std::int64_t width, std::vector<double> wavelengths)
    : height_(height), width_(width), wavelengths_(std::move(wavelengths)) {
    constexpr std::int64_t kMaxPixels = std::int64_t{1} << 40;
    bool const sane = height > 0 && width > 0 && bands() > 0 && bands() < (1 << 16) && width <= kMaxPixels / height;
    if (!sane) fail_as(ErrorKind::usage, "no cube has {}×{} pixels of {} bands", width, height, bands());
    try {
        values_.resize(static_cast<std::size_t>(height * width * bands()));
    } catch (std::bad_alloc const&) {
        fail_as(ErrorKind::out_of_memory,
                "a cube of {}×{} pixels and {} bands needs {:.1f} MiB, which the system refuses", width, height,
                bands(), static_cast<double>(height * width * bands()) * sizeof(float) / 0x1p20);
    }
}

CubeFormat cube_format_of_path(std::filesystem::path const& path) {
    std::string const extension = lowered_extension(path);
    if (extension == ".hdr") return CubeFormat::envi;
    if (extension == ".mat") return CubeFormat::mat;
    if (extension == ".npy") return CubeFormat::npy;
    if (extension == ".tif" || extension == ".tiff") return CubeFormat::tiff;
    if (is_picture_name(path)) {
        fail_as(ErrorKind::usage,
                "{}: {} holds grey or RGB, not the bands of a cube; use .hdr (ENVI), .mat, .npy or .tif, and --rgb or "
                "--previews for pictures",
                path.string(), name_of(format_of_path(path)));
    }
    bool const is_envi_data = extension == ".img" || extension == ".raw" || extension == ".dat" || extension == ".bsq";
    fail_as(ErrorKind::usage, "{}: a cube is written as .hdr (ENVI), .mat, .npy or .tif{}", path.string(),
            is_envi_data ? "; for ENVI name the header (.hdr), the numbers go beside it" : "");
}

std::vector<std::filesystem::path> save_cube(Cube const& cube, std::filesystem::path const& path,
                                             std::string const& description) {
    CubeFormat const format = cube_format_of_path(path);
    if (cube.values().empty()) fail_as(ErrorKind::usage, "there is no cube to save: it is empty");
    switch (format) {
        case CubeFormat::envi: write_envi(path, view(cube), description); return {path, envi_data_path(path)};
        case CubeFormat::mat: write_mat(path, view(cube)); break;
        case CubeFormat::npy: write_npy(path, view(cube)); break;
        case CubeFormat::tiff: {
            std::string const text =
                fmt::format("{}; wavelengths of the pages in nm: {}", description, fmt::join(cube.wavelengths(), ", "));
            write_tiff_pages(path, cube.values().data(), cube.height(), cube.width(), cube.bands(), text);
        }
    }
    return {path};
}

Image band_image(Cube const& cube, std::int64_t band) {
    if (band < 0 || band >= cube.bands()) fail_as(ErrorKind::usage, "the cube has no band {}", band);
    Image image(cube.width(), cube.height(), 1, SampleType::u8);
    auto* to = image.row<std::uint8_t>(0);
    for (std::size_t i = static_cast<std::size_t>(band); i < cube.values().size();
         i += static_cast<std::size_t>(cube.bands())) {
        *to++ = static_cast<std::uint8_t>(std::clamp(cube.values()[i], 0.0F, 1.0F) * 255.0F + 0.5F);
    }
    return image;
}

}  // namespace vitrum
