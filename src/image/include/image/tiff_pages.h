// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace vitrum {

/// Writes [height, width, bands] float32 values as a TIFF with a 32-bit float page for each band, uncompressed,
/// so that every reader reads it; whole or not at all. Above 4 GB it becomes a BigTIFF. Throws Error (usage) where
/// height · bands is beyond what libvips takes.
void write_tiff_pages(std::filesystem::path const& path, float const* values, std::int64_t height, std::int64_t width,
                      std::int64_t bands, std::string const& description);

}  // namespace vitrum
