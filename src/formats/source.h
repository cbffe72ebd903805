// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace vitrum {

using ByteSpan = std::span<std::byte const>;

/// The bytes of a file, what errors call it, and what keeps the bytes alive.
struct Source {
    std::string name;
    ByteSpan bytes;
    std::shared_ptr<void const> owner;
};

/// An unaligned little-endian number. The caller has checked that it lies inside.
template <class T>
[[nodiscard]] T load_le(ByteSpan bytes, std::size_t at) {
    T value;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    return value;
}

[[nodiscard]] inline std::string_view as_text(ByteSpan bytes) {
    return {reinterpret_cast<char const*>(bytes.data()), bytes.size()};
}
[[nodiscard]] inline ByteSpan as_bytes(std::string_view text) {
    return {reinterpret_cast<std::byte const*>(text.data()), text.size()};
}

/// Whether [begin, begin + size) lies inside `total` bytes, for numbers that a file made up.
[[nodiscard]] constexpr bool lies_inside(std::uint64_t begin, std::uint64_t size, std::uint64_t total) {
    return begin <= total && size <= total - begin;
}

}  // namespace vitrum
