// SPDX-License-Identifier: Apache-2.0
#include "metadata.h"

#include <cmath>
#include <cstring>

#include "exif.h"

namespace vitrum::image {
namespace {

constexpr double kMillimetresPerInch = 25.4;
constexpr std::string_view kThumbnail = "jpeg-thumbnail-data";

bool is_kept_text(std::string_view name) {
    return name.starts_with("png-comment-") || name == VIPS_META_IMAGEDESCRIPTION;
}

bool is_kept_block(std::string_view name) {
    return name == VIPS_META_ICC_NAME || name == VIPS_META_EXIF_NAME || name == VIPS_META_XMP_NAME ||
           name == VIPS_META_IPTC_NAME || name == VIPS_META_PHOTOSHOP_NAME || name == kThumbnail;
}

void* collect(VipsImage* image, char const* name, GValue* value, void* client) {
    auto& metadata = *static_cast<ImageMetadata*>(client);
    if (is_kept_text(name) && G_VALUE_TYPE(value) == VIPS_TYPE_REF_STRING) {
        char const* text = nullptr;
        if (vips_image_get_string(image, name, &text) == 0) metadata.texts.emplace(name, text);
    } else if (is_kept_block(name) && G_VALUE_TYPE(value) == VIPS_TYPE_BLOB) {
        void const* data = nullptr;
        std::size_t size = 0;
        if (vips_image_get_blob(image, name, &data, &size) == 0 && size > 0) {
            auto const* bytes = static_cast<std::byte const*>(data);
            metadata.blocks.emplace(name, std::vector<std::byte>(bytes, bytes + size));
        }
    }
    return nullptr;
}

// XMP repeats the orientation, as an attribute or as an element, and some viewers trust it above EXIF.
void reset_xmp_orientation(std::vector<std::byte>& xmp) {
    constexpr std::string_view kTag = "tiff:Orientation";
    std::string_view const text(reinterpret_cast<char const*>(xmp.data()), xmp.size());
    for (std::size_t at = text.find(kTag); at != text.npos; at = text.find(kTag, at + 1)) {
        std::size_t const digit = text.find_first_not_of(" =\"'>\t\r\n", at + kTag.size());
        if (digit != text.npos && text[digit] >= '1' && text[digit] <= '8') xmp[digit] = std::byte{'1'};
    }
}

// An EXIF rational as libvips words it: "300000/1000 (300.000, Rational, …)".
double exif_number(VipsImage* image, char const* name) {
    char const* text = nullptr;
    if (vips_image_get_typeof(image, name) == 0 || vips_image_get_string(image, name, &text) != 0) return 0;
    char* end = nullptr;
    double const numerator = g_ascii_strtod(text, &end);
    double const denominator = *end == '/' ? g_ascii_strtod(end + 1, nullptr) : 1;
    return denominator > 0 ? numerator / denominator : 0;
}

// One pixel per millimetre is libvips' word for a resolution that is not known; of a WebP, which has no other
// place for it than EXIF, it does not look there.
void read_resolution(VipsImage* from, ImageMetadata& metadata) {
    double dpi_x = from->Xres * kMillimetresPerInch;
    double dpi_y = from->Yres * kMillimetresPerInch;
    if (from->Xres == 1.0 && from->Yres == 1.0) {
        constexpr double kCentimetres = 3;
        double const unit = exif_number(from, "exif-ifd0-ResolutionUnit") == kCentimetres ? 2.54 : 1.0;
        dpi_x = exif_number(from, "exif-ifd0-XResolution") * unit;
        dpi_y = exif_number(from, "exif-ifd0-YResolution") * unit;
    }
    if (dpi_x > 0 && dpi_y > 0 && std::isfinite(dpi_x) && std::isfinite(dpi_y)) {
        metadata.dpi_x = dpi_x;
        metadata.dpi_y = dpi_y;
    }
}

}  // namespace

ImageMetadata read_metadata(VipsImage* from, bool turned) {
    ImageMetadata metadata;
    vips_image_map(from, collect, &metadata);
    read_resolution(from, metadata);
    if (auto const thumbnail = metadata.blocks.find(kThumbnail); turned && thumbnail != metadata.blocks.end()) {
        metadata.blocks.erase(thumbnail);
    }
    if (auto const xmp = metadata.blocks.find(VIPS_META_XMP_NAME); xmp != metadata.blocks.end()) {
        reset_xmp_orientation(xmp->second);
    }
    if (auto const exif = metadata.blocks.find(VIPS_META_EXIF_NAME); exif != metadata.blocks.end()) {
        reset_exif_orientation(exif->second);
    }
    return metadata;
}

bool profile_fits(Bytes profile, int channels) {
    if (profile.size() < 128) return false;
    char const* const space = channels == 1 ? "GRAY" : "RGB ";
    return std::memcmp(profile.data() + 16, space, 4) == 0;
}

bool write_metadata(ImageMetadata const& metadata, int channels, ImageFormat format, VipsImage* to) {
    bool complete = true;
    for (auto const& [name, bytes] : metadata.blocks) {
        if (name == VIPS_META_ICC_NAME && !profile_fits(bytes, channels)) {
            complete = false;
            continue;
        }
        if (name == VIPS_META_EXIF_NAME && format == ImageFormat::tiff) complete = false;
        vips_image_set_blob_copy(to, name.c_str(), bytes.data(), bytes.size());
    }
    for (auto const& [name, text] : metadata.texts) vips_image_set_string(to, name.c_str(), text.c_str());
    // An EXIF block sets these from its own tags when it is attached, and is rewritten from them when saved.
    if (!metadata.blocks.contains(kThumbnail)) vips_image_remove(to, kThumbnail.data());
    to->Xres = metadata.dpi_x / kMillimetresPerInch;
    to->Yres = metadata.dpi_y / kMillimetresPerInch;
    return complete;
}

}  // namespace vitrum::image
