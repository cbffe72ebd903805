// SPDX-License-Identifier: Apache-2.0
#include "pickle_cursor.h"

#include <algorithm>
#include <bit>
#include <charconv>

#include "formats/text.h"

namespace vitrum::pickle {
namespace {

/// Reads `digits` digits of an escape sequence, which must all be there.
std::uint32_t escape_number(std::string_view text, std::size_t at, std::size_t digits, Where const& where) {
    std::uint32_t value = 0;
    if (text.size() - at < digits) where.damaged("an escape sequence is cut off");
    auto const end = text.data() + at + digits;
    auto const [stop, error] = std::from_chars(text.data() + at, end, value, 16);
    if (error != std::errc() || stop != end) where.damaged("an escape sequence is not hexadecimal");
    return value;
}

std::string_view without_quotes(std::string_view line, Where const& where) {
    bool const quoted_alike = line.size() >= 2 && line.front() == line.back();
    if (!quoted_alike || (line.front() != '\'' && line.front() != '"')) where.damaged("a string without quotes");
    return line.substr(1, line.size() - 2);
}

bool is_octal(char c) {
    return c >= '0' && c <= '7';
}

char simple_escape(char c) {
    switch (c) {
        case 'a': return '\a';
        case 'b': return '\b';
        case 'f': return '\f';
        case 'n': return '\n';
        case 'r': return '\r';
        case 't': return '\t';
        case 'v': return '\v';
        default: return c;
    }
}

}  // namespace

std::uint8_t Cursor::opcode() {
    opcode_at_ = at_;
    return static_cast<std::uint8_t>(take(1).front());
}

std::string_view Cursor::take(std::uint64_t size) {
    if (!lies_inside(at_, size, source_.bytes.size())) where().damaged("the file ends inside the pickle");
    auto const text = as_text(source_.bytes.subspan(at_, static_cast<std::size_t>(size)));
    at_ += static_cast<std::size_t>(size);
    return text;
}

std::string_view Cursor::line() {
    auto const rest = as_text(source_.bytes.subspan(at_));
    std::size_t const end = rest.find('\n');
    if (end == std::string_view::npos) where().damaged("the file ends inside a line of the pickle");
    at_ += end + 1;
    return rest.substr(0, end);
}

double Cursor::big_endian_double() {
    auto const bytes = take(8);
    std::uint64_t bits = 0;
    for (char const byte : bytes) bits = (bits << 8) | static_cast<unsigned char>(byte);
    return std::bit_cast<double>(bits);
}

Value parse_int(std::string_view line, Where const& where) {
    if (line == "00") return false;
    if (line == "01") return true;
    std::int64_t value = 0;
    auto const end = line.data() + line.size();
    auto const [stop, error] = std::from_chars(line.data(), end, value);
    if (error != std::errc() || stop != end) where.damaged("\"{}\" is not a number", excerpt(line));
    return value;
}

Value parse_long(std::string_view line, Document& document, Where const& where) {
    if (!line.empty() && line.back() == 'L') line.remove_suffix(1);
    std::int64_t value = 0;
    auto const end = line.data() + line.size();
    auto const [stop, error] = std::from_chars(line.data(), end, value);
    if (error == std::errc::result_out_of_range && stop == end) {
        return Text{document.keep(std::string(line))};  // nothing here needs its arithmetic
    }
    if (error != std::errc() || stop != end) where.damaged("\"{}\" is not a number", excerpt(line));
    return value;
}

double parse_float(std::string_view line, Where const& where) {
    double value = 0;
    auto const end = line.data() + line.size();
    auto const [stop, error] = std::from_chars(line.data(), end, value);
    if (error != std::errc() || stop != end) where.damaged("\"{}\" is not a number", excerpt(line));
    return value;
}

std::string unescape_string(std::string_view line, Where const& where) {
    auto const text = without_quotes(line, where);
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\') {
            result.push_back(text[i]);
            continue;
        }
        if (++i == text.size()) where.damaged("an escape sequence is cut off");
        if (text[i] == 'x') {
            result.push_back(static_cast<char>(escape_number(text, i + 1, 2, where)));
            i += 2;
        } else if (is_octal(text[i])) {
            unsigned value = 0;
            std::size_t const end = std::min(i + 3, text.size());
            for (; i < end && is_octal(text[i]); ++i) value = value * 8 + static_cast<unsigned>(text[i] - '0');
            --i;
            result.push_back(static_cast<char>(value));
        } else {
            result.push_back(simple_escape(text[i]));
        }
    }
    return result;
}

std::string unescape_unicode(std::string_view line, Where const& where) {
    std::string result;
    for (std::size_t i = 0; i < line.size(); ++i) {
        char const next = i + 1 < line.size() ? line[i + 1] : '\0';
        if (line[i] == '\\' && (next == 'u' || next == 'U')) {
            std::size_t const digits = next == 'u' ? 4 : 8;
            append_utf8(result, escape_number(line, i + 2, digits, where));
            i += 1 + digits;
        } else {
            append_utf8(result, static_cast<unsigned char>(line[i]));  // the rest is Latin-1
        }
    }
    return result;
}

Value parse_big(std::string_view little_endian) {
    if (little_endian.size() > 8) return BigInteger{little_endian};
    if (little_endian.empty()) return std::int64_t{0};
    bool const negative = (static_cast<unsigned char>(little_endian.back()) & 0x80U) != 0;
    std::uint64_t bits = negative ? ~std::uint64_t{0} : 0;
    for (std::size_t i = little_endian.size(); i-- > 0;) {
        bits = (bits << 8) | static_cast<unsigned char>(little_endian[i]);
    }
    return static_cast<std::int64_t>(bits);
}

}  // namespace vitrum::pickle
