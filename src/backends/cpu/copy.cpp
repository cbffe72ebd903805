// SPDX-License-Identifier: Apache-2.0
// Operators that move pixels: the value at an output pixel comes from one input pixel.
#include <cmath>
#include <limits>

#include "kernels.h"

namespace vitrum::cpu {
namespace {

/// Calls body(n, row) for each row of pixels, rows in parallel.
template <class Body>
void for_each_row(Launch const& launch, Nhwc<float> const& y, Body const& body) {
    launch.threads->parallel_for(y.n * y.h, [&](std::int64_t item, int) { body(item / y.h, item % y.h); });
}

/// to[c] = from[c] · scale[c] + shift[c]
void scale_shift(float const* from, float const* scale, float const* shift, std::int64_t channels, float* to) {
    for (std::int64_t c = 0; c < channels; ++c) to[c] = from[c] * scale[c] + shift[c];
}

/// The pixel that a position at or beyond the edge mirrors: 0 1 2 3 | 2 1 0 1 2 3 2 … for size 4.
std::int64_t reflected(std::int64_t position, std::int64_t size) {
    if (size == 1) return 0;
    std::int64_t const period = 2 * (size - 1);
    std::int64_t const within = position % period;
    return within < size ? within : period - within;
}

}  // namespace

template <>
void CopyKernel<PixelShuffle>::launch(PixelShuffle const& op, Launch const& launch) {
    Nhwc<float> const x = nhwc(launch.inputs[PixelShuffle::kX]);
    Nhwc<float> const y = nhwc(launch.outputs[0]);
    std::int64_t const r = op.factor;
    for_each_row(launch, y, [&](std::int64_t n, std::int64_t row) {
        for (std::int64_t column = 0; column < y.w; ++column) {
            float const* const from = x.pixel(n, row / r, column / r) + row % r * r + column % r;
            float* const to = y.pixel(n, row, column);
            for (std::int64_t c = 0; c < y.c; ++c) to[c] = from[c * r * r];
        }
    });
}

template <>
void CopyKernel<ResizeNearest>::launch(ResizeNearest const& op, Launch const& launch) {
    Nhwc<float> const x = nhwc(launch.inputs[ResizeNearest::kX]);
    Nhwc<float> const y = nhwc(launch.outputs[0]);
    for_each_row(launch, y, [&](std::int64_t n, std::int64_t row) {
        for (std::int64_t column = 0; column < y.w; ++column) {
            std::copy_n(x.pixel(n, row / op.factor, column / op.factor), y.c, y.pixel(n, row, column));
        }
    });
}

template <>
void CopyKernel<ReflectPad>::launch(ReflectPad const&, Launch const& launch) {
    Nhwc<float> const x = nhwc(launch.inputs[ReflectPad::kX]);
    Nhwc<float> const y = nhwc(launch.outputs[0]);
    float const* const scale = floats(launch.inputs[ReflectPad::kScale]);
    float const* const shift = floats(launch.inputs[ReflectPad::kShift]);
    for_each_row(launch, y, [&](std::int64_t n, std::int64_t row) {
        for (std::int64_t column = 0; column < y.w; ++column) {
            float const* const from = x.pixel(n, reflected(row, x.h), reflected(column, x.w));
            scale_shift(from, scale, shift, y.c, y.pixel(n, row, column));
        }
    });
}

template <>
void CopyKernel<MaxPool2d>::launch(MaxPool2d const& op, Launch const& launch) {
    Nhwc<float> const x = nhwc(launch.inputs[MaxPool2d::kX]);
    Nhwc<float> const y = nhwc(launch.outputs[0]);
    for_each_row(launch, y, [&](std::int64_t n, std::int64_t row) {
        std::int64_t const top = row * op.stride - op.padding();
        for (std::int64_t column = 0; column < y.w; ++column) {
            std::int64_t const left = column * op.stride - op.padding();
            float* const to = y.pixel(n, row, column);
            std::fill_n(to, y.c, -std::numeric_limits<float>::infinity());
            for (std::int64_t i = std::max<std::int64_t>(0, top); i < std::min(x.h, top + op.kernel); ++i) {
                for (std::int64_t j = std::max<std::int64_t>(0, left); j < std::min(x.w, left + op.kernel); ++j) {
                    float const* const from = x.pixel(n, i, j);
                    for (std::int64_t c = 0; c < y.c; ++c) {
                        if (from[c] > to[c] || std::isnan(from[c])) to[c] = from[c];
                    }
                }
            }
        }
    });
}

template <>
void CopyKernel<Crop>::launch(Crop const&, Launch const& launch) {
    Nhwc<float> const x = nhwc(launch.inputs[Crop::kX]);
    Nhwc<float> const y = nhwc(launch.outputs[0]);
    float const* const scale = floats(launch.inputs[Crop::kScale]);
    float const* const shift = floats(launch.inputs[Crop::kShift]);
    for_each_row(launch, y, [&](std::int64_t n, std::int64_t row) {
        for (std::int64_t column = 0; column < y.w; ++column) {
            scale_shift(x.pixel(n, row, column), scale, shift, y.c, y.pixel(n, row, column));
        }
    });
}

template <>
void CopyKernel<ShiftBack>::launch(ShiftBack const& op, Launch const& launch) {
    Nhwc<float> const x = nhwc(launch.inputs[ShiftBack::kX]);
    Nhwc<float> const y = nhwc(launch.outputs[0]);
    for_each_row(launch, y, [&](std::int64_t n, std::int64_t row) {
        float* const to = y.pixel(n, row, 0);
        for (std::int64_t c = 0; c < y.c; ++c) {
            float const* const from = x.pixel(n, row, op.shift(c, y.h)) + c;
            for (std::int64_t column = 0; column < y.w; ++column) to[column * y.stride + c] = from[column * x.stride];
        }
    });
}

}  // namespace vitrum::cpu
