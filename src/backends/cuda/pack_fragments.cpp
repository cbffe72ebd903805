// SPDX-License-Identifier: Apache-2.0
#include "pack_fragments.h"

#include <bit>
#include <cstring>

#include "choices.h"
#include "packing_kinds.h"
#include "rounding.h"

namespace vitrum::cuda {
namespace {

bool has_32_bits(Precision precision) {
    return precision == Precision::fp32 || precision == Precision::tf32;
}
std::int64_t block_bytes(Precision precision) {
    return has_32_bits(precision) ? 1024 : 512;
}

std::int64_t to_param(int heads, FragmentBlocks const& blocks) {
    return heads | std::int64_t{blocks.channels} << 32 | std::int64_t{blocks.inner} << 48;
}
int heads_of(PackingKey const& key) {
    return static_cast<int>(key.param & 0xFFFFFFFF);
}
FragmentBlocks blocks_of(PackingKey const& key) {
    return {static_cast<int>(key.param >> 32 & 0xFFFF), static_cast<int>(key.param >> 48)};
}

/// Writes one block after the other.
class Writer {
public:
    Writer(PackingKey const& key, std::byte* to) : precision_(static_cast<Precision>(key.isa)), to_(to) {}

    /// value(row, column) of the padded weight, in the order of registers (kernels/packed_fragments.cuh): rows g and
    /// g + 8 of lane 4 g + t, columns 2 t and 2 t + 1. Two of 16 bits share a register, and the columns from 8 on lie
    /// behind them; those of 32 bits are an instruction of their own.
    template <class F>
    void block(int rows, int columns, F const& value) {
        bool const is_wide = has_32_bits(precision_);
        for (int i = 0; i < 256; ++i) {
            int const lane = is_wide ? i / 4 % 32 : i / 8, place = is_wide ? i % 4 : i % 8;
            int const second_row = is_wide ? place % 2 : place / 2 % 2, odd = is_wide ? place / 2 : place % 2;
            int const upper = is_wide ? i / 128 : place / 4;
            write(value(16 * rows + lane / 4 + 8 * second_row, 16 * columns + lane % 4 * 2 + odd + 8 * upper));
        }
    }

private:
    [[nodiscard]] std::uint32_t bits_of(float value) const {
        switch (precision_) {
            case Precision::fp32: return std::bit_cast<std::uint32_t>(value);
            case Precision::tf32: return tf32_bits(value);
            case Precision::bf16: return bfloat16_bits(value);
            case Precision::fp16: return half_bits(value);
        }
        return 0;
    }
    void write(float value) {
        std::uint32_t const bits = bits_of(value);
        std::size_t const size = has_32_bits(precision_) ? 4 : 2;
        std::memcpy(to_, &bits, size);  // the lower half first
        to_ += size;
    }

    Precision precision_;
    std::byte* to_;
};

void fill_qkv(float const* from, Shape const& shape, PackingKey const& key, std::byte* to) {
    FragmentBlocks const blocks = blocks_of(key);
    int const c = static_cast<int>(shape[1]), dim = c / heads_of(key);
    Writer writer(key, to);
    for (int product = 0; product < 3 * heads_of(key); ++product) {
        std::int64_t const first = product % 3 * c + product / 3 * dim;
        auto const value = [&](int row, int column) {
            int const channel = channel_at(column);
            return row < dim && channel < c ? from[(first + row) * c + channel] : 0.0F;
        };
        for (int i = 0; i < blocks.inner; ++i) {
            for (int j = 0; j < blocks.channels; ++j) writer.block(i, j, value);
        }
    }
}

void fill_projection(float const* from, Shape const& shape, PackingKey const& key, std::byte* to) {
    FragmentBlocks const blocks = blocks_of(key);
    int const c = static_cast<int>(shape[1]), dim = c / heads_of(key), padded = 16 * blocks.inner;
    Writer writer(key, to);
    auto const value = [&](int row, int column) {
        int const channel = channel_at(row);
        bool const exists = channel < c && column % padded < dim;
        return exists ? from[channel * c + column / padded * dim + column % padded] : 0.0F;
    };
    for (int i = 0; i < blocks.channels; ++i) {
        for (int j = 0; j < heads_of(key) * blocks.inner; ++j) writer.block(i, j, value);
    }
}

void fill_fc1(float const* from, Shape const& shape, PackingKey const& key, std::byte* to) {
    FragmentBlocks const blocks = blocks_of(key);
    std::int64_t const hidden = shape[0], c = shape[1];
    Writer writer(key, to);
    auto const value = [&](int row, int column) {
        int const channel = channel_at(column);
        return row < hidden && channel < c ? from[row * c + channel] : 0.0F;
    };
    int const rows = static_cast<int>(divide_up(hidden, 16 * blocks.inner)) * blocks.inner;
    for (int i = 0; i < rows; ++i) {
        for (int j = 0; j < blocks.channels; ++j) writer.block(i, j, value);
    }
}

void fill_fc2(float const* from, Shape const& shape, PackingKey const& key, std::byte* to) {
    FragmentBlocks const blocks = blocks_of(key);
    std::int64_t const c = shape[0], hidden = shape[1];
    Writer writer(key, to);
    auto const value = [&](int row, int column) {
        int const channel = channel_at(row);
        return channel < c && column < hidden ? from[channel * hidden + column] : 0.0F;
    };
    int const parts = static_cast<int>(divide_up(hidden, 16 * blocks.inner));
    for (int part = 0; part < parts; ++part) {
        for (int i = 0; i < blocks.channels; ++i) {
            for (int j = 0; j < blocks.inner; ++j) writer.block(i, part * blocks.inner + j, value);
        }
    }
}

PackingKey key_of(PackingKind kind, int heads, FragmentBlocks const& blocks, Precision precision) {
    return {.kind = kind, .isa = static_cast<std::int64_t>(precision), .param = to_param(heads, blocks)};
}

std::size_t bytes_of(std::int64_t blocks, Precision precision) {
    return static_cast<std::size_t>(blocks * block_bytes(precision));
}

}  // namespace

Packing pack_qkv_fragments(int input, Shape const&, int heads, FragmentBlocks const& blocks, Precision precision) {
    return {.input = input,
            .key = key_of(kWindowQkv, heads, blocks, precision),
            .bytes = bytes_of(std::int64_t{3} * heads * blocks.inner * blocks.channels, precision),
            .pack = fill_qkv};
}

Packing pack_projection_fragments(int input, Shape const&, int heads, FragmentBlocks const& blocks,
                                  Precision precision) {
    return {.input = input,
            .key = key_of(kWindowProjection, heads, blocks, precision),
            .bytes = bytes_of(std::int64_t{heads} * blocks.inner * blocks.channels, precision),
            .pack = fill_projection};
}

Packing pack_fc1_fragments(int input, Shape const& shape, FragmentBlocks const& blocks, Precision precision) {
    return {.input = input,
            .key = key_of(kMlpFc1, 1, blocks, precision),
            .bytes = bytes_of(divide_up(shape[0], 16 * blocks.inner) * blocks.inner * blocks.channels, precision),
            .pack = fill_fc1};
}

Packing pack_fc2_fragments(int input, Shape const& shape, FragmentBlocks const& blocks, Precision precision) {
    return {.input = input,
            .key = key_of(kMlpFc2, 1, blocks, precision),
            .bytes = bytes_of(divide_up(shape[1], 16 * blocks.inner) * blocks.inner * blocks.channels, precision),
            .pack = fill_fc2};
}

}  // namespace vitrum::cuda
