// SPDX-License-Identifier: Apache-2.0
// Depthwise convolution on its own, channels in vector lanes: for the masks that guide attention, where nothing else is
// left to fuse with.
#include <cmath>

#include "scratch.h"
#include "simd/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/depthwise.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "simd/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vitrum::cpu::HWY_NAMESPACE {
namespace {

using Op = DepthwiseConv;

class RowKernel {
public:
    RowKernel(Op const& op, Launch const& launch)
        : kernel_(op.kernel),
          reach_(op.kernel / 2),
          x_(nhwc(launch.inputs[Op::kX])),
          y_(nhwc(launch.outputs[0])),
          has_gated_(launch.inputs[Op::kGated].data != nullptr),
          gated_(has_gated_ ? nhwc(launch.inputs[Op::kGated]) : y_),
          taps_(floats(launch.packed[0])),
          bias_(launch.inputs[Op::kBias].data == nullptr ? nullptr : floats(launch.packed[1])),
          tap_stride_(round_up(x_.c, 16)) {
        // The last vector may reach into the pixels' padding, where there is enough of it.
        std::int64_t const padded = round_up(x_.c, kLanes);
        bool const fits = padded <= x_.stride && padded <= y_.stride && padded <= gated_.stride;
        in_vectors_ = fits ? x_.c : x_.c / kLanes * kLanes;
    }

    void run(std::int64_t n, std::int64_t row) const {
        for (std::int64_t c = 0; c < in_vectors_; c += kLanes) {
            std::int64_t column = 0;
            for (; column < std::min(reach_, x_.w); ++column) at_edge(n, row, column, c);
            for (; column + 4 + reach_ <= x_.w; column += 4) inside(n, row, column, c);
            for (; column < x_.w; ++column) at_edge(n, row, column, c);
        }
        for (std::int64_t c = in_vectors_; c < x_.c; ++c) {
            for (std::int64_t column = 0; column < x_.w; ++column) one_channel(n, row, column, c);
        }
    }

private:
    [[nodiscard]] Vf initial(std::int64_t c) const {
        F32 const d;
        return bias_ == nullptr ? hn::Zero(d) : hn::LoadU(d, bias_ + c);
    }

    /// Calls body(first input pixel of the tap row, its taps) for the rows of the filter that lie in the picture.
    template <class Body>
    HWY_INLINE void for_each_tap_row(std::int64_t row, Body const& body) const {
        std::int64_t const first = std::max<std::int64_t>(0, reach_ - row);
        std::int64_t const last = std::min(kernel_, x_.h + reach_ - row);
        for (std::int64_t ky = first; ky < last; ++ky) body(row + ky - reach_, taps_ + ky * kernel_ * tap_stride_);
    }

    /// Four columns whose taps all lie in the picture's width.
    void inside(std::int64_t n, std::int64_t row, std::int64_t column, std::int64_t c) const {
        F32 const d;
        Vf sum[4];
        VITRUM_UNROLL for (int v = 0; v < 4; ++v) sum[v] = initial(c);
        for_each_tap_row(row, [&](std::int64_t from_row, float const* taps) HWY_ATTR {
            float const* const from = x_.pixel(n, from_row, column - reach_) + c;
            for (std::int64_t kx = 0; kx < kernel_; ++kx) {
                Vf const w = hn::LoadU(d, taps + kx * tap_stride_ + c);
                VITRUM_UNROLL for (int v = 0; v < 4; ++v) {
                    sum[v] = hn::MulAdd(w, hn::LoadU(d, from + (kx + v) * x_.stride), sum[v]);
                }
            }
        });
        VITRUM_UNROLL for (int v = 0; v < 4; ++v) store(n, row, column + v, c, sum[v]);
    }

    void at_edge(std::int64_t n, std::int64_t row, std::int64_t column, std::int64_t c) const {
        F32 const d;
        Vf sum = initial(c);
        std::int64_t const first = std::max<std::int64_t>(0, reach_ - column);
        std::int64_t const last = std::min(kernel_, x_.w + reach_ - column);
        for_each_tap_row(row, [&](std::int64_t from_row, float const* taps) HWY_ATTR {
            for (std::int64_t kx = first; kx < last; ++kx) {
                Vf const x = hn::LoadU(d, x_.pixel(n, from_row, column + kx - reach_) + c);
                sum = hn::MulAdd(hn::LoadU(d, taps + kx * tap_stride_ + c), x, sum);
            }
        });
        store(n, row, column, c, sum);
    }

    HWY_INLINE void store(std::int64_t n, std::int64_t row, std::int64_t column, std::int64_t c, Vf sum) const {
        F32 const d;
        if (has_gated_) {
            Vf const gated = hn::LoadU(d, gated_.pixel(n, row, column) + c);
            sum = hn::MulAdd(gated, sigmoid(sum), gated);
        }
        hn::StoreU(sum, d, y_.pixel(n, row, column) + c);
    }

    void one_channel(std::int64_t n, std::int64_t row, std::int64_t column, std::int64_t c) const {
        float sum = bias_ == nullptr ? 0.0F : bias_[c];
        std::int64_t const first = std::max<std::int64_t>(0, reach_ - column);
        std::int64_t const last = std::min(kernel_, x_.w + reach_ - column);
        for_each_tap_row(row, [&](std::int64_t from_row, float const* taps) HWY_ATTR {
            for (std::int64_t kx = first; kx < last; ++kx) {
                sum += taps[kx * tap_stride_ + c] * x_.pixel(n, from_row, column + kx - reach_)[c];
            }
        });
        if (has_gated_) sum = gated_.pixel(n, row, column)[c] * (1.0F + 1.0F / (1.0F + std::exp(-sum)));
        y_.pixel(n, row, column)[c] = sum;
    }

    std::int64_t kernel_, reach_;
    Nhwc<float> x_, y_;
    bool has_gated_;
    Nhwc<float> gated_;  ///< y where there is none
    float const* taps_;  ///< [kernel²][C rounded up to 16]
    float const* bias_;  ///< [C rounded up to 16], or null
    std::int64_t tap_stride_;
    std::int64_t in_vectors_;  ///< channels that vectors take
};

std::size_t workspace_bytes(Op const&, Problem const&, int) {
    return 0;
}

void launch_depthwise(Op const& op, Launch const& launch) {
    RowKernel const kernel(op, launch);
    Nhwc<float> const y = nhwc(launch.outputs[0]);
    launch.threads->parallel_for(y.n * y.h, [&](std::int64_t item, int) { kernel.run(item / y.h, item % y.h); });
}

}  // namespace

constexpr Entry<DepthwiseConv> depthwise_entry() {
    return {workspace_bytes, launch_depthwise};
}

}  // namespace vitrum::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vitrum::cpu {
constinit EntryTable<DepthwiseConv> const kDepthwise = VITRUM_CPU_TABLE(DepthwiseConv, depthwise_entry);
}  // namespace vitrum::cpu
#endif
