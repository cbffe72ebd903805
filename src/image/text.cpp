// SPDX-License-Identifier: Apache-2.0
#include "image/text.h"

#include <fmt/core.h>

#include <algorithm>

#include "vips_handle.h"

namespace vitrum {
namespace {

/// Pango reads markup.
std::string escaped(std::string const& text) {
    std::string safe;
    for (char const c : text) {
        if (c == '&') safe += "&amp;";
        else if (c == '<') safe += "&lt;";
        else if (c == '>') safe += "&gt;";
        else safe += c;
    }
    return safe;
}

}  // namespace

std::optional<Image> render_text(std::string const& text, int pixels) {
    constexpr int kDpi = 72;  // a point is a pixel
    image::start_vips();
    // Asked for by name, since a libvips without Pango lacks the operation.
    image::VipsPicture const ink = image::make_picture([&](VipsImage** out) {
        return vips_text(out, escaped(text).c_str(), "font", fmt::format("sans bold {}", pixels).c_str(), "dpi", kDpi,
                         nullptr);
    });
    std::size_t size = 0;
    std::unique_ptr<void, decltype(&g_free)> const samples(ink ? vips_image_write_to_memory(ink.get(), &size) : nullptr,
                                                           g_free);
    if (!samples || vips_image_get_bands(ink.get()) != 1 || vips_image_get_format(ink.get()) != VIPS_FORMAT_UCHAR) {
        static_cast<void>(image::take_vips_error());
        vips_error_clear();
        return std::nullopt;
    }
    Image coverage(vips_image_get_width(ink.get()), vips_image_get_height(ink.get()), 1, SampleType::u8);
    std::copy_n(static_cast<std::byte const*>(samples.get()), size, coverage.colour_bytes().begin());
    return coverage;
}

}  // namespace vitrum
