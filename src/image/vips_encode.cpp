// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "base/check.h"
#include "codecs.h"
#include "metadata.h"
#include "vips_handle.h"

namespace vitrum::image {
namespace {

[[noreturn]] void cannot_encode(ImageFormat format) {
    fail("the picture cannot be encoded as {} ({}); try another format", name_of(format), take_vips_error());
}

VipsBandFormat band_format(SampleType type) {
    return type == SampleType::u8    ? VIPS_FORMAT_UCHAR
           : type == SampleType::u16 ? VIPS_FORMAT_USHORT
                                     : VIPS_FORMAT_FLOAT;
}

// libvips reads our planes where they lie; the picture must not outlive the image.
VipsPicture view_plane(Bytes samples, Image const& image, int bands, ImageFormat format) {
    VipsPicture plane(vips_image_new_from_memory(samples.data(), samples.size(), static_cast<int>(image.width()),
                                                 static_cast<int>(image.height()), bands, band_format(image.type())));
    if (!plane) cannot_encode(format);
    return plane;
}

VipsPicture view(Image const& image, ImageFormat format) {
    auto const colour = view_plane(image.colour_bytes(), image, image.channels(), format);
    VipsPicture joined;
    if (image.has_alpha()) {
        auto const alpha = view_plane(image.alpha_bytes(), image, 1, format);
        joined = make_picture([&](VipsImage** out) { return vips_bandjoin2(colour.get(), alpha.get(), out, nullptr); });
        if (!joined) cannot_encode(format);
    }
    bool const grey = image.channels() == 1;
    bool const deep = image.type() == SampleType::u16;
    auto const meaning = grey ? (deep ? VIPS_INTERPRETATION_GREY16 : VIPS_INTERPRETATION_B_W)
                              : (deep ? VIPS_INTERPRETATION_RGB16 : VIPS_INTERPRETATION_sRGB);
    auto labelled = make_picture([&](VipsImage** out) {
        return vips_copy(joined ? joined.get() : colour.get(), out, "interpretation", meaning, nullptr);
    });
    if (!labelled) cannot_encode(format);
    return labelled;
}

struct Encoded {
    void* data = nullptr;
    std::size_t size = 0;
};

int save_tiff(VipsImage* picture, Encoded& to, SampleType type, SaveOptions const& options) {
    auto const predictor =
        type == SampleType::f32 ? VIPS_FOREIGN_TIFF_PREDICTOR_FLOAT : VIPS_FOREIGN_TIFF_PREDICTOR_HORIZONTAL;
    auto const compression =
        options.compression == 0 ? VIPS_FOREIGN_TIFF_COMPRESSION_NONE : VIPS_FOREIGN_TIFF_COMPRESSION_DEFLATE;
    // Classic TIFF ends at 4 GiB; deflate may grow incompressible data a little.
    gboolean const big = VIPS_IMAGE_SIZEOF_IMAGE(picture) > 4'000'000'000 ? TRUE : FALSE;
    return vips_tiffsave_buffer(picture, &to.data, &to.size, "compression", compression, "predictor", predictor,
                                "resunit", VIPS_FOREIGN_TIFF_RESUNIT_INCH, "bigtiff", big, nullptr);
}

int save(VipsImage* picture, Encoded& to, ImageFormat format, SampleType type, bool bare, SaveOptions const& options) {
    switch (format) {
        case ImageFormat::png:
            return vips_pngsave_buffer(picture, &to.data, &to.size, "compression", options.compression, nullptr);
        case ImageFormat::jpeg:
            // Without `strip` libvips adds an EXIF block of its own to a picture that had none.
            return vips_jpegsave_buffer(picture, &to.data, &to.size, "Q", options.quality, "optimize_coding", TRUE,
                                        "strip", static_cast<gboolean>(bare), nullptr);
        case ImageFormat::webp:
            return vips_webpsave_buffer(picture, &to.data, &to.size, "Q", options.quality, "lossless",
                                        static_cast<gboolean>(options.lossless), "strip", static_cast<gboolean>(bare),
                                        nullptr);
        case ImageFormat::tiff: return save_tiff(picture, to, type, options);
        default: return -1;
    }
}

}  // namespace

std::vector<std::byte> encode_with_vips(Image const& image, ImageFormat format, SaveOptions const& options,
                                        SaveReport& report) {
    start_vips();
    auto const picture = view(image, format);
    if (!write_metadata(image.metadata, image.channels(), format, picture.get())) report.metadata_dropped = true;
    // The caller asked for its own threads, not for libvips' one per core on top of them.
    vips_image_set_int(picture.get(), VIPS_META_CONCURRENCY, 1);
    bool const bare = image.metadata.blocks.empty() && image.metadata.texts.empty();
    Encoded encoded;
    int const status = save(picture.get(), encoded, format, image.type(), bare, options);
    std::unique_ptr<void, decltype(&g_free)> const owner(encoded.data, g_free);
    if (status != 0) cannot_encode(format);
    auto const* const bytes = static_cast<std::byte const*>(encoded.data);
    return {bytes, bytes + encoded.size};
}

}  // namespace vitrum::image
