// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "vitrum/error.h"
#include "vitrum/export.h"

namespace vitrum {

/// How one sample is stored. White is 255, 65535 and 1.0; f32 samples may lie outside [0, 1].
enum class SampleType : std::uint8_t { u8, u16, f32 };

[[nodiscard]] constexpr std::size_t size_of(SampleType type) {
    return type == SampleType::u8 ? 1 : type == SampleType::u16 ? 2 : 4;
}
[[nodiscard]] constexpr std::string_view name_of(SampleType type) {
    return type == SampleType::u8 ? "uint8" : type == SampleType::u16 ? "uint16" : "float32";
}

enum class ImageFormat : std::uint8_t { png, jpeg, webp, tiff, bmp, pnm, pfm };

[[nodiscard]] VITRUM_API std::string_view name_of(ImageFormat format);

/// What a file says about its picture beside the pixels. It is carried from load to save and not
/// interpreted; an assignment of {} strips it.
struct VITRUM_API ImageMetadata {
    /// Binary blocks under libvips' names: "icc-profile-data", "exif-data", "xmp-data", "iptc-data", …
    std::map<std::string, std::vector<std::byte>, std::less<>> blocks;
    /// Text under libvips' names: "png-comment-0-Author", "image-description" (TIFF), …
    std::map<std::string, std::string, std::less<>> texts;
    /// Resolution, pixels per inch; 72 where the file states none. It outranks what the EXIF block says.
    double dpi_x = 72, dpi_y = 72;

    /// The ICC profile's bytes; empty where there is none and the colours are sRGB by convention.
    [[nodiscard]] std::span<std::byte const> icc_profile() const;
};

/// A picture in memory: interleaved colour samples (grey or RGB) and, apart from them, an optional alpha
/// plane of the same sample type. Alpha is straight: colour is not multiplied by it. Rows are packed, the
/// top one first. Samples are the file's encoded values, in the colour space of its ICC profile.
class VITRUM_API Image {
public:
    Image() = default;
    /// Black, and opaque nowhere (alpha 0). Throws Error for an empty or absurd size (usage) and where
    /// the memory cannot be had (out_of_memory). The memory becomes resident as it is written.
    Image(std::int64_t width, std::int64_t height, int channels, SampleType type, bool with_alpha = false);

    [[nodiscard]] std::int64_t width() const { return width_; }
    [[nodiscard]] std::int64_t height() const { return height_; }
    /// Colour channels: 1 (grey) or 3 (RGB). Alpha does not count.
    [[nodiscard]] int channels() const { return channels_; }
    [[nodiscard]] SampleType type() const { return type_; }
    [[nodiscard]] bool has_alpha() const { return alpha_ != nullptr; }
    [[nodiscard]] bool empty() const { return colour_ == nullptr; }

    /// One row of width · channels colour samples, or of width alpha samples. T (std::uint8_t,
    /// std::uint16_t or float) must be the image's sample type.
    template <class T>
    [[nodiscard]] T* row(std::int64_t y) {
        return reinterpret_cast<T*>(colour_.get() + y * row_bytes());
    }
    template <class T>
    [[nodiscard]] T const* row(std::int64_t y) const {
        return reinterpret_cast<T const*>(colour_.get() + y * row_bytes());
    }
    template <class T>
    [[nodiscard]] T* alpha_row(std::int64_t y) {
        return reinterpret_cast<T*>(alpha_.get() + y * alpha_row_bytes());
    }
    template <class T>
    [[nodiscard]] T const* alpha_row(std::int64_t y) const {
        return reinterpret_cast<T const*>(alpha_.get() + y * alpha_row_bytes());
    }

    /// All colour samples, or all alpha samples (empty without alpha), as bytes in the machine's order.
    [[nodiscard]] std::span<std::byte> colour_bytes();
    [[nodiscard]] std::span<std::byte const> colour_bytes() const;
    [[nodiscard]] std::span<std::byte> alpha_bytes();
    [[nodiscard]] std::span<std::byte const> alpha_bytes() const;

    [[nodiscard]] Image clone() const;
    /// Takes the alpha plane away; the colours stay as they are.
    void drop_alpha() { alpha_.reset(); }

    ImageMetadata metadata;

private:
    struct Release {
        void operator()(std::byte* memory) const noexcept;
    };
    using Plane = std::unique_ptr<std::byte[], Release>;
    static Plane allocate(std::size_t size_bytes);

    [[nodiscard]] std::int64_t alpha_row_bytes() const { return width_ * static_cast<std::int64_t>(size_of(type_)); }
    [[nodiscard]] std::int64_t row_bytes() const { return alpha_row_bytes() * channels_; }

    Plane colour_, alpha_;
    std::int64_t width_ = 0, height_ = 0;
    int channels_ = 0;
    SampleType type_ = SampleType::u8;
};

/// Calls body with a value of the C++ type of the samples: visit_samples(type, [&](auto zero) { … });
template <class Body>
decltype(auto) visit_samples(SampleType type, Body&& body) {
    switch (type) {
        case SampleType::u8: return body(std::uint8_t{});
        case SampleType::u16: return body(std::uint16_t{});
        case SampleType::f32: break;
    }
    return body(float{});
}

struct LoadOptions {
    /// A header that promises more pixels is refused before any memory is taken.
    std::int64_t max_pixels = std::int64_t{1} << 30;
};

/// The picture as load_image() would return it, without decoding it: the orientation is applied.
struct ImageInfo {
    ImageFormat format = ImageFormat::png;
    std::int64_t width = 0, height = 0;
    int channels = 0;
    SampleType type = SampleType::u8;
    bool has_alpha = false;
};

/// Reads PNG, JPEG, WebP, TIFF, BMP, PBM, PGM, PPM and PFM, told apart by their first bytes and never by name.
///
/// Grey stays grey, 8 bits stay 8, 16 stay 16, float stays float; fewer than 8 bits and palettes become 8-bit.
/// PNM samples with another maximum than 255 or 65535 are scaled to it. CMYK, Lab and XYZ become sRGB, and
/// their profile is dropped. EXIF orientation is applied and then recorded as upright. Of several pages or
/// frames the first is read. Throws Error for a picture that is missing, damaged, cut short, too large
/// or of a kind not listed here.
[[nodiscard]] VITRUM_API Image load_image(std::filesystem::path const& path, LoadOptions const& options = {});
/// The same from memory; `name` stands for the file in error texts.
[[nodiscard]] VITRUM_API Image decode_image(std::span<std::byte const> bytes, std::string_view name,
                                            LoadOptions const& options = {});
/// Reads the header only.
[[nodiscard]] VITRUM_API ImageInfo probe_image(std::filesystem::path const& path, LoadOptions const& options = {});
[[nodiscard]] VITRUM_API ImageInfo probe_image(std::span<std::byte const> bytes, std::string_view name,
                                               LoadOptions const& options = {});

struct SaveOptions {
    int quality = 95;       ///< JPEG and lossy WebP, 1 to 100; from 90 JPEG keeps full colour resolution
    bool lossless = false;  ///< WebP without loss
    int compression = 6;    ///< PNG and TIFF, 0 (fast) to 9 (small)
};

/// What the format could not hold, so that a command can say so.
struct SaveReport {
    bool alpha_flattened = false;   ///< composed over white (JPEG, BMP, PNM, PFM)
    bool depth_reduced = false;     ///< rounded to fewer bits
    bool metadata_dropped = false;  ///< EXIF, XMP or a colour profile is not in the file
};

/// The format that a path's extension stands for. Throws Error (usage) for an unknown extension.
[[nodiscard]] VITRUM_API ImageFormat format_of_path(std::filesystem::path const& path);

/// Samples go to the deepest type of the format that does not exceed their own: PNG u8, u16; TIFF all;
/// JPEG, WebP, BMP u8; PGM and PPM u8, u16; PFM f32. f32 is clamped to [0, 1] on the way to an integer, and
/// rounding is half up. Where the format has no alpha, the picture is composed over white. Metadata is
/// written as far as the format holds it: EXIF, XMP and ICC everywhere but in BMP, PNM and PFM; no EXIF in TIFF.
[[nodiscard]] VITRUM_API std::vector<std::byte> encode_image(Image const& image, ImageFormat format,
                                                             SaveOptions const& options = {},
                                                             SaveReport* report = nullptr);
/// encode_image() into a file that appears, or replaces an older one, only when it is complete.
VITRUM_API SaveReport save_image(Image const& image, std::filesystem::path const& path,
                                 SaveOptions const& options = {});

/// Bicubic (a = -0.5) with half-pixel centres and edges mirrored, widened when shrinking so that nothing
/// aliases: MATLAB's imresize, by which the test sets of super-resolution are made. Integer samples are
/// clamped and rounded half up. Alpha is resized likewise and metadata copied.
[[nodiscard]] VITRUM_API Image resize_bicubic(Image const& image, std::int64_t width, std::int64_t height);

/// Both pictures in one, parted by `separator` white columns. Heights must agree. RGB if either is, the
/// deeper of the two sample types, alpha composed over white, the metadata of the left one.
[[nodiscard]] VITRUM_API Image side_by_side(Image const& left, Image const& right, std::int64_t separator = 4);

}  // namespace vitrum
