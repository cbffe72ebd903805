// SPDX-License-Identifier: Apache-2.0
// Any bytes at all are a picture or an Error; the probe and the decoder agree about what it is.
#include <cstdlib>
#include <string_view>

#include "vitrum/image.h"

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* data, std::size_t size) {
    using namespace vitrum;
    std::span<std::byte const> const bytes(reinterpret_cast<std::byte const*>(data), size);
    LoadOptions const options{.max_pixels = 1 << 16};
    try {
        Image const image = decode_image(bytes, "fuzz", options);
        ImageInfo const info = probe_image(bytes, "fuzz", options);
        if (info.width != image.width() || info.height != image.height() || info.channels != image.channels() ||
            info.type != image.type()) {
            std::abort();
        }
        (void)encode_image(image, image.type() == SampleType::f32 ? ImageFormat::pfm : ImageFormat::bmp);
    } catch (Error const& error) {
        if (std::string_view(error.what()).find('\n') != std::string_view::npos) std::abort();
    }
    return 0;
}
