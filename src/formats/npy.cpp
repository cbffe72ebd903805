// SPDX-License-Identifier: Apache-2.0
#include "npy.h"

#include <array>
#include <charconv>
#include <optional>

#include "base/check.h"
#include "formats/text.h"
#include "numbers.h"

namespace vitrum {
namespace {

using namespace std::string_view_literals;

constexpr auto kNpyMagic = "\x93NUMPY"sv;

struct NpyType {
    std::string_view code;
    NumberType type;
};
constexpr std::array kNpyTypes{
    NpyType{"i1", NumberType::i8},  NpyType{"u1", NumberType::u8},  NpyType{"b1", NumberType::u8},
    NpyType{"i2", NumberType::i16}, NpyType{"u2", NumberType::u16}, NpyType{"i4", NumberType::i32},
    NpyType{"u4", NumberType::u32}, NpyType{"i8", NumberType::i64}, NpyType{"u8", NumberType::u64},
    NpyType{"f2", NumberType::f16}, NpyType{"f4", NumberType::f32}, NpyType{"f8", NumberType::f64},
};

/// The header: a Python dictionary literal with three known keys, in any order.
class Header {
public:
    Header(std::string_view text, std::string const& file) : text_(text), file_(file) {}

    [[nodiscard]] NumberType type() const {
        std::string_view const quoted = value_of("descr");
        if (quoted.size() < 4 || (quoted[0] != '\'' && quoted[0] != '"')) damaged("its type");
        std::string_view const code = quoted.substr(1, quoted.find(quoted[0], 1) - 1);
        if (code.size() == 3 && (code[0] == '<' || code[0] == '|' || code[0] == '=')) {
            for (NpyType const& known : kNpyTypes) {
                if (known.code == code.substr(1)) return known.type;
            }
        }
        fail("{}: numbers of type {} are not read; save the array as float32", file_, excerpt(code));
    }
    [[nodiscard]] bool column_major() const {
        std::string_view const value = value_of("fortran_order");
        if (value.starts_with("True")) return true;
        if (value.starts_with("False")) return false;
        damaged("its order");
    }
    [[nodiscard]] Shape shape() const {
        std::string_view rest = value_of("shape");
        if (!rest.starts_with('(') || rest.find(')') == std::string_view::npos) damaged("its shape");
        rest = rest.substr(1, rest.find(')') - 1);
        std::array<std::int64_t, Shape::kMaxRank> extents{};
        std::size_t rank = 0;
        while (rest.find_first_not_of(" ,") != std::string_view::npos) {
            rest.remove_prefix(rest.find_first_not_of(" ,"));
            if (rank == extents.size()) fail("{}: an array of more than {} dimensions is not read", file_, rank);
            auto const [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), extents[rank++]);
            if (error != std::errc()) damaged("its shape");
            rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
        }
        return Shape(std::span(extents).first(rank));
    }

private:
    [[nodiscard]] std::string_view value_of(std::string_view key) const {
        for (char const quote : {'\'', '"'}) {
            auto const quoted = quote + std::string(key) + quote;
            auto at = text_.find(quoted);
            if (at == std::string_view::npos) continue;
            at = text_.find(':', at + quoted.size());
            at = at == std::string_view::npos ? at : text_.find_first_not_of(' ', at + 1);
            if (at != std::string_view::npos) return text_.substr(at);
        }
        damaged(key);
    }
    [[noreturn]] void damaged(std::string_view what) const {
        fail("{}: this .npy file's header does not say {}; the file is damaged", file_, what);
    }

    std::string_view text_;
    std::string const& file_;
};

}  // namespace

bool is_npy(ByteSpan bytes) {
    return as_text(bytes).starts_with(kNpyMagic);
}

Array read_npy(ByteSpan bytes, std::string const& file) {
    constexpr std::size_t kVersion = kNpyMagic.size(), kLength = kVersion + 2;
    if (bytes.size() < kLength + 4) fail("{}: this .npy file is cut short in its header", file);
    bool const is_short = std::to_integer<int>(bytes[kVersion]) == 1;  // versions 2 and 3 count in 32 bits
    std::size_t const begin = kLength + (is_short ? 2 : 4);
    std::size_t const length =
        is_short ? load_le<std::uint16_t>(bytes, kLength) : load_le<std::uint32_t>(bytes, kLength);
    if (!lies_inside(begin, length, bytes.size())) fail("{}: this .npy file is cut short in its header", file);

    Header const header(as_text(bytes.subspan(begin, length)), file);
    Array array{{}, header.shape(), {}};
    NumberType const type = header.type();
    std::int64_t const count = checked_numbers(array.shape, file);
    ByteSpan const data = bytes.subspan(begin + length);
    if (data.size() < static_cast<std::size_t>(count) * size_of(type)) {
        fail("{}: this .npy file is cut short: {} needs {} bytes, {} are there", file, array.shape.str(),
             static_cast<std::size_t>(count) * size_of(type), data.size());
    }
    array.values = numbers_to_f32(data, type, count);
    if (header.column_major()) array.values = from_column_major(std::move(array.values), array.shape);
    return array;
}

std::string npy_header(Shape const& shape) {
    std::string extents;
    for (std::int64_t const extent : shape) extents += fmt::format("{}, ", extent);
    if (shape.rank() > 1) extents.resize(extents.size() - 2);
    std::string text = fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}), }}", extents);
    // Version 1.0: the numbers begin at a multiple of 64, the header ends with a line end.
    constexpr std::size_t kBefore = kNpyMagic.size() + 4, kAlignment = 64;
    text.append((kAlignment - (kBefore + text.size() + 1) % kAlignment) % kAlignment, ' ');
    text += '\n';
    std::string header(kNpyMagic);
    header += {'\x01', '\x00', static_cast<char>(text.size() & 0xFF), static_cast<char>(text.size() >> 8)};
    return header + text;
}

}  // namespace vitrum
