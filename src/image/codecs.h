// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

#include "format.h"
#include "vitrum/image.h"

/// One pair of functions per codec family, and a probe that reads no more than the header. BMP and PNM are our
/// own: libvips 8.14 hands BMP to whatever coder ImageMagick guesses, and reads PFM upside down.
namespace vitrum::image {

[[nodiscard]] Image decode_with_vips(Bytes bytes, ImageFormat format, std::string_view name, LoadOptions const&);
[[nodiscard]] ImageInfo probe_with_vips(Bytes bytes, ImageFormat format, std::string_view name, LoadOptions const&);
[[nodiscard]] std::vector<std::byte> encode_with_vips(Image const& image, ImageFormat format, SaveOptions const&,
                                                      SaveReport& report);

[[nodiscard]] Image decode_bmp(Bytes bytes, std::string_view name, LoadOptions const&);
[[nodiscard]] ImageInfo probe_bmp(Bytes bytes, std::string_view name, LoadOptions const&);
[[nodiscard]] std::vector<std::byte> encode_bmp(Image const& image);

/// PBM, PGM, PPM and PFM.
[[nodiscard]] Image decode_pnm(Bytes bytes, std::string_view name, LoadOptions const&);
[[nodiscard]] ImageInfo probe_pnm(Bytes bytes, std::string_view name, LoadOptions const&);
[[nodiscard]] std::vector<std::byte> encode_pnm(Image const& image);

}  // namespace vitrum::image
