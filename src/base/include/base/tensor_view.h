// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "base/dtype.h"
#include "base/shape.h"

namespace vitrum {

/// A tensor that somebody else owns: pointer, element type, extents, strides in elements. Passed by value.
template <class Byte>
struct BasicTensorView {
    Byte* data = nullptr;
    DType dtype = DType::f32;
    Shape shape;
    Shape strides;

    [[nodiscard]] bool is_contiguous() const { return strides == shape.contiguous_strides(); }
};

using TensorView = BasicTensorView<std::byte>;
using ConstTensorView = BasicTensorView<std::byte const>;

/// A float32 picture or token map in memory: [N, H, W, C], channels innermost, `stride` floats from one
/// pixel to the next (stride >= C; the floats between are padding with no defined content).
template <class T>
struct Nhwc {
    T* data;
    std::int64_t n, h, w, c, stride;

    [[nodiscard]] T* pixel(std::int64_t in, std::int64_t iy, std::int64_t ix) const {
        return data + ((in * h + iy) * w + ix) * stride;
    }
    [[nodiscard]] std::int64_t pixels() const { return n * h * w; }
};

/// The NHWC reading of a rank-4 float32 view.
[[nodiscard]] inline Nhwc<float> nhwc(TensorView const& view) {
    VITRUM_ASSERT(view.dtype == DType::f32 && view.shape.rank() == 4);
    return {reinterpret_cast<float*>(view.data),
            view.shape[0],
            view.shape[1],
            view.shape[2],
            view.shape[3],
            view.strides[2]};
}

[[nodiscard]] inline TensorView nhwc_view(std::byte* data, Shape const& shape, std::int64_t pixel_stride) {
    return {data, DType::f32, shape, {shape[1] * shape[2] * pixel_stride, shape[2] * pixel_stride, pixel_stride, 1}};
}

/// Copies any real element type and any strides into packed row-major float32.
void copy_to_f32(ConstTensorView const& from, float* to);

}  // namespace vitrum
