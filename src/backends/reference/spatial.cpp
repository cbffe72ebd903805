// SPDX-License-Identifier: Apache-2.0
// Operators that move pixels: the value at an output pixel comes from one input pixel.
#include "kernels.h"
#include "math.h"

namespace vitrum::reference {
namespace {

/// Calls body(n, row, column) for each pixel of y, rows in parallel.
template <class Body>
void for_each_pixel(Launch const& launch, Nhwc<float> const& y, Body const& body) {
    launch.threads->parallel_for(y.n * y.h, [&](std::int64_t item, int) {
        for (std::int64_t column = 0; column < y.w; ++column) body(item / y.h, item % y.h, column);
    });
}

/// to[c] = from[c] · scale[c] + shift[c]
void scale_shift(float const* from, float const* scale, float const* shift, std::int64_t channels, float* to) {
    for (std::int64_t c = 0; c < channels; ++c) {
        to[c] = static_cast<float>(static_cast<double>(from[c]) * scale[c] + shift[c]);
    }
}

/// The pixel that a position at or beyond the edge mirrors: 0 1 2 3 | 2 1 0 1 2 3 2 … for size 4.
std::int64_t reflected(std::int64_t position, std::int64_t size) {
    if (size == 1) return 0;
    std::int64_t const period = 2 * (size - 1);
    std::int64_t const within = position % period;
    return within < size ? within : period - within;
}

}  // namespace

void PixelShuffleKernel::launch(PixelShuffle const& op, Launch const& launch) {
    Nhwc<float> const x = nhwc(launch.inputs[PixelShuffle::kX]);
    Nhwc<float> const y = nhwc(launch.outputs[0]);
    std::int64_t const r = op.factor;
    for_each_pixel(launch, y, [&](std::int64_t n, std::int64_t row, std::int64_t column) {
        float const* const from = x.pixel(n, row / r, column / r);
        std::int64_t const offset = row % r * r + column % r;
        for (std::int64_t c = 0; c < y.c; ++c) y.pixel(n, row, column)[c] = from[c * r * r + offset];
    });
}

void ResizeNearestKernel::launch(ResizeNearest const& op, Launch const& launch) {
    Nhwc<float> const x = nhwc(launch.inputs[ResizeNearest::kX]);
    Nhwc<float> const y = nhwc(launch.outputs[0]);
    for_each_pixel(launch, y, [&](std::int64_t n, std::int64_t row, std::int64_t column) {
        float const* const from = x.pixel(n, row / op.factor, column / op.factor);
        for (std::int64_t c = 0; c < y.c; ++c) y.pixel(n, row, column)[c] = from[c];
    });
}

void ReflectPadKernel::launch(ReflectPad const&, Launch const& launch) {
    Nhwc<float> const x = nhwc(launch.inputs[ReflectPad::kX]);
    Nhwc<float> const y = nhwc(launch.outputs[0]);
    float const* const scale = floats(launch.inputs[ReflectPad::kScale]);
    float const* const shift = floats(launch.inputs[ReflectPad::kShift]);
    for_each_pixel(launch, y, [&](std::int64_t n, std::int64_t row, std::int64_t column) {
        float const* const from = x.pixel(n, reflected(row, x.h), reflected(column, x.w));
        scale_shift(from, scale, shift, y.c, y.pixel(n, row, column));
    });
}

void CropKernel::launch(Crop const&, Launch const& launch) {
    Nhwc<float> const x = nhwc(launch.inputs[Crop::kX]);
    Nhwc<float> const y = nhwc(launch.outputs[0]);
    float const* const scale = floats(launch.inputs[Crop::kScale]);
    float const* const shift = floats(launch.inputs[Crop::kShift]);
    for_each_pixel(launch, y, [&](std::int64_t n, std::int64_t row, std::int64_t column) {
        scale_shift(x.pixel(n, row, column), scale, shift, y.c, y.pixel(n, row, column));
    });
}

void ShiftBackKernel::launch(ShiftBack const& op, Launch const& launch) {
    Nhwc<float> const x = nhwc(launch.inputs[ShiftBack::kX]);
    Nhwc<float> const y = nhwc(launch.outputs[0]);
    for_each_pixel(launch, y, [&](std::int64_t n, std::int64_t row, std::int64_t column) {
        float* const to = y.pixel(n, row, column);
        for (std::int64_t c = 0; c < y.c; ++c) to[c] = x.pixel(n, row, column + op.shift(c, y.h))[c];
    });
}

}  // namespace vitrum::reference
