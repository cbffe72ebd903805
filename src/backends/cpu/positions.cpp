// SPDX-License-Identifier: Apache-2.0
// Position embeddings, learned tokens and bilinear resizing: bound by memory, or run once per program.
#include <cmath>
#include <numbers>

#include "kernels.h"

namespace vitrum::cpu {
namespace {

/// The half of a sine embedding that tells index i of `size` apart.
void sine_position(std::int64_t i, std::int64_t size, std::int64_t channels, float* to) {
    double const angle = 2 * std::numbers::pi * static_cast<double>(i + 1) / (static_cast<double>(size) + 1e-6);
    for (std::int64_t c = 0; c < channels; c += 2) {
        double const scaled = angle / std::pow(10000.0, static_cast<double>(c) / static_cast<double>(channels));
        to[c] = static_cast<float>(std::sin(scaled));
        to[c + 1] = static_cast<float>(std::cos(scaled));
    }
}

void add(float const* a, float const* b, std::int64_t count, float* to) {
    for (std::int64_t i = 0; i < count; ++i) to[i] = a[i] + b[i];
}

/// The two source indices behind an output index, and the second one's share.
struct Taps {
    std::int64_t first, second;
    float share;

    Taps(std::int64_t index, std::int64_t from, std::int64_t to) {
        double const scale = static_cast<double>(from) / static_cast<double>(to);
        double const at = std::max(0.0, (static_cast<double>(index) + 0.5) * scale - 0.5);
        first = std::min(static_cast<std::int64_t>(at), from - 1);
        second = std::min(first + 1, from - 1);
        share = static_cast<float>(at - static_cast<double>(first));
    }
};

}  // namespace

/// Columns' halves first, which every row then takes over.
std::size_t SinePositionKernel::workspace_bytes(SinePosition const&, Problem const& problem, int) {
    Shape const& y = problem.outputs[0];
    return static_cast<std::size_t>(y[2] * (y[3] / 2)) * sizeof(float);
}

void SinePositionKernel::launch(SinePosition const&, Launch const& launch) {
    Nhwc<float> const y = nhwc(launch.outputs[0]);
    float const* const level = floats(launch.inputs[SinePosition::kLevel]);
    auto* const columns = reinterpret_cast<float*>(launch.workspace);
    std::int64_t const half = y.c / 2;
    launch.threads->parallel_for(
        y.w, [&](std::int64_t column, int) { sine_position(column, y.w, half, columns + column * half); });
    launch.threads->parallel_for(y.h, [&](std::int64_t row, int) {
        float* const first = y.pixel(0, row, 0);
        sine_position(row, y.h, half, first);
        add(first, level, half, first);
        for (std::int64_t column = 0; column < y.w; ++column) {
            float* const to = y.pixel(0, row, column);
            if (column > 0) std::copy_n(first, half, to);
            add(columns + column * half, level + half, half, to + half);
        }
    });
}

void AddPositionKernel::launch(AddPosition const&, Launch const& launch) {
    Nhwc<float> const x = nhwc(launch.inputs[AddPosition::kX]);
    Nhwc<float> const position = nhwc(launch.inputs[AddPosition::kPosition]);
    Nhwc<float> const y = nhwc(launch.outputs[0]);
    constexpr std::int64_t kPixels = 64;  // of an item
    launch.threads->parallel_for((y.pixels() + kPixels - 1) / kPixels, [&](std::int64_t item, int) {
        std::int64_t const end = std::min((item + 1) * kPixels, y.pixels());
        for (std::int64_t p = item * kPixels; p < end; ++p) {
            float const* const place = position.data + p % position.pixels() * position.stride;
            add(x.data + p * x.stride, place, y.c, y.data + p * y.stride);
        }
    });
}

void TokensKernel::launch(Tokens const&, Launch const& launch) {
    Nhwc<float> const y = nhwc(launch.outputs[0]);
    float const* const table = floats(launch.inputs[Tokens::kTable]);
    launch.threads->parallel_for(y.pixels(), [&](std::int64_t pixel, int) {
        std::copy_n(table + pixel % y.w * y.c, y.c, y.data + pixel * y.stride);
    });
}

void ResizeKernel::launch(Resize const&, Launch const& launch) {
    Nhwc<float> const x = nhwc(launch.inputs[Resize::kX]);
    Nhwc<float> const y = nhwc(launch.outputs[0]);
    bool const has_add = launch.inputs[Resize::kAdd].data != nullptr;
    Nhwc<float> const summand = has_add ? nhwc(launch.inputs[Resize::kAdd]) : y;
    launch.threads->parallel_for(y.n * y.h, [&](std::int64_t item, int) {
        std::int64_t const n = item / y.h;
        Taps const rows(item % y.h, x.h, y.h);
        for (std::int64_t column = 0; column < y.w; ++column) {
            Taps const columns(column, x.w, y.w);
            float const* const a = x.pixel(n, rows.first, columns.first);
            float const* const b = x.pixel(n, rows.first, columns.second);
            float const* const c = x.pixel(n, rows.second, columns.first);
            float const* const d = x.pixel(n, rows.second, columns.second);
            float* const to = y.pixel(n, item % y.h, column);
            auto const value = [&](std::int64_t i) {
                float const upper = a[i] + columns.share * (b[i] - a[i]);
                float const lower = c[i] + columns.share * (d[i] - c[i]);
                return upper + rows.share * (lower - upper);
            };
            if (has_add) {
                float const* const with = summand.pixel(n, item % y.h, column);
                for (std::int64_t i = 0; i < y.c; ++i) to[i] = value(i) + with[i];
            } else {
                for (std::int64_t i = 0; i < y.c; ++i) to[i] = value(i);
            }
        }
    });
}

}  // namespace vitrum::cpu
