// SPDX-License-Identifier: Apache-2.0
#include "formats/text.h"

#include <fmt/core.h>

namespace vitrum {
namespace {

constexpr std::uint32_t kReplacement = 0xFFFD;

bool is_scalar(std::uint32_t code_point) {
    return code_point <= 0x10FFFF && (code_point < 0xD800 || code_point > 0xDFFF);
}

}  // namespace

std::optional<std::uint32_t> next_code_point(std::string_view utf8, std::size_t& at) {
    auto const byte = [&](std::size_t i) { return static_cast<unsigned char>(utf8[i]); };
    std::uint32_t const first = byte(at);
    std::size_t const start = at++;
    if (first < 0x80) return first;
    int const extra = first >= 0xF0 && first < 0xF5   ? 3
                      : first >= 0xE0 && first < 0xF0 ? 2
                      : first >= 0xC2 && first < 0xE0 ? 1
                                                      : 0;
    if (extra == 0 || utf8.size() - start <= static_cast<std::size_t>(extra)) return std::nullopt;
    std::uint32_t code_point = first & (0x3FU >> extra);
    for (int i = 1; i <= extra; ++i) {
        std::uint32_t const next = byte(start + static_cast<std::size_t>(i));
        if ((next & 0xC0U) != 0x80) return std::nullopt;
        code_point = (code_point << 6) | (next & 0x3FU);
    }
    constexpr std::uint32_t kSmallest[] = {0, 0x80, 0x800, 0x10000};
    if (code_point < kSmallest[extra] || !is_scalar(code_point)) return std::nullopt;
    at = start + 1 + static_cast<std::size_t>(extra);
    return code_point;
}

void append_utf8(std::string& to, std::uint32_t code_point) {
    if (!is_scalar(code_point)) code_point = kReplacement;
    auto const put = [&](std::uint32_t byte) { to.push_back(static_cast<char>(byte)); };
    if (code_point < 0x80) return put(code_point);
    if (code_point < 0x800) {
        put(0xC0 | (code_point >> 6));
    } else if (code_point < 0x10000) {
        put(0xE0 | (code_point >> 12));
        put(0x80 | ((code_point >> 6) & 0x3F));
    } else {
        put(0xF0 | (code_point >> 18));
        put(0x80 | ((code_point >> 12) & 0x3F));
        put(0x80 | ((code_point >> 6) & 0x3F));
    }
    put(0x80 | (code_point & 0x3F));
}

std::string valid_utf8(std::string_view text) {
    std::string result;
    result.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) append_utf8(result, next_code_point(text, at).value_or(kReplacement));
    return result;
}

std::string one_line(std::string_view text) {
    std::string result;
    result.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        auto const code_point = next_code_point(text, at).value_or(kReplacement);
        bool const control = code_point < 0x20 || (code_point >= 0x7F && code_point < 0xA0);
        bool const line_break = code_point == 0x2028 || code_point == 0x2029;
        if (control || line_break) result += fmt::format("\\x{:02x}", code_point);
        else append_utf8(result, code_point);
    }
    return result;
}

std::string excerpt(std::string_view text) {
    constexpr std::size_t kLongest = 200;
    if (text.size() <= kLongest) return one_line(text);
    return one_line(text.substr(0, kLongest)) + "...";
}

}  // namespace vitrum
