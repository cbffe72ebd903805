// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vitrum/model.h"

// What people type, as values. Everything here throws vitrum::Error (usage) naming the option and the text.

namespace vitrum::cli {

/// "4G", "1.5GiB", "512m", "2000000": suffixes are powers of 1024.
[[nodiscard]] std::uint64_t parse_bytes(std::string_view option, std::string const& text);

struct PictureSize {
    std::int64_t height = 0, width = 0;
};
/// "256x320" (height × width) or "256" for a square.
[[nodiscard]] PictureSize parse_size(std::string_view option, std::string const& text);

/// "auto" (−1), "none" or "0" (0), or a number of pixels.
[[nodiscard]] int parse_tile(std::string_view option, std::string const& text);

struct Resize {
    int short_edge = 0;  ///< 0: not at all
    int long_edge = 0;   ///< 0: not said
};
/// "800,1333", "800" or "none"
[[nodiscard]] Resize parse_resize(std::string_view option, std::string const& text);

/// "12,30,8,8": `count` whole numbers from 0 up.
[[nodiscard]] std::vector<std::int64_t> parse_whole_numbers(std::string_view option, std::string const& text,
                                                            std::size_t count);

/// "", or a name that ends in .svg or .png
[[nodiscard]] std::string parse_plot(std::string_view option, std::string const& text);

/// "name=value"
[[nodiscard]] std::pair<std::string, std::string> parse_override(std::string const& text);

}  // namespace vitrum::cli
