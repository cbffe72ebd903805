// SPDX-License-Identifier: Apache-2.0
#include "fake_copy.h"

#include <cmath>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "backends/memory.h"
#include "rounding.h"

namespace vitrum::test {
namespace {

/// Stores a number, and returns what it became.
float store(std::byte* to, DType type, float value) {
    auto const as = [&]<class T>(T stored) { std::memcpy(to, &stored, sizeof(T)); };
    switch (type) {
        case DType::f16: as(cuda::half_bits(value)); return half_to_float(cuda::half_bits(value));
        case DType::bf16: as(cuda::bfloat16_bits(value)); return bfloat16_to_float(cuda::bfloat16_bits(value));
        case DType::f64: as(static_cast<double>(value)); return value;
        default: as(value); return value;
    }
}

std::byte* element_of(TensorView const& view, std::int64_t index) {
    std::int64_t offset = 0;
    for (int d = view.shape.rank(); d-- > 0; index /= view.shape[d]) offset += index % view.shape[d] * view.strides[d];
    return view.data + offset * static_cast<std::int64_t>(size_of(view.dtype));
}

}  // namespace

std::uint32_t copy_elements(TensorView const& to, TensorView const& from) {
    bool const converts = to.dtype != from.dtype;
    if (to.shape != from.shape || (converts && !(is_floating(to.dtype) && is_floating(from.dtype)))) {
        throw std::logic_error("no such copy");
    }
    std::vector<float> values(static_cast<std::size_t>(from.shape.count()));
    copy_to_f32({from.data, from.dtype, from.shape, from.strides}, values.data());
    std::uint32_t seen = 0;
    for (std::int64_t i = 0; i < from.shape.count(); ++i) {
        float const value = values[static_cast<std::size_t>(i)];
        float stored = value;
        if (converts) stored = store(element_of(to, i), to.dtype, value);
        else std::memcpy(element_of(to, i), element_of(from, i), size_of(to.dtype));
        if (!std::isfinite(value)) seen |= kNotFinite;
        else if (!std::isfinite(stored)) seen |= kOutOfRange;
    }
    return seen;
}

}  // namespace vitrum::test
