// SPDX-License-Identifier: Apache-2.0
#include "pack.h"

#include "choices.h"

namespace vitrum::cuda {
namespace {

enum PackingKind : int { kConv, kParts, kDepthwise, kTransposed };

std::size_t bytes_of(std::int64_t floats) {
    return static_cast<std::size_t>(floats) * sizeof(float);
}

float* floats(std::byte* to) {
    return reinterpret_cast<float*>(to);
}

void fill_conv(float const* from, Shape const& shape, PackingKey const&, std::byte* to) {
    std::int64_t const taps = shape.count() / (shape[0] * shape[1]);
    PackedExtent const extent = packed_extent(shape[0], shape[1], taps);
    for (std::int64_t column = 0; column < shape[0]; ++column) {
        for (std::int64_t channel = 0; channel < shape[1]; ++channel) {
            for (std::int64_t tap = 0; tap < taps; ++tap) {
                floats(to)[(tap * padded_channels(shape[1]) + channel) * extent.stride + column] = *from++;
            }
        }
    }
}

void fill_parts(float const* from, Shape const& shape, PackingKey const& key, std::byte* to) {
    std::int64_t const channels = shape[1] / key.param;
    PackedExtent const extent = packed_extent(shape[0], channels, key.param);
    for (std::int64_t column = 0; column < shape[0]; ++column) {
        for (std::int64_t k = 0; k < shape[1]; ++k) {
            std::int64_t const row = k / channels * padded_channels(channels) + k % channels;
            floats(to)[row * extent.stride + column] = *from++;
        }
    }
}

void fill_depthwise(float const* from, Shape const& shape, PackingKey const&, std::byte* to) {
    std::int64_t const taps = shape.count() / shape[0];
    for (std::int64_t channel = 0; channel < shape[0]; ++channel) {
        for (std::int64_t tap = 0; tap < taps; ++tap) {
            floats(to)[tap * padded_channels(shape[0]) + channel] = *from++;
        }
    }
}

void fill_transposed(float const* from, Shape const& shape, PackingKey const&, std::byte* to) {
    for (std::int64_t i = 0; i < shape[0]; ++i) {
        for (std::int64_t j = 0; j < shape[1]; ++j) floats(to)[j * shape[0] + i] = *from++;
    }
}

}  // namespace

Packing pack_conv(int input, Shape const& shape) {
    std::int64_t const taps = shape.count() / (shape[0] * shape[1]);
    return {.input = input,
            .key = {.kind = kConv},
            .bytes = bytes_of(packed_extent(shape[0], shape[1], taps).floats()),
            .pack = fill_conv};
}

Packing pack_linear(int input, Shape const& shape) {
    return pack_conv(input, shape);
}

Packing pack_parts(int input, Shape const& shape, std::int64_t parts) {
    return {.input = input,
            .key = {.kind = kParts, .param = parts},
            .bytes = bytes_of(packed_extent(shape[0], shape[1] / parts, parts).floats()),
            .pack = fill_parts};
}

Packing pack_depthwise(int input, Shape const& shape) {
    return {.input = input,
            .key = {.kind = kDepthwise},
            .bytes = bytes_of(shape.count() / shape[0] * padded_channels(shape[0])),
            .pack = fill_depthwise};
}

Packing pack_transposed(int input, Shape const& shape) {
    return {.input = input, .key = {.kind = kTransposed}, .bytes = bytes_of(shape.count()), .pack = fill_transposed};
}

}  // namespace vitrum::cuda
