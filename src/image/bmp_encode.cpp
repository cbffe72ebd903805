// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/check.h"
#include "codecs.h"

namespace vitrum::image {
namespace {

constexpr std::size_t kHeaders = 14 + 40;

class Writer {
public:
    explicit Writer(std::vector<std::byte>& file) : file_(file) {}

    void le(std::uint64_t value, std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) file_.push_back(static_cast<std::byte>(value >> (8 * i) & 0xFF));
    }

private:
    std::vector<std::byte>& file_;
};

std::uint64_t pixels_per_metre(double dpi) {
    return static_cast<std::uint64_t>(std::clamp(std::round(dpi / 0.0254), 1.0, 1e9));
}

void write_headers(Image const& image, std::size_t palette_bytes, std::size_t file_bytes, Writer& writer) {
    writer.le('B' | 'M' << 8, 2);
    writer.le(file_bytes, 4);
    writer.le(0, 4);
    writer.le(kHeaders + palette_bytes, 4);
    writer.le(40, 4);
    writer.le(static_cast<std::uint64_t>(image.width()), 4);
    writer.le(static_cast<std::uint64_t>(image.height()), 4);
    writer.le(1, 2);
    writer.le(image.channels() == 1 ? 8 : 24, 2);
    writer.le(0, 4);
    writer.le(file_bytes - kHeaders - palette_bytes, 4);
    writer.le(pixels_per_metre(image.metadata.dpi_x), 4);
    writer.le(pixels_per_metre(image.metadata.dpi_y), 4);
    writer.le(0, 8);
    for (std::size_t i = 0; i < palette_bytes / 4; ++i) writer.le(i * 0x010101U, 4);
}

}  // namespace

std::vector<std::byte> encode_bmp(Image const& image) {
    std::size_t const palette_bytes = image.channels() == 1 ? 1024 : 0;
    std::size_t const row_bytes = static_cast<std::size_t>((image.width() * image.channels() + 3) / 4 * 4);
    std::size_t const file_bytes = kHeaders + palette_bytes + row_bytes * static_cast<std::size_t>(image.height());
    if (file_bytes > std::numeric_limits<std::uint32_t>::max()) {
        fail("{}x{} pixels are too many for a BMP, which ends at 4 GiB; save as PNG or TIFF", image.width(),
             image.height());
    }
    std::vector<std::byte> file;
    file.reserve(file_bytes);
    Writer writer(file);
    write_headers(image, palette_bytes, file_bytes, writer);
    file.resize(file_bytes);
    for (std::int64_t y = 0; y < image.height(); ++y) {
        auto const* const from = image.row<std::uint8_t>(image.height() - 1 - y);
        auto* const to = reinterpret_cast<std::uint8_t*>(file.data()) + kHeaders + palette_bytes + y * row_bytes;
        if (image.channels() == 1) {
            std::memcpy(to, from, static_cast<std::size_t>(image.width()));
        } else {
            for (std::int64_t i = 0; i < image.width() * 3; ++i) to[i] = from[i / 3 * 3 + 2 - i % 3];
        }
    }
    return file;
}

}  // namespace vitrum::image
