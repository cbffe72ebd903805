// SPDX-License-Identifier: Apache-2.0
#include "base/tensor_view.h"

#include <cstring>

#include "base/narrow.h"

namespace vitrum {
namespace {

template <class T>
T load(std::byte const* from) {
    T value;
    std::memcpy(&value, from, sizeof value);  // checkpoints promise no alignment
    return value;
}

float load_as_f32(std::byte const* from, DType type) {
    switch (type) {
        case DType::f32: return load<float>(from);
        case DType::f16: return half_to_float(load<std::uint16_t>(from));
        case DType::bf16: return bfloat16_to_float(load<std::uint16_t>(from));
        case DType::f64: return static_cast<float>(load<double>(from));
        case DType::i8: return static_cast<float>(load<std::int8_t>(from));
        case DType::u8:
        case DType::boolean: return static_cast<float>(load<std::uint8_t>(from));
        case DType::i16: return static_cast<float>(load<std::int16_t>(from));
        case DType::i32: return static_cast<float>(load<std::int32_t>(from));
        case DType::i64: return static_cast<float>(load<std::int64_t>(from));
        case DType::u16: return static_cast<float>(load<std::uint16_t>(from));
        case DType::u32: return static_cast<float>(load<std::uint32_t>(from));
        case DType::u64:
        case DType::text: return static_cast<float>(load<std::uint64_t>(from));
        case DType::f8e4m3fn:
        case DType::f8e4m3fnuz:
        case DType::f8e5m2:
        case DType::f8e5m2fnuz:
        case DType::f8e8m0:
        case DType::f4e2m1:
        case DType::i4:
        case DType::u4:
        case DType::i2:
        case DType::u2: return narrow_to_float(type, load<std::uint8_t>(from));
    }
    return 0.0F;
}

float* copy_dimension(ConstTensorView const& from, int dimension, std::byte const* at, float* to) {
    auto const step = from.strides[dimension] * static_cast<std::int64_t>(size_of(from.dtype));
    for (std::int64_t i = 0; i < from.shape[dimension]; ++i, at += step) {
        if (dimension + 1 == from.shape.rank()) *to++ = load_as_f32(at, from.dtype);
        else to = copy_dimension(from, dimension + 1, at, to);
    }
    return to;
}

}  // namespace

void copy_to_f32(ConstTensorView const& from, float* to) {
    auto const count = from.shape.count();
    if (count == 0) return;
    if (from.dtype == DType::f32 && from.is_contiguous()) {
        std::memcpy(to, from.data, static_cast<std::size_t>(count) * sizeof(float));
    } else if (from.shape.rank() == 0) {
        *to = load_as_f32(from.data, from.dtype);
    } else {
        copy_dimension(from, 0, from.data, to);
    }
}

}  // namespace vitrum
