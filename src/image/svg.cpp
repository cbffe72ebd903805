// SPDX-License-Identifier: Apache-2.0
#include "image/svg.h"

#include <algorithm>

#include "base/check.h"
#include "image/convert.h"
#include "vips_handle.h"

namespace vitrum {

Image rasterise_svg(std::string const& svg) {
    image::start_vips();
    if (vips_type_find("VipsOperation", "svgload_buffer") == 0) {
        fail("this machine's libvips draws no SVG; write an .svg instead");
    }
    auto const drawn = image::make_picture(
        [&](VipsImage** out) { return vips_svgload_buffer(const_cast<char*>(svg.data()), svg.size(), out, nullptr); });
    std::size_t size = 0;
    void* const memory = drawn ? vips_image_write_to_memory(drawn.get(), &size) : nullptr;
    std::unique_ptr<void, decltype(&g_free)> const owner(memory, g_free);
    if (memory == nullptr) fail("cannot draw the diagram: {}", image::take_vips_error());

    Image picture(drawn->Xsize, drawn->Ysize, 3, SampleType::u8, true);
    VITRUM_ASSERT(drawn->Bands == 4 && size == static_cast<std::size_t>(picture.width() * picture.height()) * 4);
    auto const* from = static_cast<std::uint8_t const*>(memory);
    auto* colour = picture.row<std::uint8_t>(0);
    auto* alpha = picture.alpha_row<std::uint8_t>(0);
    for (std::int64_t i = 0; i < picture.width() * picture.height(); ++i, from += 4) {
        colour = std::copy_n(from, 3, colour);
        *alpha++ = from[3];
    }
    flatten_on_white(picture);
    return picture;
}

}  // namespace vitrum
