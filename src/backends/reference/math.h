// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include "backends/backend.h"

namespace vitrum::reference {

/// x · Φ(x) with the exact normal distribution function (Hendrycks and Gimpel 2016).
[[nodiscard]] double gelu(double x);

[[nodiscard]] double activate(Activation activation, float negative_slope, double x);

/// One pixel's channels, normalised; weight and bias null (both): copied.
template <class T>  // float or double
void layer_norm(T const* x, float const* weight, float const* bias, std::int64_t channels, double epsilon, double* y);

// Products run over panels of eight outputs, whose sums stay in registers while the inputs go by. Every sum is
// still a plain one, from the first input to the last.
inline constexpr std::int64_t kPanel = 8;
using Sums = std::array<double, kPanel>;

/// A weight [out, in, taps…] repacked as float64 [ceil(out / 8)][taps][in][8].
[[nodiscard]] Packing panel_packing(int input, Shape const& shape);

/// sums[j] += Σᵢ x[i] · panel[i][j]
template <class T>
void add_product(T const* x, double const* panel, std::int64_t in, Sums& sums) {
    Sums local = sums;
    for (std::int64_t i = 0; i < in; ++i, panel += kPanel) {
        for (std::size_t j = 0; j < kPanel; ++j) local[j] += static_cast<double>(x[i]) * panel[j];
    }
    sums = local;
}

/// A fully connected layer: a panel-packed weight and its bias (null: none).
struct Linear {
    double const* panels;
    float const* bias;
    std::int64_t in, out;

    /// [rows, in] → [rows, out]
    void operator()(double const* x, std::int64_t rows, double* y) const;
};

/// Float32 values of a weight in canonical form; null where it is absent.
[[nodiscard]] inline float const* floats(TensorView const& view) {
    return reinterpret_cast<float const*>(view.data);
}
[[nodiscard]] inline double const* doubles(std::byte const* packed) {
    return reinterpret_cast<double const*>(packed);
}

/// Scratch of one worker among others: a whole number of cache lines, so that workers do not share any.
[[nodiscard]] constexpr std::size_t scratch_doubles(std::int64_t doubles) {
    return (static_cast<std::size_t>(doubles) + 7) / 8 * 8;
}
[[nodiscard]] inline double* scratch_of(Launch const& launch, int worker, std::int64_t doubles) {
    return reinterpret_cast<double*>(launch.workspace) + static_cast<std::size_t>(worker) * scratch_doubles(doubles);
}

}  // namespace vitrum::reference
