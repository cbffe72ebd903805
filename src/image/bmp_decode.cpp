// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>

#include "base/check.h"
#include "codecs.h"

namespace vitrum::image {
namespace {

constexpr std::size_t kFileHeader = 14;

enum Compression : std::uint32_t { kPlain = 0, kRle8 = 1, kRle4 = 2, kBitfields = 3, kAlphaBitfields = 6 };

struct Colour {
    std::uint8_t r, g, b;
};

struct Bmp {
    Bytes bytes;
    std::string_view name;
    std::int64_t width = 0, height = 0;
    bool top_down = false;
    int bits = 0;  // per pixel
    std::uint32_t compression = kPlain;
    std::size_t pixels_at = 0;
    std::array<std::uint32_t, 4> masks{};  // red, green, blue, alpha
    std::vector<Colour> palette{};
    std::int32_t pixels_per_metre_x = 0, pixels_per_metre_y = 0;

    [[nodiscard]] std::uint32_t le(std::size_t at, std::size_t count) const {
        if (at + count > bytes.size()) {
            fail("{}: cut short: this BMP ends at byte {} within its headers; get the file again", name, bytes.size());
        }
        std::uint32_t value = 0;
        for (std::size_t i = 0; i < count; ++i) value |= std::to_integer<std::uint32_t>(bytes[at + i]) << (8 * i);
        return value;
    }

    [[nodiscard]] bool is_grey() const {
        return bits <= 8 && std::ranges::all_of(palette, [](Colour c) { return c.r == c.g && c.g == c.b; });
    }
    [[nodiscard]] bool is_run_length() const { return compression == kRle8 || compression == kRle4; }
    [[nodiscard]] std::size_t row_bytes() const { return static_cast<std::size_t>((width * bits + 31) / 32 * 4); }
};

void read_palette(Bmp& bmp, std::size_t at, std::size_t entry_bytes, std::size_t colours) {
    std::size_t const most = std::size_t{1} << bmp.bits;
    if (colours == 0 || colours > most) colours = most;
    // Old writers count entries that are not there: the pixels begin where the palette ends.
    if (bmp.pixels_at > at) colours = std::min(colours, (bmp.pixels_at - at) / entry_bytes);
    for (std::size_t i = 0; i < colours; ++i, at += entry_bytes) {
        bmp.palette.push_back({static_cast<std::uint8_t>(bmp.le(at + 2, 1)),
                               static_cast<std::uint8_t>(bmp.le(at + 1, 1)), static_cast<std::uint8_t>(bmp.le(at, 1))});
    }
    bmp.palette.resize(most);  // a pixel beyond the palette is black
}

void read_masks(Bmp& bmp, std::size_t header_bytes) {
    if (bmp.compression == kBitfields || bmp.compression == kAlphaBitfields) {
        bool const has_alpha = header_bytes >= 56 || bmp.compression == kAlphaBitfields;
        for (std::size_t i = 0; i < (has_alpha ? 4U : 3U); ++i) bmp.masks[i] = bmp.le(kFileHeader + 40 + 4 * i, 4);
    } else if (bmp.bits == 16) {
        bmp.masks = {0x7C00, 0x03E0, 0x001F, 0};
    } else {
        // The fourth byte of a plain 32-bit pixel is padding.
        bmp.masks = {0xFF0000, 0x00FF00, 0x0000FF, 0};
    }
}

void check_kind(Bmp const& bmp) {
    bool const palette = bmp.bits == 1 || bmp.bits == 4 || bmp.bits == 8;
    bool const direct = bmp.bits == 16 || bmp.bits == 24 || bmp.bits == 32;
    bool const fits = bmp.compression == kPlain  ? palette || direct
                      : bmp.compression == kRle8 ? bmp.bits == 8 && !bmp.top_down
                      : bmp.compression == kRle4
                          ? bmp.bits == 4 && !bmp.top_down
                          : (bmp.compression == kBitfields || bmp.compression == kAlphaBitfields) &&
                                (bmp.bits == 16 || bmp.bits == 32);
    if (!fits) {
        fail("{}: a BMP with {} bits per pixel and compression {} is not read; save it as PNG", bmp.name, bmp.bits,
             bmp.compression);
    }
}

Bmp read_headers(Bytes bytes, std::string_view name, LoadOptions const& options) {
    Bmp bmp{.bytes = bytes, .name = name};
    bmp.pixels_at = bmp.le(10, 4);
    std::size_t const header_bytes = bmp.le(kFileHeader, 4);
    bool const is_core = header_bytes == 12;
    if (!is_core && (header_bytes < 40 || header_bytes > 4096)) {
        fail("{}: a BMP header of {} bytes is not known; the file is damaged", name, header_bytes);
    }
    std::size_t colours = 0;
    if (is_core) {
        bmp.width = bmp.le(18, 2);
        bmp.height = bmp.le(20, 2);
        bmp.bits = static_cast<int>(bmp.le(24, 2));
    } else {
        bmp.width = static_cast<std::int32_t>(bmp.le(18, 4));
        std::int64_t const height = static_cast<std::int32_t>(bmp.le(22, 4));
        bmp.top_down = height < 0;
        bmp.height = std::abs(height);
        bmp.bits = static_cast<int>(bmp.le(28, 2));
        bmp.compression = bmp.le(30, 4);
        bmp.pixels_per_metre_x = static_cast<std::int32_t>(bmp.le(38, 4));
        bmp.pixels_per_metre_y = static_cast<std::int32_t>(bmp.le(42, 4));
        colours = bmp.le(46, 4);
    }
    check_size(bmp.width, bmp.height, name, options);
    check_kind(bmp);
    if (bmp.bits <= 8) read_palette(bmp, kFileHeader + header_bytes, is_core ? 3 : 4, colours);
    if (bmp.bits == 16 || bmp.bits == 32) read_masks(bmp, header_bytes);
    return bmp;
}

void put(Bmp const& bmp, std::uint8_t* row, std::int64_t x, unsigned index, int channels) {
    Colour const colour = bmp.palette[index];
    row[x * channels] = colour.r;
    if (channels == 3) {
        row[x * 3 + 1] = colour.g;
        row[x * 3 + 2] = colour.b;
    }
}

std::uint8_t field(std::uint32_t pixel, std::uint32_t mask) {
    if (mask == 0) return 0;
    std::uint64_t const most = mask >> std::countr_zero(mask);
    std::uint64_t const value = (pixel & mask) >> std::countr_zero(mask);
    return static_cast<std::uint8_t>((value * 255 + most / 2) / most);
}

void read_row(Bmp const& bmp, std::size_t at, std::int64_t y, Image& image) {
    auto* const row = image.row<std::uint8_t>(y);
    auto const* const from = reinterpret_cast<std::uint8_t const*>(bmp.bytes.data()) + at;
    for (std::int64_t x = 0; x < bmp.width; ++x) {
        if (bmp.bits <= 8) {
            std::int64_t const bit = x * bmp.bits;
            unsigned const shift = static_cast<unsigned>(8 - bmp.bits - bit % 8);
            put(bmp, row, x, from[bit / 8] >> shift & ((1U << bmp.bits) - 1), image.channels());
        } else if (bmp.bits == 24) {
            for (int c = 0; c < 3; ++c) row[x * 3 + c] = from[x * 3 + 2 - c];
        } else {
            std::size_t const bytes = static_cast<std::size_t>(bmp.bits) / 8;
            std::uint32_t const pixel = bmp.le(at + static_cast<std::size_t>(x) * bytes, bytes);
            for (std::size_t c = 0; c < 3; ++c) row[x * 3 + static_cast<std::int64_t>(c)] = field(pixel, bmp.masks[c]);
            if (image.has_alpha()) image.alpha_row<std::uint8_t>(y)[x] = field(pixel, bmp.masks[3]);
        }
    }
}

// One run: (count, index), or (0, 0) end of row, (0, 1) end of picture, (0, 2, dx, dy) a jump, (0, n, …) n
// literal pixels padded to an even number of bytes. Rows come from the bottom; what is skipped stays index 0.
void read_runs(Bmp const& bmp, Image& image) {
    std::size_t at = bmp.pixels_at;
    std::int64_t x = 0, y = 0;
    bool const nibbles = bmp.bits == 4;
    auto const index = [&](std::size_t base, unsigned i) {
        return nibbles ? bmp.le(base + i / 2, 1) >> (i % 2 == 0 ? 4 : 0) & 15U : bmp.le(base + i, 1);
    };
    auto const put_next = [&](unsigned value) {
        if (x < bmp.width && y < bmp.height) {
            put(bmp, image.row<std::uint8_t>(bmp.height - 1 - y), x, value, image.channels());
        }
        ++x;
    };
    while (y < bmp.height) {
        std::uint32_t const count = bmp.le(at, 1);
        std::uint32_t const code = bmp.le(at + 1, 1);
        at += 2;
        if (count > 0) {
            for (unsigned i = 0; i < count; ++i) put_next(index(at - 1, nibbles ? i % 2 : 0));
        } else if (code == 0) {
            x = 0;
            ++y;
        } else if (code == 1) {
            return;
        } else if (code == 2) {
            x += bmp.le(at, 1);
            y += bmp.le(at + 1, 1);
            at += 2;
        } else {
            for (unsigned i = 0; i < code; ++i) put_next(index(at, i));
            std::size_t const bytes = nibbles ? (code + 1) / 2 : code;
            at += bytes + bytes % 2;
        }
    }
}

// An alpha channel of nothing but zeros comes from writers that mean padding.
void drop_blank_alpha(Image& image) {
    if (std::ranges::all_of(image.alpha_bytes(), [](std::byte a) { return a == std::byte{0}; })) image.drop_alpha();
}

}  // namespace

ImageInfo probe_bmp(Bytes bytes, std::string_view name, LoadOptions const& options) {
    Bmp const bmp = read_headers(bytes, name, options);
    return {ImageFormat::bmp, bmp.width, bmp.height, bmp.is_grey() ? 1 : 3, SampleType::u8, bmp.masks[3] != 0};
}

Image decode_bmp(Bytes bytes, std::string_view name, LoadOptions const& options) {
    Bmp const bmp = read_headers(bytes, name, options);
    std::size_t const need = bmp.is_run_length() ? 2 : bmp.row_bytes() * static_cast<std::size_t>(bmp.height);
    if (bmp.pixels_at > bytes.size() || bytes.size() - bmp.pixels_at < need) {
        fail("{}: cut short: {}x{} pixels of {} bits take {} bytes from byte {}, the file has {}", name, bmp.width,
             bmp.height, bmp.bits, need, bmp.pixels_at, bytes.size());
    }
    // Runs reach 127:1, jumps further: a generous bound for a header that lies.
    if (bmp.is_run_length()) check_size(bmp.width, bmp.height, name, options, bytes.size(), 65536);
    Image image(bmp.width, bmp.height, bmp.is_grey() ? 1 : 3, SampleType::u8, bmp.masks[3] != 0);
    if (bmp.is_run_length()) {
        for (std::int64_t y = 0; y < bmp.height; ++y) {
            for (std::int64_t x = 0; x < bmp.width; ++x) put(bmp, image.row<std::uint8_t>(y), x, 0, image.channels());
        }
        read_runs(bmp, image);
    } else {
        for (std::int64_t y = 0; y < bmp.height; ++y) {
            std::size_t const at = bmp.pixels_at + static_cast<std::size_t>(y) * bmp.row_bytes();
            read_row(bmp, at, bmp.top_down ? y : bmp.height - 1 - y, image);
        }
    }
    if (image.has_alpha()) drop_blank_alpha(image);
    if (bmp.pixels_per_metre_x > 0 && bmp.pixels_per_metre_y > 0) {
        image.metadata.dpi_x = bmp.pixels_per_metre_x * 0.0254;
        image.metadata.dpi_y = bmp.pixels_per_metre_y * 0.0254;
    }
    return image;
}

}  // namespace vitrum::image
