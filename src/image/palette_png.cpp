// SPDX-License-Identifier: Apache-2.0
#include "image/palette_png.h"

#include <algorithm>
#include <string_view>

#include "base/check.h"

namespace vitrum {
namespace {

/// The checksum of PNG's chunks (ISO 3309), bit by bit: it runs over a few hundred bytes.
std::uint32_t crc32(std::span<std::byte const> bytes) {
    std::uint32_t crc = 0xFFFFFFFFU;
    for (std::byte const byte : bytes) {
        crc ^= static_cast<std::uint32_t>(byte);
        for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1U) != 0 ? 0xEDB88320U : 0U);
    }
    return ~crc;
}

void put_u32(std::uint32_t value, std::span<std::byte> to) {
    for (std::size_t i = 0; i < 4; ++i) to[i] = static_cast<std::byte>(value >> (24 - 8 * i));
}

std::vector<std::byte> palette_chunk(std::span<Rgb const> palette) {
    std::vector<std::byte> chunk(8);
    put_u32(static_cast<std::uint32_t>(palette.size() * 3), chunk);
    std::ranges::copy(std::as_bytes(std::span(std::string_view("PLTE"))), chunk.begin() + 4);
    for (Rgb const& colour : palette) {
        for (std::uint8_t const sample : colour) chunk.push_back(static_cast<std::byte>(sample));
    }
    std::uint32_t const crc = crc32(std::span(chunk).subspan(4));
    chunk.resize(chunk.size() + 4);
    put_u32(crc, std::span(chunk).last(4));
    return chunk;
}

}  // namespace

// A grey and a palette PNG of 8 bits differ in the header's colour type and in the PLTE chunk after it, and in
// nothing else, so libvips' encoder serves; its own palette mode would choose colours and numbers anew.
std::vector<std::byte> encode_palette_png(Image const& indices, std::span<Rgb const> palette,
                                          SaveOptions const& options) {
    VITRUM_ASSERT(indices.channels() == 1 && indices.type() == SampleType::u8 && !indices.has_alpha());
    VITRUM_ASSERT(!palette.empty() && palette.size() <= 256);
    std::vector<std::byte> file = encode_image(indices, ImageFormat::png, options);
    constexpr std::size_t kHeader = 12, kColourType = 25, kHeaderEnd = 33;  // of the IHDR chunk's type and data
    constexpr auto kPalette = std::byte{3};
    file[kColourType] = kPalette;
    put_u32(crc32(std::span(file).subspan(kHeader, kHeaderEnd - 4 - kHeader)),
            std::span(file).subspan(kHeaderEnd - 4, 4));
    std::vector<std::byte> const chunk = palette_chunk(palette);
    file.insert(file.begin() + kHeaderEnd, chunk.begin(), chunk.end());
    return file;
}

}  // namespace vitrum
