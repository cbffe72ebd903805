// SPDX-License-Identifier: Apache-2.0
#include "base/mapped_file.h"
#include "codecs.h"

namespace vitrum {

Image decode_image(std::span<std::byte const> bytes, std::string_view name, LoadOptions const& options) {
    switch (ImageFormat const format = image::sniff(bytes, name)) {
        case ImageFormat::bmp: return image::decode_bmp(bytes, name, options);
        case ImageFormat::pnm:
        case ImageFormat::pfm: return image::decode_pnm(bytes, name, options);
        default: return image::decode_with_vips(bytes, format, name, options);
    }
}

ImageInfo probe_image(std::span<std::byte const> bytes, std::string_view name, LoadOptions const& options) {
    switch (ImageFormat const format = image::sniff(bytes, name)) {
        case ImageFormat::bmp: return image::probe_bmp(bytes, name, options);
        case ImageFormat::pnm:
        case ImageFormat::pfm: return image::probe_pnm(bytes, name, options);
        default: return image::probe_with_vips(bytes, format, name, options);
    }
}

Image load_image(std::filesystem::path const& path, LoadOptions const& options) {
    MappedFile const file(path);
    return decode_image(file.bytes(), path.string(), options);
}

ImageInfo probe_image(std::filesystem::path const& path, LoadOptions const& options) {
    MappedFile const file(path);
    return probe_image(file.bytes(), path.string(), options);
}

}  // namespace vitrum
