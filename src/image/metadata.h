// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "format.h"
#include "vips_handle.h"
#include "vitrum/image.h"

namespace vitrum::image {

/// What is worth keeping of a decoded file's header. The orientation is dropped, for it has been applied;
/// `turned` says that it did change the picture, so that the embedded thumbnail no longer fits.
[[nodiscard]] ImageMetadata read_metadata(VipsImage* from, bool turned);

/// Attaches metadata to a picture about to be encoded. A colour profile for another number of channels than
/// `channels` is left out. Returns false where it left something out.
bool write_metadata(ImageMetadata const& metadata, int channels, ImageFormat format, VipsImage* to);

/// Whether a profile describes colours of that many channels (bytes 16 to 19 of its header).
[[nodiscard]] bool profile_fits(Bytes profile, int channels);

}  // namespace vitrum::image
