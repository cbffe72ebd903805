// SPDX-License-Identifier: Apache-2.0
#include "pack_swin.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>

#include "base/check.h"
#include "packing_kinds.h"
#include "product_layout.h"
#include "rounding.h"

namespace vitrum::cuda {
namespace {

/// Fills operands one behind the other: `value(part, k, column)`, rounded.
template <class Value>
void fill_operands(std::byte* to, int parts, int depth, int columns, Value const& value) {
    auto* half = reinterpret_cast<std::uint16_t*>(to);
    for (int part = 0; part < parts; ++part, half += depth * columns) {
        for (int k = 0; k < depth; ++k) {
            for (int column = 0; column < columns; ++column) {
                half[operand_index(k, column, columns)] = half_bits(value(part, k, column));
            }
        }
    }
}

/// A power of two only where the largest number asks for one: a second product is added to what is not scaled.
float second_unit(std::span<float const> numbers) {
    float largest = 0;
    for (float const number : numbers) largest = std::max(largest, std::abs(number));
    return largest >= 0x1p-7F && largest < 0x1p15F ? 1.0F : half_unit(numbers);
}

/// Writes what lies behind the operands of a weight [outputs, inputs], and returns its unit.
float fill_info(float const* from, Shape const& shape, float unit, std::byte* to) {
    double largest = 0;
    for (std::int64_t row = 0; row < shape[0]; ++row) {
        double squares = 0;
        for (std::int64_t i = 0; i < shape[1]; ++i) {
            double const number = from[row * shape[1] + i];
            squares += number * number;
        }
        largest = std::max(largest, squares);
    }
    SwinWeightInfo const info{unit, static_cast<float>(std::sqrt(largest) * (1 + 1e-6))};
    std::memcpy(to, &info, sizeof(info));
    return unit;
}

std::span<float const> numbers_of(float const* from, Shape const& shape) {
    return {from, static_cast<std::size_t>(shape.count())};
}

template <class W>
void fill_qkv(float const* from, Shape const& shape, PackingKey const&, std::byte* to) {
    float const unit = fill_info(from, shape, half_unit(numbers_of(from, shape)), to + W::kQkvBytes * W::kHeads);
    fill_operands(to, W::kHeads, W::kDepth, W::kQkvColumns, [&](int head, int k, int column) {
        int const part = column / W::kHead, d = column % W::kHead, channel = channel_of_column(k, W::kColumns);
        if (d >= W::kHeadChannels || channel >= W::kChannels) return 0.0F;
        return from[(part * W::kChannels + head * W::kHeadChannels + d) * W::kChannels + channel] / unit;
    });
}

template <class W>
void fill_projection(float const* from, Shape const& shape, PackingKey const&, std::byte* to) {
    float const unit =
        fill_info(from, shape, second_unit(numbers_of(from, shape)), to + W::kProjectionBytes * W::kHeads);
    fill_operands(to, W::kHeads, W::kHead, W::kColumns, [&](int head, int d, int column) {
        int const channel = channel_of_column(column, W::kColumns);
        if (d >= W::kHeadChannels || channel >= W::kChannels) return 0.0F;
        return from[channel * W::kChannels + head * W::kHeadChannels + d] / unit;
    });
}

template <class W>
void fill_fc1(float const* from, Shape const& shape, PackingKey const&, std::byte* to) {
    float const unit = fill_info(from, shape, half_unit(numbers_of(from, shape)), to + W::kFc1Bytes * W::kChunks);
    fill_operands(to, W::kChunks, W::kDepth, W::kChunk, [&](int chunk, int k, int column) {
        int const hidden = chunk * W::kChunk + column, channel = channel_of_column(k, W::kColumns);
        if (hidden >= W::kHidden || channel >= W::kChannels) return 0.0F;
        return from[hidden * W::kChannels + channel] / unit;
    });
}

template <class W>
void fill_fc2(float const* from, Shape const& shape, PackingKey const&, std::byte* to) {
    float const unit = fill_info(from, shape, second_unit(numbers_of(from, shape)), to + W::kFc2Bytes * W::kChunks);
    fill_operands(to, W::kChunks, W::kChunk, W::kColumns, [&](int chunk, int k, int column) {
        int const hidden = chunk * W::kChunk + k, channel = channel_of_column(column, W::kColumns);
        if (hidden >= W::kHidden || channel >= W::kChannels) return 0.0F;
        return from[channel * W::kHidden + hidden] / unit;
    });
}

/// Floats in the order of `source(i)`, −1 where there is none, and the largest magnitude behind them.
template <class Source>
void fill_vector(float const* from, int count, float factor, std::byte* to, Source const& source) {
    auto* values = reinterpret_cast<float*>(to);
    for (int i = 0; i < count; ++i) {
        if (int const at = source(i); at >= 0) values[i] = factor * from[at];
        values[count] = std::max(values[count], std::abs(values[i]));
    }
}

template <class W>
void fill_qkv_bias(float const* from, Shape const&, PackingKey const&, std::byte* to) {
    fill_vector(from, W::kHeads * W::kQkvColumns, 1.0F, to, [](int i) {
        int const head = i / W::kQkvColumns, part = i % W::kQkvColumns / W::kHead, d = i % W::kHead;
        return d < W::kHeadChannels ? part * W::kChannels + head * W::kHeadChannels + d : -1;
    });
    // The first column of v behind a head's channels is one: its sum is the softmax's denominator.
    for (int head = 0; head < W::kHeads; ++head) {
        reinterpret_cast<float*>(to)[head * W::kQkvColumns + 2 * W::kHead + W::kHeadChannels] = 1.0F;
    }
}

void fill_table(float const* from, Shape const& shape, PackingKey const&, std::byte* to) {
    int const offsets = static_cast<int>(shape[0]), heads = static_cast<int>(shape[1]);
    fill_vector(from, table_floats(heads), 1.0F, to,
                [&](int i) { return i < heads * offsets ? i % offsets * heads + i / offsets : -1; });
}

void fill_plain_vector(float const* from, Shape const& shape, PackingKey const& key, std::byte* to) {
    fill_vector(from, static_cast<int>(key.param), key.kind == kSwinNorm ? kNormFactor : 1.0F, to,
                [&](int i) { return i < shape[0] ? i : -1; });
}

void fill_conv(float const* from, Shape const& shape, PackingKey const& key, std::byte* to) {
    // See pack_hopper_conv.
    int const factor = static_cast<int>(key.param) / 2, outputs = static_cast<int>(shape[0]),
              inputs = static_cast<int>(shape[1]);
    ConvBlocks const blocks(outputs, inputs, key.param % 2 != 0);
    float const unit = half_unit({from, static_cast<std::size_t>(shape.count())});
    std::memcpy(to + blocks.unit_offset(), &unit, sizeof(unit));
    fill_operands(to, blocks.blocks * 9 * blocks.chunks, kConvChunk, blocks.columns, [&](int part, int k, int column) {
        int const tap = part % 9, chunk = part / 9 % blocks.chunks, block = part / 9 / blocks.chunks;
        int output = block * blocks.columns + channel_of_column(column, blocks.columns);
        int const input = chunk * kConvChunk + k;
        if (ConvBlocks::are_sorted(outputs, factor)) output = ConvBlocks::sorted_output(output, outputs, factor);
        return output < outputs && input < inputs ? from[(output * inputs + input) * 9 + tap] / unit : 0.0F;
    });
}

void fill_rows(float const* from, Shape const& shape, PackingKey const& key, std::byte* to) {
    // See pack_hopper_rows.
    std::int64_t const outputs = shape[0], inputs = shape[1];
    ProductWeights const weights(outputs, inputs);
    float const unit = fill_info(from, shape, half_unit(numbers_of(from, shape)), to + weights.operand_bytes());
    auto* half = reinterpret_cast<std::uint16_t*>(to);
    for (std::int64_t block = 0; block < weights.blocks; ++block, half += weights.block_halves()) {
        for (int column = 0; column < kProductColumns; ++column) {
            int const place = key.param != 0 ? channel_of_column(column, kProductColumns) : column;
            std::int64_t const output = block * kProductColumns + place;
            if (output >= outputs) continue;
            for (std::int64_t k = 0; k < inputs; ++k) {
                half[product_index(k, column, kProductColumns)] = half_bits(from[output * inputs + k] / unit);
            }
        }
    }
}

Packing operands(int input, PackingKind kind, int operand_bytes, decltype(Packing::pack) pack) {
    return {.input = input, .key = {.kind = kind}, .bytes = operand_bytes + sizeof(SwinWeightInfo), .pack = pack};
}

Packing vector(int input, PackingKey const& key, int floats, decltype(Packing::pack) pack) {
    return {.input = input, .key = key, .bytes = static_cast<std::size_t>(floats + 1) * sizeof(float), .pack = pack};
}

/// The width whose weight has that many input or output channels.
template <class Make>
Packing of_width(std::int64_t channels, Make const& make) {
    switch (channels) {
        case SwinMedium::kChannels: return make(SwinMedium{});
        case SwinFirst::kChannels: return make(SwinFirst{});
        case SwinSecond::kChannels: return make(SwinSecond{});
        default: VITRUM_ASSERT(channels == SwinSmall::kChannels); return make(SwinSmall{});
    }
}

}  // namespace

Packing pack_swin_qkv(int input, Shape const& shape) {
    return of_width(shape[1],
                    [&]<class W>(W) { return operands(input, kSwinQkv, W::kHeads * W::kQkvBytes, fill_qkv<W>); });
}

Packing pack_swin_projection(int input, Shape const& shape) {
    return of_width(shape[0], [&]<class W>(W) {
        return operands(input, kSwinProjection, W::kHeads * W::kProjectionBytes, fill_projection<W>);
    });
}

Packing pack_swin_fc1(int input, Shape const& shape) {
    return of_width(shape[1],
                    [&]<class W>(W) { return operands(input, kSwinFc1, W::kChunks * W::kFc1Bytes, fill_fc1<W>); });
}

Packing pack_swin_fc2(int input, Shape const& shape) {
    return of_width(shape[0],
                    [&]<class W>(W) { return operands(input, kSwinFc2, W::kChunks * W::kFc2Bytes, fill_fc2<W>); });
}

Packing pack_swin_qkv_bias(int input, Shape const& shape) {
    return of_width(shape[0] / 3, [&]<class W>(W) {
        return vector(input, {.kind = kSwinQkvBias}, W::kHeads * W::kQkvColumns, fill_qkv_bias<W>);
    });
}

Packing pack_swin_table(int input, Shape const& shape) {
    return vector(input, {.kind = kSwinTable}, table_floats(static_cast<int>(shape[1])), fill_table);
}

Packing pack_swin_vector(int input, int floats, bool is_norm) {
    return vector(input, {.kind = is_norm ? kSwinNorm : kSwinVector, .param = floats}, floats, fill_plain_vector);
}

Packing pack_hopper_rows(int input, Shape const& shape, bool to_pixels) {
    return {.input = input,
            .key = {.kind = kHopperRows, .param = to_pixels ? 1 : 0},
            .bytes = ProductWeights(shape[0], shape[1]).bytes(),
            .pack = fill_rows};
}

Packing pack_hopper_conv(int input, Shape const& shape, Conv2d const& op, bool has_residual) {
    bool const is_wide = ConvBlocks::are_wide(op, shape[0], has_residual);
    ConvBlocks const blocks(shape[0], shape[1], is_wide);
    Packing made{.input = input, .key = {.kind = kHopperConv}, .bytes = blocks.bytes(), .pack = fill_conv};
    made.key.param = 2 * op.pixel_shuffle + (is_wide ? 1 : 0);
    return made;
}

}  // namespace vitrum::cuda
