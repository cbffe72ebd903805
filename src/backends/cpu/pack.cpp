// SPDX-License-Identifier: Apache-2.0
#include "pack.h"

#include <cmath>

#include "scratch.h"

namespace vitrum::cpu {
namespace {

enum Kind : std::uint8_t {
    linear_panels,
    grouped_panels,
    shifted_panels,
    qkv_panels,
    qkv_bias,
    conv_panels,
    conv_taps,
    channel_rows,
    double_rows,
    bias_planes,
    gathered_conv_panels,
    strided_conv_panels
};

std::size_t float_bytes(std::int64_t count) {
    return static_cast<std::size_t>(count) * sizeof(float);
}

/// Writes one row of `count` weights into its place of panels that start at `to`.
template <class Weight>
void put_row(std::int64_t row, std::int64_t count, Weight const& weight, float* to) {
    float* const panel = to + row / kPanelRows * kPanelRows * count + row % kPanelRows;
    for (std::int64_t k = 0; k < count; ++k) panel[k * kPanelRows] = weight(k);
}

void fill_linear(float const* from, Shape const& shape, PackingKey const&, std::byte* to) {
    std::int64_t const k = shape[1];
    for (std::int64_t m = 0; m < shape[0]; ++m) {
        put_row(
            m, k, [&](std::int64_t i) { return from[m * k + i]; }, reinterpret_cast<float*>(to));
    }
}

void fill_grouped(float const* from, Shape const& shape, PackingKey const& key, std::byte* to) {
    std::int64_t const rows = shape[0] / key.param;
    std::int64_t const group_floats = round_up(rows, kPanelRows) * shape[1];
    for (std::int64_t g = 0; g < key.param; ++g) {
        fill_linear(from + g * rows * shape[1], {rows, shape[1]}, {}, to + float_bytes(g * group_floats));
    }
}

void fill_shifted(float const* from, Shape const& shape, PackingKey const&, std::byte* to) {
    std::int64_t const group = shape[0] / kShiftGroups;
    for (std::int64_t g = 0; g < kShiftGroups; ++g) {
        std::int64_t const rows = g + 1 < kShiftGroups ? group : shape[0] - g * group;
        fill_linear(from, {rows, shape[1]}, {}, to);
        from += rows * shape[1];
        to += float_bytes(round_up(rows, kPanelRows) * shape[1]);
    }
}

void fill_qkv(float const* from, Shape const& shape, PackingKey const& key, std::byte* to) {
    std::int64_t const channels = shape[1];
    std::int64_t const dim = channels / key.param;
    for (std::int64_t head = 0; head < key.param; ++head) {
        float* const panels = reinterpret_cast<float*>(to) + head * qkv_head_floats(channels, key.param);
        for (std::int64_t m = 0; m < 3 * dim; ++m) {
            float const* const row = from + (m / dim * channels + head * dim + m % dim) * channels;
            put_row(
                m, channels, [&](std::int64_t i) { return row[i]; }, panels);
        }
    }
}

void fill_qkv_bias(float const* from, Shape const& shape, PackingKey const& key, std::byte* to) {
    std::int64_t const channels = shape[0] / 3;
    std::int64_t const dim = channels / key.param;
    for (std::int64_t m = 0; m < shape[0]; ++m) {
        std::int64_t const part = m / dim % 3;
        reinterpret_cast<float*>(to)[m] = from[part * channels + m / (3 * dim) * dim + m % dim];
    }
}

void fill_conv(float const* from, Shape const& shape, PackingKey const& key, std::byte* to) {
    std::int64_t const inputs = shape[1];
    std::int64_t const k = shape[2];
    for (std::int64_t m = 0; m < shape[0]; ++m) {
        float const* const filter = from + conv_channel(m, shape[0], key.param) * inputs * k * k;
        auto const weight = [&](std::int64_t i) {
            std::int64_t const ky = i / (inputs * k);
            return filter[(i / k % inputs * k + ky) * k + i % k];
        };
        put_row(m, k * inputs * k, weight, reinterpret_cast<float*>(to));
    }
}

void fill_strided_conv(float const* from, Shape const& shape, PackingKey const&, std::byte* to) {
    std::int64_t const inputs = shape[1];
    for (std::int64_t m = 0; m < shape[0]; ++m) {
        auto const weight = [&](std::int64_t i) {
            std::int64_t const kx = i % 2, channel = i / 2 % inputs, picture = i / (2 * inputs) % 4;
            std::int64_t const ky = i / (8 * inputs);
            return from[((m * inputs + channel) * 4 + 2 * ky + picture / 2) * 4 + 2 * kx + picture % 2];
        };
        put_row(m, 16 * inputs, weight, reinterpret_cast<float*>(to));
    }
}

void fill_conv_taps(float const* from, Shape const& shape, PackingKey const&, std::byte* to) {
    std::int64_t const taps = shape[2] * shape[3];
    for (std::int64_t o = 0; o < shape[0]; ++o) {
        for (std::int64_t i = 0; i < shape[1] * taps; ++i) {
            std::int64_t const tap = i % taps * shape[1] + i / taps;
            reinterpret_cast<float*>(to)[tap * shape[0] + o] = from[o * shape[1] * taps + i];
        }
    }
}

void fill_gathered_conv(float const* from, Shape const& shape, PackingKey const&, std::byte* to) {
    std::int64_t const inputs = shape[1];
    std::int64_t const taps = shape[2] * shape[3];
    for (std::int64_t m = 0; m < shape[0]; ++m) {
        float const* const filter = from + m * inputs * taps;
        put_row(
            m, taps * inputs, [&](std::int64_t i) { return filter[i % inputs * taps + i / inputs]; },
            reinterpret_cast<float*>(to));
    }
}

void fill_channels(float const* from, Shape const& shape, PackingKey const&, std::byte* to) {
    std::int64_t const taps = shape.count() / shape[0];
    for (std::int64_t i = 0; i < shape.count(); ++i) {
        reinterpret_cast<float*>(to)[i % taps * round_up(shape[0], 16) + i / taps] = from[i];
    }
}

void fill_doubles(float const* from, Shape const& shape, PackingKey const&, std::byte* to) {
    for (std::int64_t i = 0; i < shape.count(); ++i) {
        reinterpret_cast<double*>(to)[i / shape[1] * round_up(shape[1], 16) + i % shape[1]] = from[i];
    }
}

void fill_bias(float const* from, Shape const& shape, PackingKey const& key, std::byte* to) {
    std::int64_t const heads = shape[1];
    std::int64_t const side = std::lround(std::sqrt(static_cast<double>(shape[0])));
    std::int64_t const window = (side + 1) / 2;
    std::int64_t const keys = window * window;
    auto* const planes = reinterpret_cast<float*>(to);
    for (std::int64_t row = 0; row < heads * keys; ++row) {
        std::int64_t const j = row % keys;
        for (std::int64_t i = 0; i < keys; ++i) {
            std::int64_t const dy = i / window - j / window + window - 1;
            std::int64_t const dx = i % window - j % window + window - 1;
            planes[row * key.param + i] = from[(dy * side + dx) * heads + row / keys] * kLog2E;
        }
    }
}

}  // namespace

Packing pack_linear(int input, Shape const& weight) {
    return {input, {linear_panels, 0, 0}, float_bytes(round_up(weight[0], kPanelRows) * weight[1]), fill_linear};
}

Packing pack_grouped_linear(int input, Shape const& weight, int groups) {
    std::int64_t const rows = groups * round_up(weight[0] / groups, kPanelRows);
    return {input, {grouped_panels, 0, groups}, float_bytes(rows * weight[1]), fill_grouped};
}

Packing pack_shifted_linear(int input, Shape const& weight) {
    std::int64_t const group = weight[0] / kShiftGroups;
    std::int64_t const last = weight[0] - (kShiftGroups - 1) * group;
    std::int64_t const rows = (kShiftGroups - 1) * round_up(group, kPanelRows) + round_up(last, kPanelRows);
    return {input, {shifted_panels, 0, 0}, float_bytes(rows * weight[1]), fill_shifted};
}

Packing pack_qkv(int input, Shape const& weight, int heads) {
    return {input, {qkv_panels, 0, heads}, float_bytes(heads * qkv_head_floats(weight[1], heads)), fill_qkv};
}

Packing pack_qkv_bias(int input, Shape const& bias, int heads) {
    return {input, {qkv_bias, 0, heads}, float_bytes(bias[0]), fill_qkv_bias};
}

Packing pack_conv(int input, Shape const& weight, int pixel_shuffle) {
    std::int64_t const columns = weight[1] * weight[2] * weight[3];
    return {input, {conv_panels, 0, pixel_shuffle}, float_bytes(round_up(weight[0], kPanelRows) * columns), fill_conv};
}

Packing pack_strided_conv(int input, Shape const& weight) {
    std::int64_t const columns = weight[1] * weight[2] * weight[3];
    return {
        input, {strided_conv_panels, 0, 0}, float_bytes(round_up(weight[0], kPanelRows) * columns), fill_strided_conv};
}

Packing pack_conv_taps(int input, Shape const& weight) {
    return {input, {conv_taps, 0, 0}, float_bytes(weight.count()), fill_conv_taps};
}

Packing pack_gathered_conv(int input, Shape const& weight) {
    std::int64_t const columns = weight[1] * weight[2] * weight[3];
    return {input,
            {gathered_conv_panels, 0, 0},
            float_bytes(round_up(weight[0], kPanelRows) * columns),
            fill_gathered_conv};
}

Packing pack_channels(int input, Shape const& weight) {
    std::int64_t const taps = weight.count() / weight[0];
    return {input, {channel_rows, 0, 0}, float_bytes(taps * round_up(weight[0], 16)), fill_channels};
}

Packing pack_doubles(int input, Shape const& weight) {
    return {input, {double_rows, 0, 0}, 2 * float_bytes(weight[0] * round_up(weight[1], 16)), fill_doubles};
}

Packing pack_bias_table(int input, Shape const& table, int window, std::int64_t tokens) {
    std::int64_t const keys = std::int64_t{window} * window;
    return {input, {bias_planes, 0, tokens}, float_bytes(table[1] * keys * tokens), fill_bias};
}

}  // namespace vitrum::cpu
