// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <bit>
#include <cctype>
#include <charconv>
#include <cstring>

#include "base/check.h"
#include "codecs.h"

namespace vitrum::image {
namespace {

struct Header {
    char kind = 0;  // '1' to '6', 'F' (colour) or 'f' (grey)
    std::int64_t width = 0, height = 0;
    std::uint32_t max_value = 1;
    bool big_endian = true;  // of PFM samples
    std::size_t end = 0;     // where the pixels begin

    [[nodiscard]] bool is_float() const { return kind == 'F' || kind == 'f'; }
    [[nodiscard]] bool is_bitmap() const { return kind == '1' || kind == '4'; }
    [[nodiscard]] bool is_text() const { return kind >= '1' && kind <= '3'; }
    [[nodiscard]] int channels() const { return kind == '3' || kind == '6' || kind == 'F' ? 3 : 1; }
    [[nodiscard]] SampleType type() const {
        return is_float() ? SampleType::f32 : max_value > 255 ? SampleType::u16 : SampleType::u8;
    }
};

class Reader {
public:
    Reader(Bytes bytes, std::string_view name)
        : text_(reinterpret_cast<char const*>(bytes.data()), bytes.size()), name_(name) {}

    [[nodiscard]] std::string_view token() {
        skip_space();
        std::size_t const begin = at_;
        while (at_ < text_.size() && !is_space(text_[at_]) && text_[at_] != '#') ++at_;
        return text_.substr(begin, at_ - begin);
    }

    [[nodiscard]] std::uint32_t number() {
        std::string_view const digits = token();
        std::uint32_t value = 0;
        auto const [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
        if (error != std::errc() || end != digits.data() + digits.size()) {
            fail("{}: a number is missing at byte {} of this PNM; the file is cut short or damaged", name_, at_);
        }
        return value;
    }

    // Bits of a P1 file need no space between them.
    [[nodiscard]] bool bit() {
        skip_space();
        if (at_ >= text_.size() || (text_[at_] != '0' && text_[at_] != '1')) {
            fail("{}: a bit is missing at byte {} of this PBM; the file is cut short or damaged", name_, at_);
        }
        return text_[at_++] == '1';
    }

    void skip(std::size_t count) { at_ = std::min(at_ + count, text_.size()); }
    [[nodiscard]] std::size_t at() const { return at_; }

private:
    static bool is_space(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }

    void skip_space() {
        while (at_ < text_.size() && (is_space(text_[at_]) || text_[at_] == '#')) {
            if (text_[at_] == '#') at_ = std::min(text_.find('\n', at_), text_.size() - 1);
            ++at_;
        }
    }

    std::string_view text_, name_;
    std::size_t at_ = 0;
};

Header read_header(Bytes bytes, std::string_view name, LoadOptions const& options) {
    Reader reader(bytes, name);
    reader.skip(1);
    Header header;
    header.kind = static_cast<char>(bytes[1]);
    reader.skip(1);
    header.width = reader.number();
    header.height = reader.number();
    if (header.is_float()) {
        header.big_endian = !reader.token().starts_with('-');
    } else if (!header.is_bitmap()) {
        header.max_value = reader.number();
        if (header.max_value < 1 || header.max_value > 65535) {
            fail("{}: a maximum of {} is outside 1...65535; the PNM is damaged", name, header.max_value);
        }
    }
    reader.skip(1);  // the one white space before the pixels
    header.end = reader.at();
    check_size(header.width, header.height, name, options);
    return header;
}

// The bytes of the pixels, all of them there.
Bytes payload(Bytes bytes, Header const& header, std::string_view name) {
    std::size_t const samples_per_row = static_cast<std::size_t>(header.width) * header.channels();
    std::size_t const row_bytes =
        header.kind == '4' ? (samples_per_row + 7) / 8 : samples_per_row * size_of(header.type());
    // As text a sample takes at least one character, and, but for bits, a space.
    std::size_t const least = header.kind == '1' ? samples_per_row * header.height
                              : header.is_text() ? samples_per_row * header.height * 2 - 1
                                                 : row_bytes * header.height;
    Bytes const rest = bytes.subspan(header.end);
    if (rest.size() < least) {
        fail("{}: cut short: {}x{} pixels take at least {} bytes, {} are there; get the file again", name, header.width,
             header.height, least, rest.size());
    }
    return rest;
}

template <class T>
T scaled(std::uint32_t value, std::uint32_t max_value) {
    std::uint64_t const full = std::numeric_limits<T>::max();
    return static_cast<T>((std::min(value, max_value) * full + max_value / 2) / max_value);
}

template <class T>
void read_integers(Bytes from, Header const& header, Reader& reader, Image& image) {
    auto const* next = reinterpret_cast<std::uint8_t const*>(from.data());
    for (std::int64_t y = 0; y < header.height; ++y) {
        T* const row = image.row<T>(y);
        for (std::int64_t i = 0; i < header.width * header.channels(); ++i) {
            std::uint32_t value = 0;
            if (header.is_text()) {
                value = reader.number();
            } else if constexpr (sizeof(T) == 1) {
                value = *next++;
            } else {
                value = static_cast<std::uint32_t>(next[0] << 8 | next[1]);
                next += 2;
            }
            row[i] = scaled<T>(value, header.max_value);
        }
    }
}

// A set bit is black.
void read_bits(Bytes from, Header const& header, Reader& reader, Image& image) {
    std::size_t const row_bytes = static_cast<std::size_t>((header.width + 7) / 8);
    for (std::int64_t y = 0; y < header.height; ++y) {
        auto* const row = image.row<std::uint8_t>(y);
        for (std::int64_t x = 0; x < header.width; ++x) {
            bool const black = header.is_text()
                                   ? reader.bit()
                                   : (std::to_integer<unsigned>(from[y * row_bytes + x / 8]) >> (7 - x % 8) & 1U) != 0;
            row[x] = black ? 0 : 255;
        }
    }
}

// PFM stores the bottom row first.
void read_floats(Bytes from, Header const& header, Image& image) {
    std::size_t const row_bytes = static_cast<std::size_t>(header.width) * header.channels() * sizeof(float);
    bool const swap = header.big_endian != (std::endian::native == std::endian::big);
    for (std::int64_t y = 0; y < header.height; ++y) {
        auto* const row = image.row<std::uint32_t>(header.height - 1 - y);
        std::memcpy(row, from.data() + y * row_bytes, row_bytes);
        if (!swap) continue;
        for (std::size_t i = 0; i < row_bytes / 4; ++i) row[i] = __builtin_bswap32(row[i]);
    }
}

void append(std::vector<std::byte>& to, std::string_view text) {
    auto const* bytes = reinterpret_cast<std::byte const*>(text.data());
    to.insert(to.end(), bytes, bytes + text.size());
}

}  // namespace

ImageInfo probe_pnm(Bytes bytes, std::string_view name, LoadOptions const& options) {
    Header const header = read_header(bytes, name, options);
    return {header.is_float() ? ImageFormat::pfm : ImageFormat::pnm,
            header.width,
            header.height,
            header.channels(),
            header.type(),
            false};
}

Image decode_pnm(Bytes bytes, std::string_view name, LoadOptions const& options) {
    Header const header = read_header(bytes, name, options);
    Bytes const pixels = payload(bytes, header, name);
    Image image(header.width, header.height, header.channels(), header.type());
    Reader reader(pixels, name);
    if (header.is_float()) {
        read_floats(pixels, header, image);
    } else if (header.is_bitmap()) {
        read_bits(pixels, header, reader, image);
    } else if (header.type() == SampleType::u16) {
        read_integers<std::uint16_t>(pixels, header, reader, image);
    } else {
        read_integers<std::uint8_t>(pixels, header, reader, image);
    }
    return image;
}

std::vector<std::byte> encode_pnm(Image const& image) {
    bool const grey = image.channels() == 1;
    std::vector<std::byte> file;
    if (image.type() == SampleType::f32) {
        bool const little = std::endian::native == std::endian::little;
        append(file, fmt::format("{}\n{} {}\n{}\n", grey ? "Pf" : "PF", image.width(), image.height(),
                                 little ? "-1.0" : "1.0"));
    } else {
        append(file, fmt::format("{}\n{} {}\n{}\n", grey ? "P5" : "P6", image.width(), image.height(),
                                 image.type() == SampleType::u8 ? 255 : 65535));
    }
    Bytes const samples = image.colour_bytes();
    std::size_t const row_bytes = samples.size() / static_cast<std::size_t>(image.height());
    std::size_t const begin = file.size();
    file.resize(begin + samples.size());
    for (std::int64_t y = 0; y < image.height(); ++y) {
        std::int64_t const from_row = image.type() == SampleType::f32 ? image.height() - 1 - y : y;
        std::memcpy(file.data() + begin + y * row_bytes, samples.data() + from_row * row_bytes, row_bytes);
    }
    if (image.type() == SampleType::u16 && std::endian::native == std::endian::little) {
        for (std::size_t i = begin; i + 1 < file.size(); i += 2) std::swap(file[i], file[i + 1]);
    }
    return file;
}

}  // namespace vitrum::image
