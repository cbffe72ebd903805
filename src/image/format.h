// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "vitrum/image.h"

namespace vitrum::image {

using Bytes = std::span<std::byte const>;

/// Tells the format by the first bytes. Throws Error for anything that is not read.
[[nodiscard]] ImageFormat sniff(Bytes bytes, std::string_view name);

/// What a format can hold.
struct Capabilities {
    bool u8, u16, f32, alpha, metadata;
    std::int64_t max_side;
};

[[nodiscard]] Capabilities capabilities(ImageFormat format);

/// Refuses a size that is empty, beyond the limit, or beyond what `payload` compressed bytes can possibly
/// decode to at `pixels_per_byte` (0: no such bound), which is how a small file with a lying header is told.
void check_size(std::int64_t width, std::int64_t height, std::string_view name, LoadOptions const& options,
                std::size_t payload = 0, std::int64_t pixels_per_byte = 0);

}  // namespace vitrum::image
