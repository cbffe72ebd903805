// SPDX-License-Identifier: Apache-2.0
#include <optional>

#include "base/atomic_file.h"
#include "base/check.h"
#include "codecs.h"
#include "image/convert.h"

namespace vitrum {
namespace {

// The deepest type of the format that does not exceed the picture's own; where all exceed it (PFM), the least.
SampleType stored_type(SampleType type, image::Capabilities const& can) {
    if (type == SampleType::f32 && can.f32) return SampleType::f32;
    if (type >= SampleType::u16 && can.u16) return SampleType::u16;
    return can.u8 ? SampleType::u8 : SampleType::f32;
}

// The picture as the format can hold it; nothing where it already fits.
std::optional<Image> fit(Image const& image, image::Capabilities const& can, SaveReport& report) {
    SampleType const type = stored_type(image.type(), can);
    bool const flatten = image.has_alpha() && !can.alpha;
    if (type == image.type() && !flatten) return std::nullopt;
    report.alpha_flattened = flatten;
    report.depth_reduced = type < image.type();
    Image fitted = flatten ? image.clone() : convert_samples(image, type);
    if (flatten) {
        flatten_on_white(fitted);
        if (type != image.type()) fitted = convert_samples(fitted, type);
    }
    return fitted;
}

void check_request(Image const& image, ImageFormat format, image::Capabilities const& can, SaveOptions const& options) {
    if (image.empty()) fail_as(ErrorKind::usage, "there is no picture to save: it is empty");
    if (image.width() > can.max_side || image.height() > can.max_side) {
        fail("{}x{} pixels are too many for {}, which ends at {} on a side; save as PNG or TIFF", image.width(),
             image.height(), name_of(format), can.max_side);
    }
    if (options.quality < 1 || options.quality > 100) {
        fail_as(ErrorKind::usage, "a quality of {} is outside 1...100", options.quality);
    }
    if (options.compression < 0 || options.compression > 9) {
        fail_as(ErrorKind::usage, "a compression of {} is outside 0...9", options.compression);
    }
}

}  // namespace

std::vector<std::byte> encode_image(Image const& image, ImageFormat format, SaveOptions const& options,
                                    SaveReport* report) {
    image::Capabilities const can = image::capabilities(format);
    check_request(image, format, can, options);
    SaveReport dropped;
    std::optional<Image> const fitted = fit(image, can, dropped);
    Image const& picture = fitted ? *fitted : image;
    std::vector<std::byte> file;
    if (can.metadata) {
        file = image::encode_with_vips(picture, format, options, dropped);
    } else {
        dropped.metadata_dropped = !image.metadata.blocks.empty();
        file = format == ImageFormat::bmp ? image::encode_bmp(picture) : image::encode_pnm(picture);
    }
    if (report != nullptr) *report = dropped;
    return file;
}

SaveReport save_image(Image const& image, std::filesystem::path const& path, SaveOptions const& options) {
    SaveReport report;
    auto const bytes = [&] {
        ImageFormat const format = format_of_path(path);
        try {
            return encode_image(image, format, options, &report);
        } catch (Error const& error) {
            throw Error(fmt::format("{}: {}", path.string(), error.what()), error.kind());
        }
    }();
    AtomicFile file(path);
    file.write(bytes);
    file.commit();
    return report;
}

}  // namespace vitrum
