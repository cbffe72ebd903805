// SPDX-License-Identifier: Apache-2.0
#include "parse.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <optional>

#include "vitrum/error.h"

namespace vitrum::cli {
namespace {

[[noreturn]] void refuse(std::string_view option, std::string_view text, std::string_view expected) {
    throw Error(fmt::format("{} {}: expected {}", option, text, expected), ErrorKind::usage);
}

std::optional<std::int64_t> whole_number(std::string_view text) {
    std::int64_t value = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

}  // namespace

std::uint64_t parse_bytes(std::string_view option, std::string const& text) {
    constexpr std::string_view kExpected = "a size such as 4G, 1.5GiB or 800M";
    constexpr double kLeast = 1 << 20, kMost = 0x1p60;
    double value = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
    if (error != std::errc()) refuse(option, text, kExpected);
    std::string unit(end, text.data() + text.size());
    std::ranges::transform(unit, unit.begin(), [](unsigned char c) { return std::tolower(c); });
    constexpr std::string_view kUnits = "kmgt";
    std::size_t const power = unit.empty() ? std::string_view::npos : kUnits.find(unit.front());
    std::string_view const rest = unit.empty() ? "" : std::string_view(unit).substr(1);
    bool const known = unit.empty() || unit == "b" ||
                       (power != kUnits.npos && (rest.empty() || rest == "b" || rest == "i" || rest == "ib"));
    if (!known) refuse(option, text, kExpected);
    if (power != kUnits.npos) value *= std::pow(1024.0, static_cast<double>(power + 1));
    if (!(value >= kLeast && value <= kMost)) refuse(option, text, "at least 1M; is a unit missing, as in 4G?");
    return static_cast<std::uint64_t>(value);
}

PictureSize parse_size(std::string_view option, std::string const& text) {
    constexpr std::string_view kExpected = "height and width in pixels, such as 256x320";
    constexpr std::int64_t kMost = 1 << 20;
    std::size_t const cross = text.find_first_of("xX");
    auto const height = whole_number(std::string_view(text).substr(0, cross));
    auto const width = cross == std::string::npos ? height : whole_number(std::string_view(text).substr(cross + 1));
    if (!height || !width || *height < 1 || *width < 1 || *height > kMost || *width > kMost) {
        refuse(option, text, kExpected);
    }
    return {*height, *width};
}

int parse_tile(std::string_view option, std::string const& text) {
    constexpr std::int64_t kMost = 1 << 20;
    if (text == "auto") return -1;
    if (text == "none") return 0;
    auto const side = whole_number(text);
    if (!side || *side < 0 || *side > kMost) refuse(option, text, "a side in pixels, none (or 0) or auto");
    return static_cast<int>(*side);
}

Resize parse_resize(std::string_view option, std::string const& text) {
    constexpr std::string_view kExpected = "the shorter side and the longest, such as 800,1333, or none";
    constexpr std::int64_t kMost = 1 << 20;
    if (text == "none") return {};
    std::size_t const comma = text.find(',');
    auto const short_edge = whole_number(std::string_view(text).substr(0, comma));
    bool const has_long = comma != std::string::npos;
    auto const long_edge = has_long ? whole_number(std::string_view(text).substr(comma + 1)) : kMost;
    if (!short_edge || !long_edge || *short_edge < 1 || *long_edge < *short_edge || *long_edge > kMost) {
        refuse(option, text, kExpected);
    }
    return {static_cast<int>(*short_edge), has_long ? static_cast<int>(*long_edge) : 0};
}

std::vector<std::int64_t> parse_whole_numbers(std::string_view option, std::string const& text, std::size_t count) {
    constexpr std::int64_t kMost = 1 << 30;
    std::vector<std::int64_t> numbers;
    for (std::string_view rest = text;;) {
        std::size_t const comma = rest.find(',');
        auto const number = whole_number(rest.substr(0, comma));
        if (!number || *number < 0 || *number > kMost) break;
        numbers.push_back(*number);
        if (comma == std::string_view::npos) break;
        rest.remove_prefix(comma + 1);
    }
    bool const complete = numbers.size() == count && std::ranges::count(text, ',') + 1 == static_cast<int>(count);
    if (!complete) refuse(option, text, fmt::format("{} whole numbers with commas between them", count));
    return numbers;
}

std::string parse_plot(std::string_view option, std::string const& text) {
    bool const known = text.ends_with(".svg") || text.ends_with(".png");
    if (!text.empty() && !known) refuse(option, text, "a name that ends in .svg or .png");
    return text;
}

std::pair<std::string, std::string> parse_override(std::string const& text) {
    std::size_t const equals = text.find('=');
    if (equals == std::string::npos || equals == 0) refuse("--set", text, "name=value, such as img_range=255");
    return {text.substr(0, equals), text.substr(equals + 1)};
}

}  // namespace vitrum::cli
