// SPDX-License-Identifier: Apache-2.0
#include "numbers.h"

#include "base/check.h"
#include "base/dtype.h"

namespace vitrum {
namespace {

template <class T>
std::vector<float> widen(ByteSpan bytes, std::int64_t count) {
    std::vector<float> values(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < values.size(); ++i) {
        values[i] = static_cast<float>(load_le<T>(bytes, i * sizeof(T)));
    }
    return values;
}

std::vector<float> widen_halves(ByteSpan bytes, std::int64_t count) {
    std::vector<float> values(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = half_to_float(load_le<std::uint16_t>(bytes, i * 2));
    return values;
}

}  // namespace

std::int64_t checked_numbers(Shape const& shape, std::string_view file) {
    auto const count = shape.checked_count();
    if (!count || *count > kMaxNumbers) {
        fail("{}: the header states an array of {}, which is more than the 2^30 numbers that are read", file,
             shape.str());
    }
    return *count;
}

std::vector<float> numbers_to_f32(ByteSpan bytes, NumberType type, std::int64_t count) {
    switch (type) {
        case NumberType::i8: return widen<std::int8_t>(bytes, count);
        case NumberType::u8: return widen<std::uint8_t>(bytes, count);
        case NumberType::i16: return widen<std::int16_t>(bytes, count);
        case NumberType::u16: return widen<std::uint16_t>(bytes, count);
        case NumberType::i32: return widen<std::int32_t>(bytes, count);
        case NumberType::u32: return widen<std::uint32_t>(bytes, count);
        case NumberType::i64: return widen<std::int64_t>(bytes, count);
        case NumberType::u64: return widen<std::uint64_t>(bytes, count);
        case NumberType::f16: return widen_halves(bytes, count);
        case NumberType::f32: return widen<float>(bytes, count);
        case NumberType::f64: return widen<double>(bytes, count);
    }
    return {};
}

std::vector<float> from_column_major(std::vector<float> values, Shape const& shape) {
    if (shape.rank() < 2) return values;
    std::vector<float> rows_first(values.size());
    // Walks the result in its order; `at` is the position in the source of the index that `index` holds.
    Shape index = shape, strides = shape;
    std::int64_t stride = 1;
    for (int i = 0; i < shape.rank(); ++i) {
        index[i] = 0;
        strides[i] = stride;
        stride *= shape[i];
    }
    std::int64_t at = 0;
    for (float& value : rows_first) {
        value = values[static_cast<std::size_t>(at)];
        for (int i = shape.rank() - 1; i >= 0; --i) {
            at += strides[i];
            if (++index[i] < shape[i]) break;
            at -= strides[i] * shape[i];
            index[i] = 0;
        }
    }
    return rows_first;
}

}  // namespace vitrum
