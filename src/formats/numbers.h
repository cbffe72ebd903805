// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/shape.h"
#include "source.h"

namespace vitrum {

/// How a number lies in an array file.
enum class NumberType : std::uint8_t { i8, u8, i16, u16, i32, u32, i64, u64, f16, f32, f64 };

[[nodiscard]] constexpr std::size_t size_of(NumberType type) {
    switch (type) {
        case NumberType::i8:
        case NumberType::u8: return 1;
        case NumberType::i16:
        case NumberType::u16:
        case NumberType::f16: return 2;
        case NumberType::i32:
        case NumberType::u32:
        case NumberType::f32: return 4;
        case NumberType::i64:
        case NumberType::u64:
        case NumberType::f64: return 8;
    }
    return 1;
}

/// No array file is read that holds more numbers: 4 GiB as float32.
constexpr std::int64_t kMaxNumbers = std::int64_t{1} << 30;

/// The number of elements of a shape that a file states. Throws Error for one that is negative or too large.
[[nodiscard]] std::int64_t checked_numbers(Shape const& shape, std::string_view file);

/// Little-endian numbers as float32, in their order. The caller has checked that the bytes are there.
[[nodiscard]] std::vector<float> numbers_to_f32(ByteSpan bytes, NumberType type, std::int64_t count);

/// An array whose first index runs fastest (MATLAB, Fortran) brought into the order of C. A shape of rank 0 or
/// 1 is the same in both.
[[nodiscard]] std::vector<float> from_column_major(std::vector<float> values, Shape const& shape);

}  // namespace vitrum
