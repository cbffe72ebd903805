// SPDX-License-Identifier: Apache-2.0
// An output pixel from one pixel of the input, or from a few.
#include "../general_kernels.h"
#include "device.cuh"

namespace vitrum::cuda {
namespace {

/// The pixel that a position at or beyond the edge mirrors: 0 1 2 3 | 2 1 0 1 2 3 2 … for size 4.
__host__ __device__ inline std::int64_t reflected(std::int64_t position, std::int64_t size) {
    if (size == 1) return 0;
    std::int64_t const period = 2 * (size - 1);
    std::int64_t const within = divide(position, period).rest;
    return within < size ? within : period - within;
}

/// Where an output pixel's numbers come from: x / factor, the mirrored pixel, or the same.
enum class Move : std::uint8_t { repeat, mirror, same };

struct MoveQuad {
    Pixels x, y;
    Move move;
    int factor;
    float const* scale;  ///< null: copied
    float const* shift;

    [[nodiscard]] __device__ std::int64_t source(std::int64_t i, std::int64_t size) const {
        if (move == Move::repeat) return divide(i, factor).whole;
        return move == Move::mirror ? reflected(i, size) : i;
    }
    __device__ void operator()(std::int64_t i) const {
        Quotient const at = divide(i, y.quads());
        int const c = static_cast<int>(at.rest) * 4, left = y.c - c;
        Place const to(at.whole, y.h, y.w);
        std::int64_t const from = (to.n * x.h + source(to.row, x.h)) * x.w + source(to.column, x.w);
        float4 v = load4(x.at(from) + c, left, x.vector);
        if (scale != nullptr) {
            v = each(v, [&](float value, int j) { return j < left ? fmaf(value, scale[c + j], shift[c + j]) : 0.0F; });
        }
        store4(y.at(at.whole) + c, v, left, y.vector);
    }
};

/// PyTorch's order: channel c · r² + i · r + j to offset (i, j).
struct ShuffleQuad {
    Pixels x, y;
    int factor;

    __device__ void operator()(std::int64_t i) const {
        Quotient const at = divide(i, y.quads());
        int const c = static_cast<int>(at.rest) * 4, left = y.c - c;
        Place const to(at.whole, y.h, y.w);
        Quotient const row = divide(to.row, factor), column = divide(to.column, factor);
        float const* const from = x.at((to.n * x.h + row.whole) * x.w + column.whole);
        int const squared = factor * factor, offset = static_cast<int>(row.rest * factor + column.rest);
        float4 const v =
            each(float4{}, [&](float, int j) { return j < left ? from[(c + j) * squared + offset] : 0.0F; });
        store4(y.at(at.whole) + c, v, left, y.vector);
    }
};

/// fmaxf would lose NaN.
[[nodiscard]] __device__ inline float larger(float a, float b) {
    return a >= b || a != a ? a : b;
}

struct PoolQuad {
    Pixels x, y;
    int kernel, stride, padding;

    __device__ void operator()(std::int64_t i) const {
        Quotient const at = divide(i, y.quads());
        int const c = static_cast<int>(at.rest) * 4, left = y.c - c;
        Place const to(at.whole, y.h, y.w);
        std::int64_t const top = to.row * stride - padding, first = to.column * stride - padding;
        float4 most = make_float4(-INFINITY, -INFINITY, -INFINITY, -INFINITY);
        for (std::int64_t row = top < 0 ? 0 : top; row < min(x.h, top + kernel); ++row) {
            for (std::int64_t column = first < 0 ? 0 : first; column < min(x.w, first + kernel); ++column) {
                float4 const v = load4(x.at((to.n * x.h + row) * x.w + column) + c, left, x.vector);
                most = make_float4(larger(most.x, v.x), larger(most.y, v.y), larger(most.z, v.z), larger(most.w, v.w));
            }
        }
        store4(y.at(at.whole) + c, most, left, y.vector);
    }
};

/// See ShiftBack::shift: the same two roundings, the quotient and the product.
struct ShiftBackQuad {
    Pixels x, y;
    double per_channel;

    __device__ void operator()(std::int64_t i) const {
        Quotient const at = divide(i, y.quads());
        int const c = static_cast<int>(at.rest) * 4, left = y.c - c;
        Place const to(at.whole, y.h, y.w);
        float const* const line = x.at((to.n * x.h + to.row) * x.w + to.column);
        float4 const v = each(float4{}, [&](float, int j) {
            if (j >= left) return 0.0F;
            auto const shift = static_cast<std::int64_t>(per_channel * static_cast<double>(c + j));
            return line[shift * x.stride + c + j];
        });
        store4(y.at(at.whole) + c, v, left, y.vector);
    }
};

/// [N, C, H, W] to pixels or back; neighbouring threads read or write neighbouring numbers of a plane.
struct Transpose {
    Pixels pixels;
    float* planes;
    bool to_pixels;

    __device__ void operator()(std::int64_t i) const {
        std::int64_t const plane = pixels.h * pixels.w;
        Quotient const at = divide(i, plane);
        Quotient const image = divide(at.whole, pixels.c);
        float* const pixel = pixels.at(image.whole * plane + at.rest) + image.rest;
        if (to_pixels) *pixel = planes[i];
        else planes[i] = *pixel;
    }
};

}  // namespace

template <>
void PixelShuffleKernel::launch(PixelShuffle const& op, Launch const& launch) {
    Pixels const y(launch.outputs[0]);
    for_each(launch.stream, y.count() * y.quads(), ShuffleQuad{Pixels(launch.inputs[0]), y, op.factor});
}

template <>
void ResizeNearestKernel::launch(ResizeNearest const& op, Launch const& launch) {
    Pixels const y(launch.outputs[0]);
    MoveQuad const quad{Pixels(launch.inputs[0]), y, Move::repeat, op.factor, nullptr, nullptr};
    for_each(launch.stream, y.count() * y.quads(), quad);
}

template <>
void ReflectPadKernel::launch(ReflectPad const&, Launch const& launch) {
    Pixels const y(launch.outputs[0]);
    MoveQuad const quad{
        Pixels(launch.inputs[ReflectPad::kX]),    y, Move::mirror, 1, floats(launch.inputs[ReflectPad::kScale]),
        floats(launch.inputs[ReflectPad::kShift])};
    for_each(launch.stream, y.count() * y.quads(), quad);
}

template <>
void CropKernel::launch(Crop const&, Launch const& launch) {
    Pixels const y(launch.outputs[0]);
    MoveQuad const quad{Pixels(launch.inputs[Crop::kX]),    y, Move::same, 1, floats(launch.inputs[Crop::kScale]),
                        floats(launch.inputs[Crop::kShift])};
    for_each(launch.stream, y.count() * y.quads(), quad);
}

template <>
void MaxPool2dKernel::launch(MaxPool2d const& op, Launch const& launch) {
    Pixels const y(launch.outputs[0]);
    PoolQuad const quad{Pixels(launch.inputs[0]), y, op.kernel, op.stride, op.padding()};
    for_each(launch.stream, y.count() * y.quads(), quad);
}

template <>
void ElementKernel<ShiftBack>::launch(ShiftBack const& op, Launch const& launch) {
    Pixels const y(launch.outputs[0]);
    auto const shrink = static_cast<double>(op.full_rows / y.h);
    ShiftBackQuad const quad{Pixels(launch.inputs[0]), y, op.step / (shrink * shrink)};
    for_each(launch.stream, y.count() * y.quads(), quad);
}

template <>
void ToPixelsKernel::launch(ToPixels const&, Launch const& launch) {
    Pixels const y(launch.outputs[0]);
    for_each(launch.stream, y.count() * y.c, Transpose{y, reinterpret_cast<float*>(launch.inputs[0].data), true});
}

template <>
void ToDenseKernel::launch(ToDense const&, Launch const& launch) {
    Pixels const x(launch.inputs[0]);
    for_each(launch.stream, x.count() * x.c, Transpose{x, reinterpret_cast<float*>(launch.outputs[0].data), false});
}

}  // namespace vitrum::cuda
