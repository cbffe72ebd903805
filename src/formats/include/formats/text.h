// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vitrum {

/// The code point that starts at `at`, which is moved behind it; nothing (and `at` moved by one) where the
/// bytes are not UTF-8.
[[nodiscard]] std::optional<std::uint32_t> next_code_point(std::string_view utf8, std::size_t& at);

void append_utf8(std::string& to, std::uint32_t code_point);

/// Text from a file as valid UTF-8: what is not becomes U+FFFD.
[[nodiscard]] std::string valid_utf8(std::string_view text);

/// The same on one line, safe for terminals and error texts: control characters as \xNN.
[[nodiscard]] std::string one_line(std::string_view text);

/// one_line, shortened to what an error text can bear.
[[nodiscard]] std::string excerpt(std::string_view text);

}  // namespace vitrum
