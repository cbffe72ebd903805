// SPDX-License-Identifier: Apache-2.0
// Between the frameworks' layout (any strides, any floating-point type) and the engine's packed float32 NHWC.
#pragma once

#include <cstddef>
#include <cstdint>

#include "vitrum/engine.h"

namespace vitrum::python {

enum class Element : std::uint8_t { f16, bf16, f32, f64 };

[[nodiscard]] constexpr std::size_t size_of(Element element) {
    return element == Element::f64 ? 8 : element == Element::f32 ? 4 : 2;
}

/// A batch of pictures as a framework holds it: extents, and strides in elements. Queries are pictures of one row.
struct Planes {
    void* data = nullptr;
    Element element = Element::f32;
    std::int64_t n = 1, c = 1, h = 1, w = 1;
    std::int64_t n_stride = 0, c_stride = 0, h_stride = 0, w_stride = 0;
};

/// Copies to packed [N, H, W, C]; memory that is channels-last already is copied as it lies. Planes are only read.
void to_nhwc(Planes const& from, float* to);

/// Copies packed [N, H, W, C] out, and tells whether a value was NaN or infinite, or beyond the element type.
[[nodiscard]] Outcome from_nhwc(float const* from, Planes const& to);

/// Whether no value of one packed row is NaN or infinite.
[[nodiscard]] bool all_finite(Planes const& row);

}  // namespace vitrum::python
