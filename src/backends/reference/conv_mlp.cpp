// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "kernels.h"
#include "math.h"

namespace vitrum::reference {
namespace {

using Op = ConvMlp;

constexpr std::int64_t kBand = 8;  // rows per item: two more of the hidden layer serve all of them

struct Extents {
    std::int64_t w, c, hidden;

    explicit Extents(Shape const& x, Shape const& fc1) : w(x[2]), c(x[3]), hidden(fc1[0]) {}
    /// One pixel's input and result, its filtered hidden layer, and the band's hidden rows.
    [[nodiscard]] std::int64_t doubles() const { return c + hidden + (kBand + 2) * w * hidden; }
};

class Band {
public:
    Band(Op const& op, Launch const& launch, double* scratch)
        : op_(op),
          in_(launch.inputs),
          x_(nhwc(in_[Op::kX])),
          y_(nhwc(launch.outputs[0])),
          e_(in_[Op::kX].shape, in_[Op::kFc1Weight].shape),
          fc1_{doubles(launch.packed[0]), nullptr, e_.c, e_.hidden},
          fc2_{doubles(launch.packed[1]), nullptr, e_.hidden, e_.c},
          pixel_(scratch),
          filtered_(pixel_ + e_.c),
          hidden_(filtered_ + e_.hidden) {}

    void run(std::int64_t n, std::int64_t first, std::int64_t rows) const {
        for (std::int64_t i = 0; i < rows + 2; ++i) hide(n, first + i - 1, hidden_ + i * e_.w * e_.hidden);
        for (std::int64_t i = 0; i < rows; ++i) {
            for (std::int64_t column = 0; column < e_.w; ++column) {
                filter(hidden_ + i * e_.w * e_.hidden, column);
                fc2_(filtered_, 1, pixel_);
                write(n, first + i, column);
            }
        }
    }

private:
    /// gelu(fc1(norm(x))) of a row; zero outside of the picture, where the depthwise convolution pads.
    void hide(std::int64_t n, std::int64_t row, double* to) const {
        if (row < 0 || row >= x_.h) {
            std::fill_n(to, e_.w * e_.hidden, 0.0);
            return;
        }
        for (std::int64_t column = 0; column < e_.w; ++column) {
            layer_norm(x_.pixel(n, row, column), floats(in_[Op::kNormWeight]), floats(in_[Op::kNormBias]), e_.c,
                       op_.norm_epsilon, pixel_);
            fc1_(pixel_, 1, to + column * e_.hidden);
        }
        std::transform(to, to + e_.w * e_.hidden, to, gelu);
    }

    /// gelu(conv(hidden)) of one pixel, from the three rows at `top`.
    void filter(double const* top, std::int64_t column) const {
        float const* const weight = floats(in_[Op::kDepthWeight]);
        std::fill_n(filtered_, e_.hidden, 0.0);
        for (std::int64_t tap = 0; tap < 9; ++tap) {
            std::int64_t const j = column + tap % 3 - 1;
            if (j < 0 || j >= e_.w) continue;
            double const* const from = top + (tap / 3 * e_.w + j) * e_.hidden;
            for (std::int64_t c = 0; c < e_.hidden; ++c) filtered_[c] += from[c] * weight[c * 9 + tap];
        }
        std::transform(filtered_, filtered_ + e_.hidden, filtered_, gelu);
    }

    void write(std::int64_t n, std::int64_t row, std::int64_t column) const {
        TensorView const& residual = in_[Op::kResidual];
        for (std::int64_t c = 0; c < e_.c; ++c) {
            double value = pixel_[c];
            if (residual.data != nullptr) value += nhwc(residual).pixel(n, row, column)[c];
            y_.pixel(n, row, column)[c] = static_cast<float>(value);
        }
    }

    Op const& op_;
    std::span<TensorView const> in_;
    Nhwc<float> x_, y_;
    Extents e_;
    Linear fc1_, fc2_;
    double *pixel_, *filtered_, *hidden_;
};

}  // namespace

std::vector<Packing> ConvMlpKernel::packings(Op const&, Problem const& problem) {
    return {panel_packing(Op::kFc1Weight, problem.inputs[Op::kFc1Weight]),
            panel_packing(Op::kFc2Weight, problem.inputs[Op::kFc2Weight])};
}

std::size_t ConvMlpKernel::workspace_bytes(Op const&, Problem const& problem, int threads) {
    Extents const extents(problem.inputs[Op::kX], problem.inputs[Op::kFc1Weight]);
    return static_cast<std::size_t>(threads) * scratch_doubles(extents.doubles()) * sizeof(double);
}

void ConvMlpKernel::launch(Op const& op, Launch const& launch) {
    Nhwc<float> const x = nhwc(launch.inputs[Op::kX]);
    Extents const extents(launch.inputs[Op::kX].shape, launch.inputs[Op::kFc1Weight].shape);
    std::int64_t const bands = (x.h + kBand - 1) / kBand;
    launch.threads->parallel_for(x.n * bands, [&](std::int64_t item, int worker) {
        std::int64_t const first = item % bands * kBand;
        Band(op, launch, scratch_of(launch, worker, extents.doubles()))
            .run(item / bands, first, std::min(kBand, x.h - first));
    });
}

}  // namespace vitrum::reference
