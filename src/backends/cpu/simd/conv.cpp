// SPDX-License-Identifier: Apache-2.0
// Convolution, 3 × 3 and 1 × 1, and 4 × 4 with stride 2, with pixels in vector lanes. A strip of input rows is
// transposed once into a patch [row][channel][column] with a zero border; the columns of the taps then overlap, so that
// a row of the patch is read once for all of them, and neither input nor output channels are padded.
//
// Between enough channels, 3 × 3 filters run as Winograd's F(4, 3) over rows, each of whose sums is under filters of
// 1 × 3, for half the multiplications. With stride 2, every second row and column of the picture is a picture of its
// own, and 4 × 4 filters are filters of 2 × 2 over four of these with stride 1: F(3, 2), for two thirds.
#include "simd/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/conv.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "simd/activation-inl.h"
#include "simd/conv_shape-inl.h"
#include "simd/product-inl.h"
#include "simd/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vitrum::cpu::HWY_NAMESPACE {
namespace {

using Op = Conv2d;

/// One strip: `rows` output rows from (row, column) of picture n, `columns` of them inside the picture.
struct Strip {
    std::int64_t n, row, column, rows, columns;
    /// Columns that are computed: whole vectors.
    [[nodiscard]] std::int64_t width() const { return round_up(columns, kLanes); }
};

/// Asks for pixels between the panels of a strip.
struct StripPrefetcher {
    Prefetcher next, outputs;

    HWY_INLINE void step() {
        next.step();
        outputs.step();
    }
};

class StripKernel {
public:
    StripKernel(Op const& op, Launch const& launch, float const* weight, ConvShape const& shape,
                ConvScratch const& scratch)
        : op_(op),
          in_(launch.inputs),
          x_(nhwc(in_[Op::kX])),
          y_(nhwc(launch.outputs[0])),
          weight_(weight),
          shape_(shape),
          s_(scratch) {}

    /// `next` is the strip that this worker will probably run after this one.
    void run(Strip const& strip, Strip const& next) const {
        std::fill_n(s_.zeros, round_up(shape_.inputs, 4), 0.0F);
        float const* const bias = floats(in_[Op::kBias]);
        for (std::int64_t m = 0; m < shape_.outputs; ++m) {
            s_.bias[m] = bias == nullptr ? 0.0F : bias[conv_channel(m, shape_.outputs, op_.pixel_shuffle)];
        }
        fill_patch(strip);
        std::int64_t const pixels = strip.rows * strip.width();
        find_pixels({next.n, next.row, next.column, strip.rows, strip.columns}, 0, s_.next);
        std::int64_t const steps = strip.rows * panels_of(shape_.outputs);
        StripPrefetcher prefetcher{{pixels * shape_.pictures(), steps}, {pixels, steps}};
        prefetcher.next.add(s_.next, shape_.inputs);
        if (op_.pixel_shuffle == 1) {
            find_outputs(strip);
            prefetcher.outputs.add(s_.to, shape_.outputs);
            if (in_[Op::kResidual].data != nullptr) prefetcher.outputs.add(s_.add, shape_.outputs);
        }
        switch (shape_.method) {
            case Method::winograd: convolve_mixed_rows<FourRowsOfThree>(strip, prefetcher); break;
            case Method::strided_winograd: convolve_mixed_rows<ThreeRowsOfTwo>(strip, prefetcher); break;
            case Method::direct:
                if (shape_.taps == 3) convolve<3>(strip, prefetcher);
                else convolve<1>(strip, prefetcher);
        }
        if (op_.pixel_shuffle == 1) store_rows(strip);
        else store_shuffled_rows(strip);
    }

private:
    /// Of one of the pictures of every stride-th row and column, the first of which begin stride − 1 outside.
    [[nodiscard]] float const* pixel_or_zeros(std::int64_t n, std::int64_t picture, std::int64_t row,
                                              std::int64_t column) const {
        std::int64_t const y = row * shape_.stride + picture / shape_.stride - (shape_.stride - 1);
        std::int64_t const x = column * shape_.stride + picture % shape_.stride - (shape_.stride - 1);
        bool const inside = y >= 0 && y < x_.h && x >= 0 && x < x_.w;
        return inside ? x_.pixel(n, y, x) : s_.zeros;
    }

    /// The pixels of a strip's rows, of which the first lie `above`.
    void find_pixels(Strip const& strip, std::int64_t above, float const** pixels) const {
        for (std::int64_t row = 0; row < strip.rows; ++row) {
            for (std::int64_t picture = 0; picture < shape_.pictures(); ++picture) {
                for (std::int64_t t = 0; t < strip.width(); ++t) {
                    *pixels++ = pixel_or_zeros(strip.n, picture, strip.row - above + row, strip.column + t);
                }
            }
        }
    }

    void fill_patch(Strip const& strip) const {
        std::int64_t const above = (shape_.taps - 1) / 2;
        std::int64_t const width = strip.width();
        std::int64_t const rows = shape_.method == Method::direct ? strip.rows + 2 * above : shape_.patch_rows();
        find_pixels({strip.n, strip.row, strip.column, rows, strip.columns}, above, s_.from);
        std::int64_t const runs = rows * shape_.pictures();
        // From the first row to the last: a row's right border lies in the margin of the next.
        for (std::int64_t run = 0; run < runs; ++run) {
            std::int64_t const row = run / shape_.pictures(), picture = run % shape_.pictures();
            float* const to = s_.patch + row * shape_.patch_row() + picture * shape_.inputs * kPatchStride + kMargin;
            load_tile(s_.from + run * width, width, (runs - run) * width, shape_.inputs, x_.stride, to, kPatchStride);
            fill_border(strip, picture, strip.row + row - above, to);
        }
    }

    /// One column left of a row where there are three taps, and one right of it where there are two or three.
    void fill_border(Strip const& strip, std::int64_t picture, std::int64_t row, float* to) const {
        if (shape_.taps > 1) {
            std::int64_t const width = strip.width();
            float const* const right = pixel_or_zeros(strip.n, picture, row, strip.column + width);
            for (std::int64_t c = 0; c < shape_.inputs; ++c) to[c * kPatchStride + width] = right[c];
        }
        if (shape_.taps > 2) {
            float const* const left = pixel_or_zeros(strip.n, picture, row, strip.column - 1);
            for (std::int64_t c = 0; c < shape_.inputs; ++c) to[c * kPatchStride - 1] = left[c];
        }
    }

    /// Panel after panel over all rows of the strip, so that a panel's weights come from the first-level cache.
    template <int kTaps>
    void convolve(Strip const& strip, StripPrefetcher& prefetcher) const {
        std::int64_t const terms = kTaps * shape_.inputs;  // rows of the patch behind one output row
        float const* panel = weight_;
        for (std::int64_t m = 0; m < shape_.outputs; m += kPanelRows) {
            int const count = static_cast<int>(std::min(shape_.outputs - m, kPanelRows));
            for (std::int64_t row = 0; row < strip.rows; ++row) {
                float const* const from = s_.patch + row * shape_.patch_row() + kMargin - kTaps / 2;
                float* const to = s_.result + (row * shape_.outputs + m) * kColumns;
                multiply<kTaps>(count, PanelRows{panel}, {from, kPatchStride, terms}, strip.width(),
                                StoreRows{to, kColumns, s_.bias + m});
                prefetcher.step();
                activate_early(to, count);
            }
            panel += terms * kTaps * kPanelRows;
        }
    }

    void activate_early(float* rows, int count) const {
        if (op_.activation == Activation::none || activates_late()) return;
        activate(op_.activation, op_.negative_slope, rows, count * kColumns, rows);
    }

    template <class Rows>
    void convolve_mixed_rows(Strip const& strip, StripPrefetcher& prefetcher) const {
        constexpr int kTaps = Rows::kFilter;
        mix_rows<Rows>(s_.patch, shape_.patch_row());
        float const* panel = weight_;
        for (std::int64_t m = 0; m < shape_.outputs; m += kPanelRows) {
            int const count = static_cast<int>(std::min(shape_.outputs - m, kPanelRows));
            for (int i = 0; i < Rows::kGiven; ++i) {
                float const* const from = s_.patch + i * shape_.patch_row() + kMargin - (kTaps - 1) / 2;
                float* const to = s_.products + i * kPanelRows * kColumns;
                // Two short sums round less than a long one, which pays for what mixing rows costs.
                std::int64_t const half = shape_.channels / 2;
                multiply<kTaps>(count, PanelRows{panel}, {from, kPatchStride, half}, strip.width(),
                                StoreRows{to, kColumns, nullptr});
                multiply<kTaps>(count, PanelRows{panel + half * kTaps * kPanelRows},
                                {from + half * kPatchStride, kPatchStride, shape_.channels - half}, strip.width(),
                                AddRows{to, kColumns, nullptr});
                panel += shape_.filter_row();
            }
            for (int k = 0; k < count; ++k) unmix_rows<Rows>(strip, m + k, s_.products + k * kColumns);
            for (std::int64_t row = 0; row < strip.rows; ++row) {
                activate_early(s_.result + (row * shape_.outputs + m) * kColumns, count);
                prefetcher.step();
            }
        }
    }

    /// The rows of output m.
    template <class Rows>
    void unmix_rows(Strip const& strip, std::int64_t m, float const* products) const {
        F32 const d;
        Vf const bias = hn::Set(d, s_.bias[m]);
        float* const to = s_.result + m * kColumns;
        for (std::int64_t t = 0; t < strip.width(); t += kLanes) {
            Vf p[Rows::kGiven], y[Rows::kMade];
            VITRUM_UNROLL for (int i = 0; i < Rows::kGiven; ++i) p[i] =
                hn::LoadU(d, products + i * kPanelRows * kColumns + t);
            Rows::unmix(p, bias, y);
            for (std::int64_t row = 0; row < strip.rows; ++row) {
                hn::StoreU(y[row], d, to + row * shape_.outputs * kColumns + t);
            }
        }
    }

    void find_outputs(Strip const& strip) const {
        Nhwc<float> const residual = in_[Op::kResidual].data != nullptr ? nhwc(in_[Op::kResidual]) : y_;
        std::int64_t const pixels = strip.rows * strip.width();
        for (std::int64_t p = 0, row = strip.row; p < pixels; ++row) {
            for (std::int64_t t = 0; t < strip.width(); ++t, ++p) {
                bool const real = t < strip.columns;
                std::int64_t const column = strip.column + (real ? t : 0);
                s_.add[p] = residual.pixel(strip.n, row, column);
                s_.to[p] = real ? y_.pixel(strip.n, row, column) : s_.trash;
            }
        }
    }

    [[nodiscard]] bool activates_late() const {
        return op_.residual_place == ResidualPlace::before_activation && in_[Op::kResidual].data != nullptr;
    }

    void store_rows(Strip const& strip) const {
        if (activates_late() && op_.activation == Activation::leaky_relu) {
            store_rows(strip, LeakyReluValue{op_.negative_slope});
        } else {
            store_rows(strip, KeepValue());
        }
    }

    template <class F>
    void store_rows(Strip const& strip, F const& last) const {
        std::int64_t const width = strip.width();
        std::int64_t const pixels = strip.rows * width;
        bool const has_residual = in_[Op::kResidual].data != nullptr;
        for (std::int64_t p = 0; p < pixels; p += width) {
            store_tile(s_.result + p / width * shape_.outputs * kColumns, kColumns, width, pixels - p, shape_.outputs,
                       y_.stride, s_.to + p, has_residual ? s_.add + p : nullptr, last);
        }
    }

    void store_shuffled_rows(Strip const& strip) const {
        std::int64_t const r = op_.pixel_shuffle;
        std::int64_t const width = strip.width();
        for (std::int64_t i = 0; i < strip.rows * r * r; ++i) {
            std::int64_t const row = i / (r * r);
            std::int64_t const offset = i % (r * r);
            float* const result = s_.result + row * shape_.outputs * kColumns;
            if (offset == 0 && in_[Op::kResidual].data != nullptr) add_residual(strip, row, result);
            for (std::int64_t t = 0; t < width; ++t) {
                std::int64_t const column = (strip.column + t) * r + offset % r;
                s_.to[t] = t < strip.columns ? y_.pixel(strip.n, (strip.row + row) * r + offset / r, column) : s_.trash;
            }
            store_tile(result + offset * y_.c * kColumns, kColumns, width, width, y_.c, y_.stride, s_.to, nullptr);
        }
    }

    /// No network adds a residual before a PixelShuffle; this is for completeness, not for speed.
    void add_residual(Strip const& strip, std::int64_t row, float* result) const {
        Nhwc<float> const residual = nhwc(in_[Op::kResidual]);
        for (std::int64_t t = 0; t < strip.columns; ++t) {
            float const* const from = residual.pixel(strip.n, strip.row + row, strip.column + t);
            for (std::int64_t m = 0; m < shape_.outputs; ++m) {
                result[m * kColumns + t] += from[conv_channel(m, shape_.outputs, op_.pixel_shuffle)];
            }
        }
    }

    Op const& op_;
    std::span<TensorView const> in_;
    Nhwc<float> x_, y_;
    float const* weight_;
    ConvShape const& shape_;
    ConvScratch const& s_;
};

template <Method kMethod>
std::size_t workspace_bytes(Op const& op, Problem const& problem, int threads) {
    ConvShape const shape(op, kMethod, problem.inputs[Op::kX], problem.inputs[Op::kWeight], threads);
    return shape.mixed_filter_bytes() + static_cast<std::size_t>(threads) * scratch_bytes<ConvScratch>(shape);
}

/// The packed filters for Winograd, made at each launch, which takes less than a hundredth of it: they are twice as
/// large as the filters themselves, and so stay in memory only for a while.
template <class Rows>
float const* mix_filters(Launch const& launch, ConvShape const& shape) {
    float const* const from = floats(launch.packed[0]);
    auto* const to = reinterpret_cast<float*>(launch.workspace);
    std::int64_t const row = shape.filter_row();
    launch.threads->parallel_for(panels_of(shape.outputs), [&](std::int64_t panel, int) {
        mix_filter_rows<Rows>(from + panel * Rows::kFilter * row, row, to + panel * Rows::kGiven * row);
    });
    return to;
}

template <Method kMethod>
float const* filters(Launch const& launch, ConvShape const& shape) {
    if constexpr (kMethod == Method::winograd) return mix_filters<FourRowsOfThree>(launch, shape);
    else if constexpr (kMethod == Method::strided_winograd) return mix_filters<ThreeRowsOfTwo>(launch, shape);
    else return floats(launch.packed[0]);
}

template <Method kMethod>
void launch_conv(Op const& op, Launch const& launch) {
    Nhwc<float> const x = nhwc(launch.inputs[Op::kX]);
    ConvShape const shape(op, kMethod, launch.inputs[Op::kX].shape, launch.inputs[Op::kWeight].shape,
                          launch.threads->size());
    float const* const weight = filters<kMethod>(launch, shape);
    Launch workers = launch;
    workers.workspace += shape.mixed_filter_bytes();
    std::int64_t const height = (x.h + shape.stride - 1) / shape.stride;
    std::int64_t const width = (x.w + shape.stride - 1) / shape.stride;
    std::int64_t const strips = (height + shape.rows - 1) / shape.rows;
    std::int64_t const blocks = (width + kColumns - 1) / kColumns;
    std::int64_t const items = x.n * strips * blocks;
    auto const strip_of = [&](std::int64_t item) -> Strip {
        std::int64_t const row = item / blocks % strips * shape.rows;
        std::int64_t const column = item % blocks * kColumns;
        return {item / (blocks * strips), row, column, std::min(shape.rows, height - row),
                std::min(kColumns, width - column)};
    };
    launch.threads->parallel_for(items, [&](std::int64_t item, int worker) {
        auto const scratch = scratch_of<ConvScratch>(workers, worker, shape);
        std::int64_t const next = std::min(item + launch.threads->size(), items - 1);
        StripKernel(op, launch, weight, shape, scratch).run(strip_of(item), strip_of(next));
    });
}

}  // namespace

constexpr Entry<Conv2d> conv_entry() {
    return {workspace_bytes<Method::direct>, launch_conv<Method::direct>};
}
constexpr Entry<Conv2d> winograd_conv_entry() {
    return {workspace_bytes<Method::winograd>, launch_conv<Method::winograd>};
}
constexpr Entry<Conv2d> strided_conv_entry() {
    return {workspace_bytes<Method::strided_winograd>, launch_conv<Method::strided_winograd>};
}

}  // namespace vitrum::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vitrum::cpu {
constinit EntryTable<Conv2d> const kConv = VITRUM_CPU_TABLE(Conv2d, conv_entry);
constinit EntryTable<Conv2d> const kWinogradConv = VITRUM_CPU_TABLE(Conv2d, winograd_conv_entry);
constinit EntryTable<Conv2d> const kStridedConv = VITRUM_CPU_TABLE(Conv2d, strided_conv_entry);
}  // namespace vitrum::cpu
#endif
