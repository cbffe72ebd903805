// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <string>

#include "base/check.h"
#include "codecs.h"
#include "metadata.h"
#include "vips_handle.h"

namespace vitrum::image {
namespace {

struct Source {
    VipsHandle<VipsSource> source;
    ImageFormat format;
    std::string_view name;
};

[[noreturn]] void damaged(Source const& source) {
    fail("{}: this {} is cut short, damaged or of a kind that is not read ({}); get the file again or convert it",
         source.name, name_of(source.format), take_vips_error());
}

// The loader is named, never guessed, so that no other of libvips' many loaders is reachable from a file.
int open_with(Source const& source, VipsAccess access, VipsImage** out) {
    VipsSource* const from = source.source.get();
    auto const load = [&](auto loader) {
        return loader(from, out, "access", access, "fail_on", VIPS_FAIL_ON_ERROR, "memory",
                      static_cast<gboolean>(access == VIPS_ACCESS_RANDOM), nullptr);
    };
    switch (source.format) {
        case ImageFormat::png: return load(vips_pngload_source);
        case ImageFormat::jpeg: return load(vips_jpegload_source);
        case ImageFormat::webp: return load(vips_webpload_source);
        case ImageFormat::tiff: return load(vips_tiffload_source);
        default: return -1;
    }
}

Source make_source(Bytes bytes, ImageFormat format, std::string_view name) {
    start_vips();
    Source source{VipsHandle<VipsSource>(vips_source_new_from_memory(bytes.data(), bytes.size())), format, name};
    if (!source.source) damaged(source);
    return source;
}

// More pixels than a byte of the file can stand for: deflate reaches 1032:1, and 8 one-bit pixels fit into a
// byte; JPEG spends at least a bit on a block of 64 pixels. The bound is generous by another factor of 8.
std::int64_t most_pixels_per_byte(ImageFormat format) {
    return format == ImageFormat::png || format == ImageFormat::jpeg ? 65536 : 0;
}

VipsPicture open(Source const& source, VipsAccess access, Bytes bytes, LoadOptions const& options) {
    auto picture = make_picture([&](VipsImage** out) { return open_with(source, access, out); });
    if (!picture) damaged(source);
    check_size(picture->Xsize, picture->Ysize, source.name, options, bytes.size(), most_pixels_per_byte(source.format));
    return picture;
}

bool is_plain(VipsImage const* picture) {
    switch (picture->Type) {
        case VIPS_INTERPRETATION_B_W:
        case VIPS_INTERPRETATION_sRGB:
        case VIPS_INTERPRETATION_RGB:
        case VIPS_INTERPRETATION_RGB16:
        case VIPS_INTERPRETATION_GREY16:
        case VIPS_INTERPRETATION_scRGB: return true;
        // Extra channels with no meaning stated: two are taken for grey and alpha.
        case VIPS_INTERPRETATION_MULTIBAND: return picture->Bands <= 2;
        default: return false;
    }
}

VipsPicture to_srgb(VipsPicture picture, Source const& source) {
    VipsImage* const from = picture.get();
    VipsPicture converted;
    if (from->Type == VIPS_INTERPRETATION_CMYK) {
        int const depth = from->BandFmt == VIPS_FORMAT_UCHAR ? 8 : 16;
        converted = make_picture([&](VipsImage** out) {
            return vips_icc_transform(from, out, "srgb", "embedded", TRUE, "input_profile", "cmyk", "depth", depth,
                                      "intent", VIPS_INTENT_RELATIVE, nullptr);
        });
    } else if (from->Type == VIPS_INTERPRETATION_MULTIBAND) {
        fail("{}: this TIFF holds {} channels of no stated colour; grey and RGB, with or without alpha, are read",
             source.name, from->Bands);
    } else {
        auto const space = from->BandFmt == VIPS_FORMAT_UCHAR ? VIPS_INTERPRETATION_sRGB : VIPS_INTERPRETATION_RGB16;
        converted = make_picture([&](VipsImage** out) { return vips_colourspace(from, out, space, nullptr); });
    }
    if (!converted) damaged(source);
    return converted;
}

VipsPicture to_known_samples(VipsPicture picture, Source const& source) {
    switch (picture->BandFmt) {
        case VIPS_FORMAT_UCHAR:
        case VIPS_FORMAT_USHORT:
        case VIPS_FORMAT_FLOAT: return picture;
        case VIPS_FORMAT_DOUBLE: {
            auto cast = make_picture(
                [&](VipsImage** out) { return vips_cast(picture.get(), out, VIPS_FORMAT_FLOAT, nullptr); });
            if (!cast) damaged(source);
            return cast;
        }
        default:
            fail("{}: samples of type {} are not read; convert the picture to 8 or 16 bits unsigned or to float",
                 source.name, vips_enum_nick(VIPS_TYPE_BAND_FORMAT, picture->BandFmt));
    }
}

SampleType sample_type(VipsBandFormat format) {
    return format == VIPS_FORMAT_UCHAR    ? SampleType::u8
           : format == VIPS_FORMAT_USHORT ? SampleType::u16
                                          : SampleType::f32;
}

VipsPicture normalise(VipsPicture picture, Source const& source) {
    bool const converted = !is_plain(picture.get());
    if (converted) picture = to_srgb(std::move(picture), source);
    picture = to_known_samples(std::move(picture), source);
    if (picture->Bands < 1 || picture->Bands > 4) {
        fail("{}: the picture has {} channels; grey and RGB, with or without alpha, are read", source.name,
             picture->Bands);
    }
    return picture;
}

ImageInfo describe(VipsImage const* picture, ImageFormat format) {
    bool const has_alpha = picture->Bands % 2 == 0;
    return {
        format,   picture->Xsize, picture->Ysize, picture->Bands - (has_alpha ? 1 : 0), sample_type(picture->BandFmt),
        has_alpha};
}

template <class T>
void split_row(T const* from, std::int64_t width, int channels, T* colour, T* alpha) {
    for (std::int64_t x = 0; x < width; ++x) {
        for (int c = 0; c < channels; ++c) *colour++ = *from++;
        *alpha++ = *from++;
    }
}

void copy_row(void const* from, std::int64_t y, Image& image) {
    visit_samples(image.type(), [&]<class T>(T) {
        auto const* samples = static_cast<T const*>(from);
        if (image.has_alpha()) {
            split_row(samples, image.width(), image.channels(), image.row<T>(y), image.alpha_row<T>(y));
        } else {
            std::memcpy(image.row<T>(y), samples,
                        sizeof(T) * static_cast<std::size_t>(image.width() * image.channels()));
        }
    });
}

// Draws strips through the pipeline, so that of the decoded file no second copy exists.
void pull_pixels(VipsImage* picture, Source const& source, Image& image) {
    constexpr int kStrip = 64;
    VipsHandle<VipsRegion> const region(vips_region_new(picture));
    if (!region) damaged(source);
    for (int top = 0; top < picture->Ysize; top += kStrip) {
        VipsRect const strip{0, top, picture->Xsize, std::min(kStrip, picture->Ysize - top)};
        if (vips_region_prepare(region.get(), &strip) != 0) damaged(source);
        for (int y = top; y < top + strip.height; ++y) copy_row(VIPS_REGION_ADDR(region.get(), 0, y), y, image);
    }
}

}  // namespace

ImageInfo probe_with_vips(Bytes bytes, ImageFormat format, std::string_view name, LoadOptions const& options) {
    Source const source = make_source(bytes, format, name);
    auto const raw = open(source, VIPS_ACCESS_SEQUENTIAL, bytes, options);
    bool const sideways = vips_image_get_orientation_swap(raw.get()) != 0;
    VipsPicture copy(static_cast<VipsImage*>(g_object_ref(raw.get())));
    auto const picture = normalise(std::move(copy), source);
    ImageInfo info = describe(picture.get(), format);
    if (sideways) std::swap(info.width, info.height);
    return info;
}

Image decode_with_vips(Bytes bytes, ImageFormat format, std::string_view name, LoadOptions const& options) {
    Source const source = make_source(bytes, format, name);
    auto picture = open(source, VIPS_ACCESS_SEQUENTIAL, bytes, options);
    bool const turned = vips_image_get_orientation(picture.get()) > 1;
    if (turned) {
        // Turning needs pixels in any order: decode into memory first. The source is read from its start again.
        picture.reset();
        Source const again = make_source(bytes, format, name);
        auto const lying = open(again, VIPS_ACCESS_RANDOM, bytes, options);
        picture = make_picture([&](VipsImage** out) { return vips_autorot(lying.get(), out, nullptr); });
        if (!picture) damaged(source);
    }
    bool const plain = is_plain(picture.get());
    picture = normalise(std::move(picture), source);
    ImageInfo const info = describe(picture.get(), format);
    Image image(info.width, info.height, info.channels, info.type, info.has_alpha);
    pull_pixels(picture.get(), source, image);
    image.metadata = read_metadata(picture.get(), turned);
    // The profile of a converted picture is that of the colours it no longer has; without one it is sRGB.
    if (!plain) image.metadata.blocks.erase(VIPS_META_ICC_NAME);
    return image;
}

}  // namespace vitrum::image
