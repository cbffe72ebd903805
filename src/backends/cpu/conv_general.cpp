// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "kernels.h"

namespace vitrum::cpu {
namespace {

struct Scratch {
    float* sums;  ///< [outputs] of one pixel

    Scratch(ScratchCarver& carver, Shape const& weight) { carver.take(sums, weight[0]); }
};

/// One output pixel before the activation: every tap inside the picture, every channel, all outputs at once.
class PixelSums {
public:
    PixelSums(Conv2d const& op, Launch const& launch)
        : op_(op),
          x_(nhwc(launch.inputs[Conv2d::kX])),
          taps_(floats(launch.packed[0])),
          bias_(floats(launch.inputs[Conv2d::kBias])),
          outputs_(launch.inputs[Conv2d::kWeight].shape[0]) {}

    void compute(std::int64_t n, std::int64_t row, std::int64_t column, float* sums) const {
        for (std::int64_t o = 0; o < outputs_; ++o) sums[o] = bias_ == nullptr ? 0.0F : bias_[o];
        std::int64_t const top = row * op_.stride - op_.padding();
        std::int64_t const left = column * op_.stride - op_.padding();
        for (std::int64_t ky = std::max<std::int64_t>(0, -top); ky < std::min<std::int64_t>(op_.kernel, x_.h - top);
             ++ky) {
            std::int64_t const first = std::max<std::int64_t>(0, -left);
            std::int64_t const last = std::min<std::int64_t>(op_.kernel, x_.w - left);
            for (std::int64_t kx = first; kx < last; ++kx) {
                add_tap(x_.pixel(n, top + ky, left + kx), taps_ + (ky * op_.kernel + kx) * x_.c * outputs_, sums);
            }
        }
    }

private:
    void add_tap(float const* pixel, float const* weights, float* sums) const {
        for (std::int64_t c = 0; c < x_.c; ++c, weights += outputs_) {
            for (std::int64_t o = 0; o < outputs_; ++o) sums[o] += pixel[c] * weights[o];
        }
    }

    Conv2d const& op_;
    Nhwc<float> x_;
    float const* taps_;
    float const* bias_;
    std::int64_t outputs_;
};

float activated(Conv2d const& op, float value) {
    switch (op.activation) {
        case Activation::none: return value;
        case Activation::leaky_relu: return value >= 0 ? value : value * op.negative_slope;
        case Activation::gelu: return 0.5F * value * (1.0F + std::erf(value * 0.70710678F));
    }
    return value;
}

}  // namespace

std::size_t GeneralConvKernel::workspace_bytes(Conv2d const&, Problem const& problem, int threads) {
    return static_cast<std::size_t>(threads) * scratch_bytes<Scratch>(problem.inputs[Conv2d::kWeight]);
}

void GeneralConvKernel::launch(Conv2d const& op, Launch const& launch) {
    Nhwc<float> const y = nhwc(launch.outputs[0]);
    Shape const& weight = launch.inputs[Conv2d::kWeight].shape;
    TensorView const& residual = launch.inputs[Conv2d::kResidual];
    PixelSums const pixel_sums(op, launch);
    std::int64_t const r = op.pixel_shuffle;
    std::int64_t const rows = y.h / r;
    launch.threads->parallel_for(y.n * rows, [&](std::int64_t item, int worker) {
        std::int64_t const n = item / rows;
        std::int64_t const row = item % rows;
        float* const sums = scratch_of<Scratch>(launch, worker, weight).sums;
        for (std::int64_t column = 0; column < y.w / r; ++column) {
            pixel_sums.compute(n, row, column, sums);
            for (std::int64_t o = 0; o < weight[0]; ++o) {
                float const added = residual.data == nullptr ? 0.0F : nhwc(residual).pixel(n, row, column)[o];
                std::int64_t const offset = o % (r * r);
                bool const late = op.residual_place == ResidualPlace::before_activation;
                float const value = late ? activated(op, sums[o] + added) : activated(op, sums[o]) + added;
                y.pixel(n, row * r + offset / r, column * r + offset % r)[o / (r * r)] = value;
            }
        }
    });
}

}  // namespace vitrum::cpu
