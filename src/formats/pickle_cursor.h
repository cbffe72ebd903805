// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pickle_value.h"
#include "source.h"

namespace vitrum::pickle {

/// Reads a pickle's literal arguments, each checked against the end of the file.
class Cursor {
public:
    Cursor(Source const& source, std::size_t begin) : source_(source), at_(begin) {}

    [[nodiscard]] std::size_t at() const { return at_; }
    [[nodiscard]] std::uint8_t opcode();
    template <class T>
    [[nodiscard]] T number() {
        return load_le<T>(as_bytes(take(sizeof(T))), 0);
    }
    /// The next `size` bytes.
    [[nodiscard]] std::string_view take(std::uint64_t size);
    /// Bytes whose number stands before them as a T.
    template <class T>
    [[nodiscard]] std::string_view counted() {
        auto const size = number<T>();
        return take(static_cast<std::uint64_t>(size));  // a negative size becomes one that no file has
    }
    /// The text up to the end of the line.
    [[nodiscard]] std::string_view line();
    [[nodiscard]] double big_endian_double();

    [[nodiscard]] Where where() const { return {source_.name, opcode_at_}; }

private:
    Source const& source_;
    std::size_t at_;
    std::size_t opcode_at_ = 0;
};

/// The literals of protocol 0, which are Python source text.
[[nodiscard]] Value parse_int(std::string_view line, Where const& where);
[[nodiscard]] Value parse_long(std::string_view line, Document& document, Where const& where);
[[nodiscard]] double parse_float(std::string_view line, Where const& where);
[[nodiscard]] std::string unescape_string(std::string_view line, Where const& where);
[[nodiscard]] std::string unescape_unicode(std::string_view line, Where const& where);
/// A little-endian two's complement number of any length.
[[nodiscard]] Value parse_big(std::string_view little_endian);

}  // namespace vitrum::pickle
