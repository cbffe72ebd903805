// SPDX-License-Identifier: Apache-2.0
#include "pack.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <numeric>
#include <vector>

#include "base/dtype.h"
#include "operands.h"
#include "packing_kinds.h"
#include "rounding.h"

namespace vitrum::cuda {
namespace {

std::size_t bytes_of(std::int64_t floats) {
    return static_cast<std::size_t>(floats) * sizeof(float);
}

float* floats(std::byte* to) {
    return reinterpret_cast<float*>(to);
}

/// Writes a weight's numbers as operands: `to` is zeroed, and what is never put stays zero.
class OperandWriter {
public:
    OperandWriter(Precision operands, std::int64_t columns, std::int64_t channels, std::int64_t taps, std::byte* to)
        : OperandWriter(operand_extent(operands, columns, taps * padded_channels(channels)), padded_channels(channels),
                        to) {}
    OperandWriter(OperandExtent const& extent, std::int64_t padded_channels, std::byte* to)
        : extent_(extent), channels_(padded_channels), to_(to) {}

    void put(std::int64_t column, std::int64_t tap, std::int64_t channel, float value) const {
        std::int64_t const k = tap * channels_ + channel;
        switch (extent_.precision) {
            case Precision::fp32:
                put_at(extent_.place(column, k), tf32_bits(value));
                put_at(extent_.place(column, k, 1), tf32_bits(value - std::bit_cast<float>(tf32_bits(value))));
                break;
            case Precision::tf32: put_at(extent_.place(column, k), tf32_bits(value)); break;
            case Precision::bf16: put_at(extent_.place(column, k), bfloat16_bits(value)); break;
            case Precision::fp16: put_at(extent_.place(column, k), half_bits(value)); break;
        }
    }

private:
    template <class T>
    void put_at(std::int64_t place, T bits) const {
        reinterpret_cast<T*>(to_)[place] = bits;
    }

    OperandExtent extent_;
    std::int64_t channels_;
    std::byte* to_;
};

std::size_t operand_bytes(Precision operands, std::int64_t columns, std::int64_t channels, std::int64_t taps) {
    return static_cast<std::size_t>(operand_extent(operands, columns, taps * padded_channels(channels)).bytes());
}

void put_conv(OperandWriter const& writer, float const* from, Shape const& shape, float unit = 1.0F) {
    std::int64_t const taps = shape.count() / (shape[0] * shape[1]);
    for (std::int64_t column = 0; column < shape[0]; ++column) {
        for (std::int64_t channel = 0; channel < shape[1]; ++channel) {
            for (std::int64_t tap = 0; tap < taps; ++tap) writer.put(column, tap, channel, *from++ / unit);
        }
    }
}

void fill_conv(float const* from, Shape const& shape, PackingKey const& key, std::byte* to) {
    std::int64_t const taps = shape.count() / (shape[0] * shape[1]);
    put_conv({static_cast<Precision>(key.isa), shape[0], shape[1], taps, to}, from, shape);
}

void fill_patch_conv(float const* from, Shape const& shape, PackingKey const& key, std::byte* to) {
    std::int64_t const taps = shape.count() / (shape[0] * shape[1]);
    OperandExtent const extent = patch_extent(static_cast<Precision>(key.isa), shape[0], shape[1], taps);
    float const unit = half_unit({from, static_cast<std::size_t>(shape.count())});
    bool const is_scaled = extent.precision == Precision::fp16;
    if (is_scaled) std::memcpy(to + extent.bytes(), &unit, sizeof(unit));
    put_conv({extent, extent.padded_depth() / taps, to}, from, shape, is_scaled ? unit : 1.0F);
}

void fill_plain(float const* from, Shape const& shape, PackingKey const&, std::byte* to) {
    std::int64_t const stride = packed_extent(shape[0], shape[1], 1).stride;
    for (std::int64_t column = 0; column < shape[0]; ++column) {
        for (std::int64_t k = 0; k < shape[1]; ++k) floats(to)[k * stride + column] = *from++;
    }
}

void fill_parts(float const* from, Shape const& shape, PackingKey const& key, std::byte* to) {
    std::int64_t const channels = shape[1] / key.param;
    OperandWriter const writer(static_cast<Precision>(key.isa), shape[0], channels, key.param, to);
    for (std::int64_t column = 0; column < shape[0]; ++column) {
        for (std::int64_t k = 0; k < shape[1]; ++k) writer.put(column, k / channels, k % channels, *from++);
    }
}

std::size_t half_depthwise_bytes(Shape const& shape, std::int64_t step) {
    return bytes_of(shape.count() / shape[0] * round_up(shape[0], step)) / 2;
}

void fill_depthwise(float const* from, Shape const& shape, PackingKey const& key, std::byte* to) {
    std::int64_t const taps = shape.count() / shape[0];
    std::int64_t const step = key.param;
    for (std::int64_t channel = 0; channel < shape[0]; ++channel) {
        for (std::int64_t tap = 0; tap < taps; ++tap, ++from) {
            std::int64_t const at = (channel / step * taps + tap) * step + channel % step;
            if (key.kind == kHalfDepthwise) reinterpret_cast<std::uint16_t*>(to)[at] = half_bits(*from);
            else floats(to)[at] = *from;
        }
    }
}

/// The least power of two that the absolute values of no channel's taps sum up to more than.
float filter_unit(float const* from, Shape const& shape) {
    std::int64_t const taps = shape.count() / shape[0];
    float largest = 0;
    for (std::int64_t channel = 0; channel < shape[0]; ++channel, from += taps) {
        largest = std::max(largest, std::transform_reduce(from, from + taps, 0.0F, std::plus{},
                                                          [](float tap) { return std::abs(tap); }));
    }
    return largest > 0 ? std::ldexp(1.0F, std::max(std::ilogb(largest) + 1, -126)) : 1.0F;
}

void fill_scaled_depthwise(float const* from, Shape const& shape, PackingKey const& key, std::byte* to) {
    float const unit = filter_unit(from, shape);
    std::vector<float> scaled(from, from + shape.count());
    for (float& tap : scaled) tap /= unit;
    PackingKey halves = key;
    halves.kind = kHalfDepthwise;
    fill_depthwise(scaled.data(), shape, halves, to);
    std::memcpy(to + half_depthwise_bytes(shape, key.param), &unit, sizeof(unit));
}

void fill_transposed(float const* from, Shape const& shape, PackingKey const&, std::byte* to) {
    for (std::int64_t i = 0; i < shape[0]; ++i) {
        for (std::int64_t j = 0; j < shape[1]; ++j) floats(to)[j * shape[0] + i] = *from++;
    }
}

void put_word(std::byte* to, std::int64_t word, float value) {
    std::uint32_t const bits = tf32_bits(value);
    std::memcpy(to + word * 4, &bits, sizeof(bits));
}

void fill_up_conv(float const* from, Shape const& shape, PackingKey const&, std::byte* to) {
    UpConvWeights const weights(shape[0], shape[1]);
    for (std::int64_t i = 0; i < shape.count(); ++i) put_word(to, weights.word(i / shape[1], i % shape[1]), from[i]);
}

/// key.isa is the kind of fragments, key.param their steps and, in the upper half, their tiles.
void fill_fragments(float const* from, Shape const& shape, PackingKey const& key, std::byte* to) {
    auto const kind = static_cast<FragmentKind>(key.isa);
    std::int64_t const steps = key.param & 0xFFFFFFFF;
    for (std::int64_t column = 0; column < shape[0]; ++column) {
        for (std::int64_t channel = 0; channel < shape[1]; ++channel) {
            float const value = *from++;
            FragmentPlace const at(column, channel);
            if (kind == FragmentKind::half) {
                std::uint16_t const bits = half_bits(value);
                std::memcpy(to + at.half(steps) * 2, &bits, sizeof(bits));
                continue;
            }
            put_word(to, at.word(steps, kind, 0), value);
            if (kind == FragmentKind::tf32) continue;
            put_word(to, at.word(steps, kind, 1), value - std::bit_cast<float>(tf32_bits(value)));
        }
    }
}

}  // namespace

Packing pack_conv(int input, Shape const& shape, Precision operands) {
    std::int64_t const taps = shape.count() / (shape[0] * shape[1]);
    return {.input = input,
            .key = {.kind = kConv, .isa = static_cast<int>(operands)},
            .bytes = operand_bytes(operands, shape[0], shape[1], taps),
            .pack = fill_conv};
}

Packing pack_patch_conv(int input, Shape const& shape, Precision operands) {
    std::int64_t const taps = shape.count() / (shape[0] * shape[1]);
    return {.input = input,
            .key = {.kind = kPatchConv, .isa = static_cast<int>(operands)},
            .bytes = static_cast<std::size_t>(patch_extent(operands, shape[0], shape[1], taps).bytes()) + sizeof(float),
            .pack = fill_patch_conv};
}

Packing pack_linear(int input, Shape const& shape, Precision operands) {
    return pack_conv(input, shape, operands);
}

Packing pack_plain(int input, Shape const& shape) {
    return {.input = input,
            .key = {.kind = kPlain},
            .bytes = static_cast<std::size_t>(packed_extent(shape[0], shape[1], 1).bytes()),
            .pack = fill_plain};
}

Packing pack_parts(int input, Shape const& shape, std::int64_t parts, Precision operands) {
    return {.input = input,
            .key = {.kind = kParts, .isa = static_cast<int>(operands), .param = parts},
            .bytes = operand_bytes(operands, shape[0], shape[1] / parts, parts),
            .pack = fill_parts};
}

Packing pack_depthwise(int input, Shape const& shape) {
    return pack_depthwise(input, shape, round_up(shape[0], 4));
}

Packing pack_depthwise(int input, Shape const& shape, std::int64_t step) {
    return {.input = input,
            .key = {.kind = kDepthwise, .param = step},
            .bytes = bytes_of(shape.count() / shape[0] * round_up(shape[0], step)),
            .pack = fill_depthwise};
}

Packing pack_half_depthwise(int input, Shape const& shape, std::int64_t step) {
    return {.input = input,
            .key = {.kind = kHalfDepthwise, .param = step},
            .bytes = half_depthwise_bytes(shape, step),
            .pack = fill_depthwise};
}

Packing pack_scaled_depthwise(int input, Shape const& shape, std::int64_t step) {
    return {.input = input,
            .key = {.kind = kScaledDepthwise, .param = step},
            .bytes = half_depthwise_bytes(shape, step) + sizeof(float),
            .pack = fill_scaled_depthwise};
}

Packing pack_fragments(int input, Shape const& shape, FragmentKind kind, std::int64_t columns_step,
                       std::int64_t channels_step) {
    FragmentExtent const extent(shape[0], shape[1], columns_step, channels_step);
    return {.input = input,
            .key = {.kind = kFragments, .isa = static_cast<int>(kind), .param = extent.tiles << 32 | extent.steps},
            .bytes = static_cast<std::size_t>(extent.words(kind)) * sizeof(std::uint32_t),
            .pack = fill_fragments};
}

Packing pack_up_conv(int input, Shape const& shape) {
    return {.input = input,
            .key = {.kind = kUpConv},
            .bytes = static_cast<std::size_t>(UpConvWeights(shape[0], shape[1]).words()) * sizeof(std::uint32_t),
            .pack = fill_up_conv};
}

Packing pack_transposed(int input, Shape const& shape) {
    return {.input = input, .key = {.kind = kTransposed}, .bytes = bytes_of(shape.count()), .pack = fill_transposed};
}

}  // namespace vitrum::cuda
