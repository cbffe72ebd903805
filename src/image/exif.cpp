// SPDX-License-Identifier: Apache-2.0
#include "exif.h"

#include <cstdint>
#include <optional>
#include <string_view>

#include "format.h"

namespace vitrum::image {
namespace {

constexpr std::uint64_t kOrientation = 274;

// EXIF is a TIFF directory. Reads numbers of either byte order; beyond the end everything is 0.
class TiffReader {
public:
    explicit TiffReader(Bytes bytes) : bytes_(bytes), big_endian_(!bytes.empty() && bytes[0] == std::byte{'M'}) {}

    [[nodiscard]] std::uint64_t number(std::uint64_t at, std::uint64_t count) const {
        if (at > bytes_.size() || bytes_.size() - at < count) return 0;
        std::uint64_t value = 0;
        for (std::uint64_t i = 0; i < count; ++i) {
            value = value << 8 | std::to_integer<std::uint64_t>(bytes_[at + (big_endian_ ? i : count - 1 - i)]);
        }
        return value;
    }

    // Where the 16-bit value of a tag in the first directory lies.
    [[nodiscard]] std::optional<std::uint64_t> find_short(std::uint64_t tag) const {
        std::uint64_t const directory = number(4, 4);
        std::uint64_t const count = number(directory, 2);
        for (std::uint64_t i = 0; i < count; ++i) {
            std::uint64_t const entry = directory + 2 + i * 12;
            if (number(entry, 2) == tag && entry + 10 <= bytes_.size()) return entry + 8;
        }
        return std::nullopt;
    }

    [[nodiscard]] bool big_endian() const { return big_endian_; }

private:
    Bytes bytes_;
    bool big_endian_;
};

}  // namespace

void reset_exif_orientation(std::vector<std::byte>& exif) {
    using namespace std::string_view_literals;
    constexpr std::string_view kPrefix = "Exif\0\0"sv;  // JPEG's, absent elsewhere
    std::string_view const text(reinterpret_cast<char const*>(exif.data()), exif.size());
    std::size_t const begin = text.starts_with(kPrefix) ? kPrefix.size() : 0;
    TiffReader const reader(Bytes(exif).subspan(begin));
    auto const at = reader.find_short(kOrientation);
    if (!at) return;
    std::byte* const value = exif.data() + begin + *at;
    value[reader.big_endian() ? 0 : 1] = std::byte{0};
    value[reader.big_endian() ? 1 : 0] = std::byte{1};
}

}  // namespace vitrum::image
