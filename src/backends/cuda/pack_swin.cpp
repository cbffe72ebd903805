// SPDX-License-Identifier: Apache-2.0
#include "pack_swin.h"

#include <cstring>

#include "base/check.h"
#include "packing_kinds.h"
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

template <class W>
void fill_qkv(float const* from, Shape const&, PackingKey const&, std::byte* to) {
    fill_operands(to, W::kHeads, W::kDepth, 3 * W::kHead, [&](int head, int k, int column) {
        int const part = column / W::kHead, d = column % W::kHead, channel = channel_of_column(k, W::kColumns);
        if (d >= W::kHeadChannels || channel >= W::kChannels) return 0.0F;
        return from[(part * W::kChannels + head * W::kHeadChannels + d) * W::kChannels + channel];
    });
}

template <class W>
void fill_projection(float const* from, Shape const&, PackingKey const&, std::byte* to) {
    fill_operands(to, W::kHeads, W::kHead, W::kColumns, [&](int head, int d, int column) {
        int const channel = channel_of_column(column, W::kColumns);
        if (d >= W::kHeadChannels || channel >= W::kChannels) return 0.0F;
        return from[channel * W::kChannels + head * W::kHeadChannels + d];
    });
}

void fill_scores(float const* from, Shape const& shape, PackingKey const&, std::byte* to) {
    int const heads = static_cast<int>(shape[1]);
    auto* half = reinterpret_cast<std::uint16_t*>(to);
    for (int head = 0; head < heads; ++head, half += kSwinTokens * kSwinTokens) {
        for (int i = 0; i < kSwinTokens; ++i) {
            for (int j = 0; j < kSwinTokens; ++j) {
                int const offset = (i / 8 - j / 8 + 7) * 15 + i % 8 - j % 8 + 7;
                half[score_index(i, j)] = half_bits(from[offset * heads + head] * kLog2E);
            }
        }
    }
}

template <class W>
void fill_fc1(float const* from, Shape const&, PackingKey const&, std::byte* to) {
    fill_operands(to, W::kChunks, W::kDepth, W::kChunk, [&](int chunk, int k, int column) {
        int const hidden = chunk * W::kChunk + column, channel = channel_of_column(k, W::kColumns);
        if (hidden >= W::kHidden || channel >= W::kChannels) return 0.0F;
        return from[hidden * W::kChannels + channel];
    });
}

template <class W>
void fill_fc2(float const* from, Shape const&, PackingKey const&, std::byte* to) {
    fill_operands(to, W::kChunks, W::kChunk, W::kColumns, [&](int chunk, int k, int column) {
        int const hidden = chunk * W::kChunk + k, channel = channel_of_column(column, W::kColumns);
        if (hidden >= W::kHidden || channel >= W::kChannels) return 0.0F;
        return from[channel * W::kHidden + hidden];
    });
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

Packing packing(int input, PackingKind kind, int halves, decltype(Packing::pack) pack) {
    return {.input = input, .key = {.kind = kind}, .bytes = static_cast<std::size_t>(halves) * 2, .pack = pack};
}

/// The width whose weight has that many input or output channels.
template <class Make>
Packing of_width(std::int64_t channels, Make const& make) {
    VITRUM_ASSERT(channels == SwinMedium::kChannels || channels == SwinSmall::kChannels);
    return channels == SwinMedium::kChannels ? make(SwinMedium{}) : make(SwinSmall{});
}

}  // namespace

Packing pack_swin_qkv(int input, Shape const& shape) {
    return of_width(shape[1], [&]<class W>(W) {
        return packing(input, kSwinQkv, W::kHeads * W::kDepth * 3 * W::kHead, fill_qkv<W>);
    });
}

Packing pack_swin_projection(int input, Shape const& shape) {
    return of_width(shape[0], [&]<class W>(W) {
        return packing(input, kSwinProjection, W::kHeads * W::kHead * W::kColumns, fill_projection<W>);
    });
}

Packing pack_swin_scores(int input, Shape const& shape) {
    return packing(input, kSwinScores, static_cast<int>(shape[1]) * kSwinTokens * kSwinTokens, fill_scores);
}

Packing pack_swin_fc1(int input, Shape const& shape) {
    return of_width(shape[1], [&]<class W>(W) {
        return packing(input, kSwinFc1, W::kChunks * W::kDepth * W::kChunk, fill_fc1<W>);
    });
}

Packing pack_swin_fc2(int input, Shape const& shape) {
    return of_width(shape[0], [&]<class W>(W) {
        return packing(input, kSwinFc2, W::kChunks * W::kChunk * W::kColumns, fill_fc2<W>);
    });
}

Packing pack_hopper_conv(int input, Shape const& shape, Conv2d const& op, bool has_residual) {
    bool const is_wide = ConvBlocks::are_wide(op, shape[0], has_residual);
    ConvBlocks const blocks(shape[0], shape[1], is_wide);
    Packing made{.input = input, .key = {.kind = kHopperConv}, .bytes = blocks.bytes(), .pack = fill_conv};
    made.key.param = 2 * op.pixel_shuffle + (is_wide ? 1 : 0);
    return made;
}

}  // namespace vitrum::cuda
