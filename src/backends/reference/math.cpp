// SPDX-License-Identifier: Apache-2.0
#include "math.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace vitrum::reference {
namespace {

std::int64_t panels_of(std::int64_t out) {
    return (out + kPanel - 1) / kPanel;
}

void pack_panels(float const* from, Shape const& shape, PackingKey const&, std::byte* to) {
    std::int64_t const out = shape[0];
    std::int64_t const in = shape[1];
    std::int64_t const taps = shape.count() / (out * in);
    auto* const panels = reinterpret_cast<double*>(to);
    for (std::int64_t o = 0; o < out; ++o) {
        double* const panel = panels + o / kPanel * taps * in * kPanel + o % kPanel;
        for (std::int64_t i = 0; i < in; ++i) {
            for (std::int64_t tap = 0; tap < taps; ++tap) panel[(tap * in + i) * kPanel] = *from++;
        }
    }
}

}  // namespace

double gelu(double x) {
    return 0.5 * x * (1 + std::erf(x / std::numbers::sqrt2));
}

double activate(Activation activation, float negative_slope, double x) {
    switch (activation) {
        case Activation::none: return x;
        case Activation::leaky_relu: return x < 0 ? x * static_cast<double>(negative_slope) : x;
        case Activation::gelu: return gelu(x);
    }
    return x;
}

template <class T>
void layer_norm(T const* x, float const* weight, float const* bias, std::int64_t channels, double epsilon, double* y) {
    std::copy_n(x, channels, y);
    if (weight == nullptr) return;
    double sum = 0;
    for (std::int64_t i = 0; i < channels; ++i) sum += y[i];
    double const mean = sum / static_cast<double>(channels);
    double squares = 0;
    for (std::int64_t i = 0; i < channels; ++i) squares += (y[i] - mean) * (y[i] - mean);
    double const variance = squares / static_cast<double>(channels);
    double const factor = 1 / std::sqrt(variance + epsilon);
    for (std::int64_t i = 0; i < channels; ++i) y[i] = (y[i] - mean) * factor * weight[i] + bias[i];
}
template void layer_norm(float const*, float const*, float const*, std::int64_t, double, double*);
template void layer_norm(double const*, float const*, float const*, std::int64_t, double, double*);

Packing panel_packing(int input, Shape const& shape) {
    std::int64_t const values = panels_of(shape[0]) * kPanel * (shape.count() / shape[0]);
    return {.input = input, .key = {}, .bytes = static_cast<std::size_t>(values) * sizeof(double), .pack = pack_panels};
}

void Linear::operator()(double const* x, std::int64_t rows, double* y) const {
    for (std::int64_t p = 0; p < panels_of(out); ++p) {
        std::int64_t const first = p * kPanel;
        std::int64_t const width = std::min(kPanel, out - first);
        for (std::int64_t row = 0; row < rows; ++row) {
            Sums sums{};
            if (bias != nullptr) std::copy_n(bias + first, width, sums.begin());
            add_product(x + row * in, panels + first * in, in, sums);
            std::copy_n(sums.begin(), width, y + row * out + first);
        }
    }
}

}  // namespace vitrum::reference
