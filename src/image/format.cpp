// SPDX-License-Identifier: Apache-2.0
#include "format.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <limits>
#include <string>

#include "base/check.h"

namespace vitrum {
namespace {

using namespace std::string_view_literals;

struct Magic {
    std::size_t offset;
    std::string_view bytes;
    ImageFormat format;
};

constexpr std::array kMagics{
    Magic{0, "\x89PNG\r\n\x1a\n"sv, ImageFormat::png},
    Magic{0, "\xff\xd8\xff"sv, ImageFormat::jpeg},
    Magic{8, "WEBP"sv, ImageFormat::webp},
    Magic{0, "II*\0"sv, ImageFormat::tiff},
    Magic{0, "MM\0*"sv, ImageFormat::tiff},
    Magic{0, "II+\0"sv, ImageFormat::tiff},
    Magic{0, "MM\0+"sv, ImageFormat::tiff},
    Magic{0, "BM"sv, ImageFormat::bmp},
    Magic{0, "P1"sv, ImageFormat::pnm},
    Magic{0, "P2"sv, ImageFormat::pnm},
    Magic{0, "P3"sv, ImageFormat::pnm},
    Magic{0, "P4"sv, ImageFormat::pnm},
    Magic{0, "P5"sv, ImageFormat::pnm},
    Magic{0, "P6"sv, ImageFormat::pnm},
    Magic{0, "PF"sv, ImageFormat::pfm},
    Magic{0, "Pf"sv, ImageFormat::pfm},
};

// Known by name only, so that the error can say what the file is.
struct Stranger {
    std::size_t offset;
    std::string_view bytes, name;
};

constexpr std::array kStrangers{
    Stranger{0, "GIF8"sv, "a GIF"},
    Stranger{4, "ftyp"sv, "a HEIC, AVIF or video file"},
    Stranger{0, "%PDF"sv, "a PDF"},
    Stranger{0, "v/1\x01"sv, "an OpenEXR file"},
    Stranger{0, "<svg"sv, "an SVG"},
    Stranger{0, "<?xml"sv, "an XML or SVG file"},
    Stranger{0, "P7"sv, "a PAM"},
    Stranger{0, "\xff\x0a"sv, "a JPEG XL file"},
    Stranger{4, "JXL "sv, "a JPEG XL file"},
    Stranger{4, "jP  "sv, "a JPEG 2000 file"},
    Stranger{0, "8BPS"sv, "a Photoshop file"},
};

bool has_at(std::string_view text, std::size_t offset, std::string_view part) {
    return text.size() >= offset && text.substr(offset).starts_with(part);
}

}  // namespace

std::string_view name_of(ImageFormat format) {
    switch (format) {
        case ImageFormat::png: return "PNG";
        case ImageFormat::jpeg: return "JPEG";
        case ImageFormat::webp: return "WebP";
        case ImageFormat::tiff: return "TIFF";
        case ImageFormat::bmp: return "BMP";
        case ImageFormat::pnm: return "PNM";
        case ImageFormat::pfm: return "PFM";
    }
    return "unknown";
}

ImageFormat format_of_path(std::filesystem::path const& path) {
    std::string extension = path.extension().string();
    std::ranges::transform(extension, extension.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (extension == ".png") return ImageFormat::png;
    if (extension == ".jpg" || extension == ".jpeg" || extension == ".jpe") return ImageFormat::jpeg;
    if (extension == ".webp") return ImageFormat::webp;
    if (extension == ".tif" || extension == ".tiff") return ImageFormat::tiff;
    if (extension == ".bmp") return ImageFormat::bmp;
    if (extension == ".pgm" || extension == ".ppm" || extension == ".pnm") return ImageFormat::pnm;
    if (extension == ".pfm") return ImageFormat::pfm;
    fail_as(ErrorKind::usage, "{}: cannot tell a picture format by the extension \"{}\"; use {}", path.string(),
            extension, ".png, .jpg, .webp, .tif, .bmp, .pgm, .ppm, .pnm or .pfm");
}

namespace image {

ImageFormat sniff(Bytes bytes, std::string_view name) {
    if (bytes.empty()) fail("{}: the file is empty (0 bytes), so there is no picture to read", name);
    std::string_view const head(reinterpret_cast<char const*>(bytes.data()), std::min<std::size_t>(bytes.size(), 16));
    for (Magic const& magic : kMagics) {
        bool const fits = has_at(head, magic.offset, magic.bytes);
        if (fits && (magic.format != ImageFormat::webp || head.starts_with("RIFF"))) return magic.format;
    }
    for (Stranger const& stranger : kStrangers) {
        if (has_at(head, stranger.offset, stranger.bytes)) {
            fail("{}: {} is not read; convert it to PNG, JPEG, WebP, TIFF, BMP or PNM first", name, stranger.name);
        }
    }
    fail("{}: not a picture of a known format; PNG, JPEG, WebP, TIFF, BMP, PNM and PFM are read", name);
}

Capabilities capabilities(ImageFormat format) {
    constexpr std::int64_t kAny = 10'000'000;  // libvips' own bound on a side
    switch (format) {
        case ImageFormat::png: return {true, true, false, true, true, kAny};
        case ImageFormat::jpeg: return {true, false, false, false, true, 65500};
        case ImageFormat::webp: return {true, false, false, true, true, 16383};
        case ImageFormat::tiff: return {true, true, true, true, true, kAny};
        case ImageFormat::bmp: return {true, false, false, false, false, kAny};
        case ImageFormat::pnm: return {true, true, false, false, false, kAny};
        case ImageFormat::pfm: return {false, false, true, false, false, kAny};
    }
    return {};
}

void check_size(std::int64_t width, std::int64_t height, std::string_view name, LoadOptions const& options,
                std::size_t payload, std::int64_t pixels_per_byte) {
    constexpr std::int64_t kMaxSide = std::numeric_limits<std::int32_t>::max();
    if (width < 1 || height < 1 || width > kMaxSide || height > kMaxSide) {
        fail("{}: the header states a size of {}x{}, which no picture has; the file is damaged", name, width, height);
    }
    if (width > options.max_pixels / height) {
        fail("{}: {}x{} pixels are more than the limit of {}; cut the picture up or raise the limit", name, width,
             height, options.max_pixels);
    }
    if (pixels_per_byte > 0 && width * height / pixels_per_byte > static_cast<std::int64_t>(payload)) {
        fail("{}: the header states {}x{} pixels, but {} bytes cannot hold them; the file is cut short or damaged",
             name, width, height, payload);
    }
}

}  // namespace image
}  // namespace vitrum
