// SPDX-License-Identifier: Apache-2.0
#include "mat5.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "formats/text.h"
#include "inflate.h"
#include "numbers.h"

namespace vitrum {
namespace {

constexpr std::size_t kHeader = 128, kEndianMark = 126;
constexpr std::uint32_t kInt32 = 5, kUint32 = 6, kMatrix = 14, kCompressed = 15;

std::optional<NumberType> number_type(std::uint32_t code) {
    switch (code) {
        case 1: return NumberType::i8;
        case 2: return NumberType::u8;
        case 3: return NumberType::i16;
        case 4: return NumberType::u16;
        case 5: return NumberType::i32;
        case 6: return NumberType::u32;
        case 7: return NumberType::f32;
        case 9: return NumberType::f64;
        case 12: return NumberType::i64;
        case 13: return NumberType::u64;
        default: return std::nullopt;
    }
}

struct Element {
    std::uint32_t type = 0;
    ByteSpan data;
};

/// A sequence of tagged elements, as a file or a matrix has them.
class Elements {
public:
    Elements(ByteSpan bytes, std::string const& file) : bytes_(bytes), file_(file) {}

    [[nodiscard]] bool at_end() const { return at_ + 8 > bytes_.size(); }

    [[nodiscard]] Element next() {
        if (at_end()) cut_short();
        auto const first = load_le<std::uint32_t>(bytes_, at_), second = load_le<std::uint32_t>(bytes_, at_ + 4);
        // Up to four bytes of data lie in the tag itself, which then has its size in the upper half of the type.
        if (std::uint32_t const small = first >> 16; small != 0) {
            if (small > 4) fail("{}: an element of this .mat file has an impossible size; the file is damaged", file_);
            Element const element{first & 0xFFFFU, bytes_.subspan(at_ + 4, small)};
            at_ += 8;
            return element;
        }
        if (!lies_inside(at_ + 8, second, bytes_.size())) cut_short();
        Element const element{first, bytes_.subspan(at_ + 8, second)};
        std::size_t const padded = first == kCompressed ? second : (std::size_t{second} + 7) / 8 * 8;
        at_ = std::min(at_ + 8 + padded, bytes_.size());
        return element;
    }

private:
    [[noreturn]] void cut_short() const { fail("{}: this .mat file is cut short", file_); }

    ByteSpan bytes_;
    std::string const& file_;
    std::size_t at_ = 0;
};

Shape shape_of(Element const& dimensions, std::string const& file) {
    std::size_t const rank = dimensions.data.size() / 4;
    if (dimensions.type != kInt32 || rank < 2 || rank > Shape::kMaxRank) {
        fail("{}: a variable of this .mat file has {} dimensions; 2 to {} are read", file, rank, Shape::kMaxRank);
    }
    std::array<std::int64_t, Shape::kMaxRank> extents{};
    for (std::size_t i = 0; i < rank; ++i) extents[i] = load_le<std::int32_t>(dimensions.data, i * 4);
    return Shape(std::span(extents).first(rank));
}

/// Classes 6 to 15 hold plain numbers; cells, structures, text, sparse arrays and objects are passed over.
void read_matrix(ByteSpan bytes, std::string const& file, MatChoice& choice) {
    constexpr std::uint32_t kComplex = 0x800;
    Elements parts(bytes, file);
    Element const flags = parts.next();
    if (flags.type != kUint32 || flags.data.size() < 8) fail("{}: a variable of this .mat file is damaged", file);
    auto const word = load_le<std::uint32_t>(flags.data, 0);
    std::uint32_t const array_class = word & 0xFFU;
    if (array_class < 6 || array_class > 15) return;

    Shape const shape = shape_of(parts.next(), file);
    std::string const name(as_text(parts.next().data));
    if (!choice.wants(name, shape)) return;
    if ((word & kComplex) != 0) fail("{}: {} holds complex numbers, real ones are read", file, excerpt(name));
    std::int64_t const count = checked_numbers(shape, file);
    Element const numbers = parts.next();
    auto const type = number_type(numbers.type);
    if (!type || numbers.data.size() / size_of(*type) < static_cast<std::size_t>(count)) {
        fail("{}: {} {} has fewer numbers than its shape says; the file is damaged", file, excerpt(name), shape.str());
    }
    choice.take({name, shape, from_column_major(numbers_to_f32(numbers.data, *type, count), shape)});
}

}  // namespace

bool has_mat_header(ByteSpan bytes) {
    return bytes.size() >= kHeader && as_text(bytes).starts_with("MATLAB ");
}

Array read_mat5(ByteSpan bytes, std::string const& file, std::string_view variable) {
    if (as_text(bytes.subspan(kEndianMark, 2)) != "IM") {
        fail("{}: this .mat file was written big-endian; save it again on a current machine", file);
    }
    MatChoice choice(file, variable);
    Elements elements(bytes.subspan(kHeader), file);
    while (!elements.at_end()) {
        Element const element = elements.next();
        if (element.type == kMatrix) {
            read_matrix(element.data, file, choice);
        } else if (element.type == kCompressed) {
            std::vector<std::byte> const inflated = inflate_zlib(element.data, file);
            Elements inside(inflated, file);
            Element const matrix = inside.next();
            if (matrix.type == kMatrix) read_matrix(matrix.data, file, choice);
        }
    }
    return choice.result();
}

}  // namespace vitrum
