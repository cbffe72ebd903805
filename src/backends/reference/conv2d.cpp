// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "kernels.h"
#include "math.h"

namespace vitrum::reference {
namespace {

struct Convolution {
    Conv2d const& op;
    Nhwc<float> x;
    double const* panels;  ///< [ceil(out / 8)][kernel²][in][8]
    float const* bias;     ///< null: none
    std::int64_t out;

    /// Eight output channels of one pixel, from `first` on, before the activation.
    [[nodiscard]] Sums at(std::int64_t n, std::int64_t row, std::int64_t column, std::int64_t first) const {
        Sums sums{};
        if (bias != nullptr) std::copy_n(bias + first, std::min(kPanel, out - first), sums.begin());
        std::int64_t const top = row * op.stride - op.padding();
        std::int64_t const left = column * op.stride - op.padding();
        double const* tap = panels + first * op.kernel * op.kernel * x.c;
        for (std::int64_t from_row = top; from_row < top + op.kernel; ++from_row) {
            for (std::int64_t from_column = left; from_column < left + op.kernel; ++from_column, tap += x.c * kPanel) {
                bool const inside = 0 <= from_row && from_row < x.h && 0 <= from_column && from_column < x.w;
                if (inside) add_product(x.pixel(n, from_row, from_column), tap, x.c, sums);  // outside is zero
            }
        }
        return sums;
    }
};

/// Where channel o of pixel (row, column) goes: PyTorch's pixel_shuffle order o = c·r² + i·r + j.
float& shuffled(Nhwc<float> const& y, int r, std::int64_t n, std::int64_t row, std::int64_t column, std::int64_t o) {
    std::int64_t const i = o % (r * r) / r;
    std::int64_t const j = o % r;
    return y.pixel(n, row * r + i, column * r + j)[o / (r * r)];
}

}  // namespace

std::vector<Packing> Conv2dKernel::packings(Conv2d const&, Problem const& problem) {
    return {panel_packing(Conv2d::kWeight, problem.inputs[Conv2d::kWeight])};
}

void Conv2dKernel::launch(Conv2d const& op, Launch const& launch) {
    Nhwc<float> const x = nhwc(launch.inputs[Conv2d::kX]);
    Nhwc<float> const y = nhwc(launch.outputs[0]);
    TensorView const& residual = launch.inputs[Conv2d::kResidual];
    std::int64_t const out = launch.inputs[Conv2d::kWeight].shape[0];
    Convolution const convolution{op, x, doubles(launch.packed[0]), floats(launch.inputs[Conv2d::kBias]), out};

    std::int64_t const rows = y.h / op.pixel_shuffle;
    std::int64_t const columns = y.w / op.pixel_shuffle;
    launch.threads->parallel_for(x.n * rows, [&](std::int64_t item, int) {
        std::int64_t const n = item / rows;
        std::int64_t const row = item % rows;
        for (std::int64_t first = 0; first < out; first += kPanel) {
            for (std::int64_t column = 0; column < columns; ++column) {
                Sums const sums = convolution.at(n, row, column, first);
                for (std::int64_t o = first; o < std::min(first + kPanel, out); ++o) {
                    double const added = residual.data == nullptr ? 0 : nhwc(residual).pixel(n, row, column)[o];
                    double value = sums[static_cast<std::size_t>(o - first)];
                    if (op.residual_place == ResidualPlace::before_activation) value += added;
                    value = activate(op.activation, op.negative_slope, value);
                    if (op.residual_place == ResidualPlace::after_activation) value += added;
                    shuffled(y, op.pixel_shuffle, n, row, column, o) = static_cast<float>(value);
                }
            }
        }
    });
}

}  // namespace vitrum::reference
