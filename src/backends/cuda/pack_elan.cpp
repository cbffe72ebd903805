// SPDX-License-Identifier: Apache-2.0
// The weights of ELAN's operators (elan_layout.h).
#include "elan_layout.h"

#include <bit>
#include <cstring>

#include "base/dtype.h"
#include "pack.h"
#include "packing_kinds.h"
#include "rounding.h"
#include "shift_layout.h"

namespace vitrum::cuda {
namespace {

std::size_t bytes_of(std::int64_t words) {
    return static_cast<std::size_t>(words) * 4;
}

float* floats(std::byte* to) {
    return reinterpret_cast<float*>(to);
}

void put_half(std::byte* to, std::int64_t half, std::uint16_t bits) {
    std::memcpy(to + half * 2, &bits, sizeof(bits));
}

/// What ELAN's weights are divided by, so that the largest is in [2^10, 2^11).
float unit_of(float const* from, Shape const& shape) {
    return half_unit({from, static_cast<std::size_t>(shape.count())}, 10);
}

/// A value as two float16 whose sum it is.
void put_parts(std::byte* to, std::int64_t half, std::int64_t low_offset, float value) {
    std::uint16_t const high = half_bits(value);
    put_half(to, half, high);
    put_half(to, half + low_offset, half_bits(value - half_to_float(high)));
}

void fill_shift(float const* from, Shape const& shape, PackingKey const& key, std::byte* to) {
    bool const is_first = key.kind == kShiftFirst;
    ShiftWeights const weights{is_first ? shape[0] : shape[1]};
    float const unit = unit_of(from, shape);
    for (std::int64_t i = 0; i < shape[0]; ++i) {
        for (std::int64_t j = 0; j < shape[1]; ++j) {
            std::int64_t const at = is_first ? weights.first(i, j) : weights.second(i, j);
            put_parts(to, at, ShiftWeights::part_halves(), *from++ / unit);
        }
    }
    floats(to)[weights.scale_word()] = unit;
}

void fill_sections(float const* from, Shape const& shape, PackingKey const& key, std::byte* to) {
    bool const is_first = key.kind == kSectionsFirst;
    ShiftSections const sections{is_first ? shape[0] : shape[1]};
    float const unit = unit_of(from, shape);
    for (std::int64_t i = 0; i < shape[0]; ++i) {
        for (std::int64_t j = 0; j < shape[1]; ++j) {
            put_half(to, is_first ? sections.first(i, j) : sections.second(i, j), half_bits(*from++ / unit));
        }
    }
    floats(to)[sections.scale_word()] = unit;
}

void fill_sections_bias(float const* from, Shape const& shape, PackingKey const&, std::byte* to) {
    ShiftSections const sections{shape[0]};
    for (std::int64_t i = 0; i < shape[0]; ++i) floats(to)[sections.bias(i)] = from[i];
}

void fill_pixels(float const* from, Shape const& shape, PackingKey const& key, std::byte* to) {
    PixelWeights const weights{static_cast<int>(key.param)};
    float const unit = unit_of(from, shape);
    for (std::int64_t column = 0; column < shape[0]; ++column) {
        for (std::int64_t channel = 0; channel < shape[1]; ++channel) {
            put_parts(to, weights.half(column, channel), PixelWeights::kLowOffset, *from++ / unit);
        }
    }
    floats(to)[weights.scale_word()] = unit;
}

void fill_groups(float const* from, Shape const& shape, PackingKey const&, std::byte* to) {
    GroupWeights const weights(shape[0], shape[1]);
    float const unit = unit_of(from, shape);
    for (std::int64_t row = 0; row < shape[0]; ++row) {
        for (std::int64_t channel = 0; channel < shape[1]; ++channel) {
            put_parts(to, weights.half(row, channel), GroupWeights::kLowOffset, *from++ / unit);
        }
    }
    floats(to)[weights.scale_word()] = unit;
}

void fill_wide_groups(float const* from, Shape const& shape, PackingKey const&, std::byte* to) {
    WideGroupWeights const weights(shape[1]);
    float const unit = unit_of(from, shape);
    for (std::int64_t row = 0; row < shape[0]; ++row) {
        for (std::int64_t channel = 0; channel < shape[1]; ++channel) {
            put_half(to, weights.half(row, channel), half_bits(*from++ / unit));
        }
    }
    floats(to)[weights.scale_word()] = unit;
}

void fill_group_output(float const* from, Shape const& shape, PackingKey const&, std::byte* to) {
    GroupOutputWeights const weights{shape[1] / 3};
    float const unit = unit_of(from, shape);
    for (std::int64_t column = 0; column < shape[0]; ++column) {
        for (std::int64_t channel = 0; channel < shape[1]; ++channel) {
            put_half(to, weights.half(column, channel), half_bits(*from++ / unit));
        }
    }
    floats(to)[weights.scale_word()] = unit;
}

/// A value as two bfloat16 whose sum it is.
void put_brains(std::byte* to, std::int64_t half, float value, std::int64_t low_offset = kBrainLowOffset) {
    std::uint16_t const high = bfloat16_bits(value);
    put_half(to, half, high);
    float const rounded = std::bit_cast<float>(static_cast<std::uint32_t>(high) << 16);
    put_half(to, half + low_offset, bfloat16_bits(value - rounded));
}

template <class W, bool kFirst>
void fill_hopper_shift(float const* from, Shape const& shape, PackingKey const&, std::byte* to) {
    constexpr int kPart = kFirst ? W::kFirstHalves : W::kSecondHalves;
    float const unit = W::kParts == 2 ? 1.0F : unit_of(from, shape);
    for (int i = 0; i < shape[0]; ++i) {
        for (int j = 0; j < shape[1]; ++j) {
            int const at = kFirst ? W::first(i, j) : W::second(i, j);
            if (W::kParts == 2) put_brains(to, at, *from++, kPart);
            else put_half(to, at, half_bits(*from++ / unit));
        }
    }
    floats(to)[W::kChunks * (kFirst ? W::kFirstBytes : W::kSecondBytes) / 4] = unit;
}

void fill_brain_shift(float const* from, Shape const& shape, PackingKey const& key, std::byte* to) {
    bool const is_first = key.kind == kBrainShiftFirst;
    BrainShiftWeights const weights{is_first ? shape[0] : shape[1]};
    for (std::int64_t i = 0; i < shape[0]; ++i) {
        for (std::int64_t j = 0; j < shape[1]; ++j) {
            put_brains(to, is_first ? weights.first(i, j) : weights.second(i, j), *from++);
        }
    }
}

void fill_brain_shift_bias(float const* from, Shape const& shape, PackingKey const&, std::byte* to) {
    BrainShiftWeights const weights{shape[0]};
    for (std::int64_t i = 0; i < shape[0]; ++i) floats(to)[weights.bias(i)] = from[i];
}

void fill_brain_pixels(float const* from, Shape const& shape, PackingKey const&, std::byte* to) {
    for (std::int64_t column = 0; column < shape[0]; ++column) {
        for (std::int64_t channel = 0; channel < shape[1]; ++channel) {
            put_brains(to, BrainPixelWeights::half(column, channel), *from++);
        }
    }
}

void fill_group_values(float const* from, Shape const& shape, PackingKey const&, std::byte* to) {
    for (int row = 0; row < shape[0]; ++row) {
        for (int channel = 0; channel < shape[1]; ++channel) {
            put_brains(to, GroupValueWeights::half(row, channel), *from++, GroupValueWeights::kPartHalves);
        }
    }
}

void fill_pixel_operand(float const* from, Shape const& shape, PackingKey const&, std::byte* to) {
    for (int column = 0; column < shape[0]; ++column) {
        for (int channel = 0; channel < shape[1]; ++channel) {
            put_brains(to, PixelOperand::half(column, channel), *from++, PixelOperand::kPartHalves);
        }
    }
}

void fill_group_output_operand(float const* from, Shape const& shape, PackingKey const&, std::byte* to) {
    float const unit = unit_of(from, shape);
    for (int column = 0; column < shape[0]; ++column) {
        for (int channel = 0; channel < shape[1]; ++channel) {
            put_half(to, GroupOutputOperand::half(column, channel), half_bits(*from++ / unit));
        }
    }
    floats(to)[GroupOutputOperand::kHalves / 2] = unit;
}

void fill_group_both(float const* from, Shape const& shape, PackingKey const&, std::byte* to) {
    float const unit = unit_of(from, shape);
    for (int row = 0; row < shape[0]; ++row) {
        for (int channel = 0; channel < shape[1]; ++channel) {
            put_half(to, GroupBothWeights::half(row, channel), half_bits(*from++ / unit));
        }
    }
    floats(to)[3 * GroupBothWeights::kGroupBytes / 4] = unit;
}

}  // namespace

Packing pack_groups(int input, Shape const& shape) {
    return {.input = input,
            .key = {.kind = kGroups},
            .bytes = bytes_of(GroupWeights(shape[0], shape[1]).scale_word() + 1),
            .pack = fill_groups};
}

Packing pack_pixels(int input, int steps) {
    return {.input = input,
            .key = {.kind = kPixels, .param = steps},
            .bytes = bytes_of(PixelWeights{steps}.scale_word() + 1),
            .pack = fill_pixels};
}

Packing pack_shift(int input, Shape const& shape, bool is_first) {
    ShiftWeights const weights{is_first ? shape[0] : shape[1]};
    return {.input = input,
            .key = {.kind = is_first ? kShiftFirst : kShiftSecond},
            .bytes = bytes_of(weights.scale_word() + 1),
            .pack = fill_shift};
}

Packing pack_sections(int input, Shape const& shape, bool is_first) {
    ShiftSections const sections{is_first ? shape[0] : shape[1]};
    return {.input = input,
            .key = {.kind = is_first ? kSectionsFirst : kSectionsSecond},
            .bytes = bytes_of(sections.scale_word() + 1),
            .pack = fill_sections};
}

Packing pack_sections_bias(int input, Shape const& shape) {
    return {.input = input,
            .key = {.kind = kSectionsBias},
            .bytes = bytes_of(ShiftSections{shape[0]}.sections() * ShiftSections::kTiles * 8),
            .pack = fill_sections_bias};
}

Packing pack_brain_shift(int input, Shape const& shape, bool is_first) {
    return {.input = input,
            .key = {.kind = is_first ? kBrainShiftFirst : kBrainShiftSecond},
            .bytes = bytes_of(BrainShiftWeights{is_first ? shape[0] : shape[1]}.words()),
            .pack = fill_brain_shift};
}

Packing pack_hopper_shift(int input, Shape const& shape, bool is_first) {
    bool const is_light = shape[is_first ? 1 : 0] == ShiftLight::kChannels;
    auto const packing = [&]<class W>(W) -> Packing {
        if (is_first) {
            return {.input = input,
                    .key = {.kind = kHopperShiftFirst},
                    .bytes = W::kChunks * W::kFirstBytes + sizeof(float),
                    .pack = fill_hopper_shift<W, true>};
        }
        return {.input = input,
                .key = {.kind = kHopperShiftSecond},
                .bytes = W::kChunks * W::kSecondBytes + sizeof(float),
                .pack = fill_hopper_shift<W, false>};
    };
    return is_light ? packing(ShiftLight{}) : packing(ShiftFull{});
}

Packing pack_wide_groups(int input, Shape const& shape) {
    return {.input = input,
            .key = {.kind = kWideGroups},
            .bytes = bytes_of(WideGroupWeights(shape[1]).scale_word() + 1),
            .pack = fill_wide_groups};
}

Packing pack_group_output(int input, Shape const& shape) {
    return {.input = input,
            .key = {.kind = kGroupOutput},
            .bytes = bytes_of(GroupOutputWeights{shape[1] / 3}.scale_word() + 1),
            .pack = fill_group_output};
}

Packing pack_group_values(int input) {
    return {.input = input,
            .key = {.kind = kGroupValues},
            .bytes = 3 * GroupValueWeights::kGroupBytes,
            .pack = fill_group_values};
}

Packing pack_pixel_operand(int input) {
    return {.input = input,
            .key = {.kind = kPixelOperand},
            .bytes = PixelOperand::kParts * PixelOperand::kPartHalves * 2,
            .pack = fill_pixel_operand};
}

Packing pack_group_output_operand(int input) {
    return {.input = input,
            .key = {.kind = kGroupOutputOperand},
            .bytes = GroupOutputOperand::kHalves * 2 + sizeof(float),
            .pack = fill_group_output_operand};
}

Packing pack_group_both(int input) {
    return {.input = input,
            .key = {.kind = kGroupBoth},
            .bytes = 3 * GroupBothWeights::kGroupBytes + sizeof(float),
            .pack = fill_group_both};
}

Packing pack_brain_shift_bias(int input, Shape const& shape) {
    return {.input = input,
            .key = {.kind = kBrainShiftBias},
            .bytes = bytes_of(BrainShiftWeights{shape[0]}.chunks() * 16),
            .pack = fill_brain_shift_bias};
}

Packing pack_brain_pixels(int input) {
    return {.input = input,
            .key = {.kind = kBrainPixels},
            .bytes = bytes_of(BrainPixelWeights::words()),
            .pack = fill_brain_pixels};
}

}  // namespace vitrum::cuda
