// SPDX-License-Identifier: Apache-2.0
// Convolution, 3 × 3 and 1 × 1, with pixels in vector lanes. A strip of input rows is transposed once into a patch
// [row][channel][column] with a zero border; the columns of three taps then overlap, so that a row of the patch is
// read once for three multiply-adds, and neither input nor output channels are padded.
//
// Between enough channels, 3 × 3 filters run as Winograd's F(4, 3) over rows: six sums of six input rows, each under
// filters of 1 × 3, give four output rows, for half the multiplications (Lavin and Gray, CVPR 2016). Along rows only:
// columns are lanes, and one dimension rounds less than two. The points 0, ±1, 1/2, −2, ∞ (Barabasz et al., ACM TOMS
// 2020) round half as much as the usual ±2: of normal 31 and 60 channels the worst output is off by 3.8e-6 and 5.9e-6,
// with ±2 by 6.1e-6 and 1.1e-5, in straight sums without Winograd by 3.0e-6 and 4.0e-6.
#include "scratch.h"
#include "simd/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/conv.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "simd/activation-inl.h"
#include "simd/product-inl.h"
#include "simd/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vitrum::cpu::HWY_NAMESPACE {
namespace {

using Op = Conv2d;

constexpr std::int64_t kColumns = 64;  ///< of a block of pixels: whole register blocks on every target
/// Where column 0 of a block lies in a patch row: a whole vector in, so that the middle tap loads aligned.
constexpr std::int64_t kMargin = 16;
/// Column 64, right of the block, lies in the next row's margin, of which a patch otherwise uses only the last float.
/// Five cache lines, an odd number, spread the rows over all cache sets.
constexpr std::int64_t kPatchStride = kMargin + kColumns;
/// Patch and results of a strip share the second-level cache (1 MiB on Zen 4, 2 MiB on Sapphire Rapids) with a panel
/// of weights. Zen 4, one core, 2026-11-21: 180 → 180 at 128 × 128 runs at 108 GFLOP/s of 116, 60 → 60 at 98.
constexpr std::int64_t kStripFloats = 150'000;

enum class Method : std::uint8_t { direct, winograd };

constexpr int kGiven = 6;  ///< input rows of F(4, 3)
constexpr int kMade = 4;   ///< its output rows

struct ConvShape {
    std::int64_t inputs, outputs, taps;
    Method method;
    std::int64_t rows = kMade;  ///< output rows of a strip

    ConvShape(Op const& op, Method how, Shape const& x, Shape const& weight, int threads)
        : inputs(x[3]), outputs(weight[0]), taps(op.kernel), method(how) {
        if (method == Method::winograd) return;
        std::int64_t const per_row = inputs * kPatchStride + outputs * kColumns;
        std::int64_t const cached = (kStripFloats - (taps - 1) * inputs * kPatchStride) / per_row;
        // Four strips per thread even out the end of the parallel loop.
        std::int64_t const blocks = x[0] * ((x[2] + kColumns - 1) / kColumns);
        std::int64_t const shared = x[1] * blocks / (4 * threads);
        rows = std::clamp<std::int64_t>(std::min(cached, shared), 1, 8);
    }

    /// Floats from one row of the patch to the next. Winograd's rows are mixed column by column, right borders too, so
    /// that none may lie in the next row's margin.
    [[nodiscard]] std::int64_t patch_row() const {
        return inputs * kPatchStride + (method == Method::winograd ? kMargin : 0);
    }
};

struct ConvScratch {
    float* patch;        ///< [rows + taps − 1][inputs][kPatchStride]
    float* products;     ///< [kGiven][kPanelRows][kColumns] of a panel, before they become output rows
    float* result;       ///< [rows][outputs][kColumns]
    float* bias;         ///< [outputs] in the order of the packed rows
    float* trash;        ///< [outputs] where columns beyond the picture are stored
    float* zeros;        ///< [inputs] the pixels around the picture
    float const** from;  ///< [rows + taps − 1][width] pixels of x
    float const** next;  ///< [rows][width] pixels of x that this worker will probably read next
    float const** add;   ///< [rows][width] pixels of the residual
    float** to;          ///< [rows][width] pixels of the output

    ConvScratch(ScratchCarver& carver, ConvShape const& s) {
        // Transposes write whole groups of four channels; the last row's right border is one float further on.
        carver.take(patch, (s.rows + s.taps - 1) * s.patch_row() + 4 * kPatchStride + kLanes);
        carver.take(products, s.method == Method::winograd ? kGiven * kPanelRows * kColumns : 0);
        carver.take(result, (s.rows * s.outputs + 4) * kColumns);
        carver.take(bias, s.outputs);
        carver.take(trash, round_up(s.outputs, 4));
        carver.take(zeros, round_up(s.inputs, 4));
        carver.take(from, (s.rows + s.taps - 1) * kColumns);
        carver.take(next, s.rows * kColumns);
        carver.take(add, s.rows * kColumns);
        carver.take(to, s.rows * kColumns);
    }
};

/// One strip: `rows` output rows from (row, column) of picture n, `columns` of them inside the picture.
struct Strip {
    std::int64_t n, row, column, rows, columns;
    /// Columns that are computed: whole vectors.
    [[nodiscard]] std::int64_t width() const { return round_up(columns, kLanes); }
};

class StripKernel {
public:
    StripKernel(Op const& op, Launch const& launch, ConvShape const& shape, ConvScratch const& scratch)
        : op_(op),
          in_(launch.inputs),
          x_(nhwc(in_[Op::kX])),
          y_(nhwc(launch.outputs[0])),
          weight_(floats(launch.packed[0])),
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
        for (std::int64_t p = 0; p < pixels; ++p) {
            s_.next[p] = pixel_or_zeros(next.n, next.row + p / strip.width(), next.column + p % strip.width());
        }
        Prefetcher prefetcher(pixels, strip.rows * ((shape_.outputs + kPanelRows - 1) / kPanelRows));
        prefetcher.add(s_.next, shape_.inputs);
        if (op_.pixel_shuffle == 1) {
            find_outputs(strip);
            prefetcher.add(s_.to, shape_.outputs);
            if (in_[Op::kResidual].data != nullptr) prefetcher.add(s_.add, shape_.outputs);
        }
        if (shape_.method == Method::winograd) convolve_mixed_rows(strip, prefetcher);
        else if (shape_.taps == 3) convolve<3>(strip, prefetcher);
        else convolve<1>(strip, prefetcher);
        if (op_.pixel_shuffle == 1) store_rows(strip);
        else store_shuffled_rows(strip);
    }

private:
    [[nodiscard]] float const* pixel_or_zeros(std::int64_t n, std::int64_t row, std::int64_t column) const {
        bool const inside = row >= 0 && row < x_.h && column >= 0 && column < x_.w;
        return inside ? x_.pixel(n, row, column) : s_.zeros;
    }

    void fill_patch(Strip const& strip) const {
        std::int64_t const border = shape_.taps / 2;
        std::int64_t const width = strip.width();
        std::int64_t const rows = shape_.method == Method::winograd ? kGiven : strip.rows + 2 * border;
        std::int64_t const pixels = rows * width;
        for (std::int64_t p = 0, row = strip.row - border; p < pixels; ++row) {
            for (std::int64_t t = 0; t < width; ++t) s_.from[p++] = pixel_or_zeros(strip.n, row, strip.column + t);
        }
        // From the first row to the last: a row's right border lies in the margin of the next.
        for (std::int64_t r = 0; r < rows; ++r) {
            float* const to = s_.patch + r * shape_.patch_row() + kMargin;
            load_tile(s_.from + r * width, width, pixels - r * width, shape_.inputs, x_.stride, to, kPatchStride);
            if (border == 0) continue;
            float const* const left = pixel_or_zeros(strip.n, strip.row + r - border, strip.column - 1);
            float const* const right = pixel_or_zeros(strip.n, strip.row + r - border, strip.column + width);
            for (std::int64_t c = 0; c < shape_.inputs; ++c) {
                to[c * kPatchStride - 1] = left[c];
                to[c * kPatchStride + width] = right[c];
            }
        }
    }

    /// Panel after panel over all rows of the strip, so that a panel's weights come from the first-level cache.
    template <int kTaps>
    void convolve(Strip const& strip, Prefetcher& prefetcher) const {
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

    void convolve_mixed_rows(Strip const& strip, Prefetcher& prefetcher) const {
        mix_rows(s_.patch, shape_.patch_row());
        float const* panel = weight_;
        for (std::int64_t m = 0; m < shape_.outputs; m += kPanelRows) {
            int const count = static_cast<int>(std::min(shape_.outputs - m, kPanelRows));
            for (int i = 0; i < kGiven; ++i) {
                float const* const from = s_.patch + i * shape_.patch_row() + kMargin - 1;
                float* const to = s_.products + i * kPanelRows * kColumns;
                // Two short sums round less than a long one, which pays for what mixing rows costs.
                std::int64_t const half = shape_.inputs / 2;
                multiply<3>(count, PanelRows{panel}, {from, kPatchStride, half}, strip.width(),
                            StoreRows{to, kColumns, nullptr});
                multiply<3>(count, PanelRows{panel + half * 3 * kPanelRows},
                            {from + half * kPatchStride, kPatchStride, shape_.inputs - half}, strip.width(),
                            AddRows{to, kColumns, nullptr});
                panel += shape_.inputs * 3 * kPanelRows;
            }
            for (int k = 0; k < count; ++k) unmix_rows(strip, m + k, s_.products + k * kColumns);
            for (std::int64_t row = 0; row < strip.rows; ++row) {
                activate_early(s_.result + (row * shape_.outputs + m) * kColumns, count);
                prefetcher.step();
            }
        }
    }

    /// Six rows of the patch become Bᵀ · rows, in place.
    static void mix_rows(float* patch, std::int64_t row_floats) {
        F32 const d;
        Vf const half = hn::Set(d, 0.5F), more = hn::Set(d, 1.5F), two = hn::Set(d, 2.0F), most = hn::Set(d, 2.5F);
        for (std::int64_t at = 0; at < row_floats; at += kLanes) {
            Vf x[kGiven];
            VITRUM_UNROLL for (int i = 0; i < kGiven; ++i) x[i] = hn::LoadU(d, patch + i * row_floats + at);
            Vf const odd = hn::Sub(x[3], x[1]), even = hn::Sub(x[4], x[2]);
            Vf const y[kGiven] = {hn::MulAdd(more, odd, hn::NegMulAdd(two, x[2], hn::Add(x[0], x[4]))),
                                  hn::MulAdd(half, x[2], hn::MulAdd(most, x[3], hn::Sub(x[4], x[1]))),
                                  hn::MulAdd(half, x[3], hn::NegMulAdd(most, x[2], hn::Add(x[4], x[1]))),
                                  hn::MulAdd(two, odd, even),
                                  hn::NegMulAdd(half, odd, even),
                                  hn::MulAdd(more, even, hn::NegMulAdd(two, x[3], hn::Add(x[1], x[5])))};
            VITRUM_UNROLL for (int i = 0; i < kGiven; ++i) hn::StoreU(y[i], d, patch + i * row_floats + at);
        }
    }

    /// Four rows of output m: Aᵀ · products + bias.
    void unmix_rows(Strip const& strip, std::int64_t m, float const* products) const {
        F32 const d;
        Vf const bias = hn::Set(d, s_.bias[m]);
        float* const to = s_.result + m * kColumns;
        for (std::int64_t t = 0; t < strip.width(); t += kLanes) {
            Vf p[kGiven];
            VITRUM_UNROLL for (int i = 0; i < kGiven; ++i) p[i] =
                hn::LoadU(d, products + i * kPanelRows * kColumns + t);
            Vf const sum = hn::Add(hn::Add(p[1], p[2]), bias), difference = hn::Add(hn::Sub(p[1], p[2]), bias);
            auto const plus = [&](Vf start, float third, float fourth) HWY_ATTR {
                return hn::MulAdd(hn::Set(d, third), p[3], hn::MulAdd(hn::Set(d, fourth), p[4], start));
            };
            Vf const y[kMade] = {hn::Add(hn::Add(p[0], sum), hn::Add(p[3], p[4])), plus(difference, 0.5F, -2.0F),
                                 plus(sum, 0.25F, 4.0F), hn::Add(plus(difference, 0.125F, -8.0F), p[5])};
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
    return static_cast<std::size_t>(threads) * scratch_bytes<ConvScratch>(shape);
}

template <Method kMethod>
void launch_conv(Op const& op, Launch const& launch) {
    Nhwc<float> const x = nhwc(launch.inputs[Op::kX]);
    ConvShape const shape(op, kMethod, launch.inputs[Op::kX].shape, launch.inputs[Op::kWeight].shape,
                          launch.threads->size());
    std::int64_t const strips = (x.h + shape.rows - 1) / shape.rows;
    std::int64_t const blocks = (x.w + kColumns - 1) / kColumns;
    std::int64_t const items = x.n * strips * blocks;
    auto const strip_of = [&](std::int64_t item) -> Strip {
        std::int64_t const row = item / blocks % strips * shape.rows;
        std::int64_t const column = item % blocks * kColumns;
        return {item / (blocks * strips), row, column, std::min(shape.rows, x.h - row),
                std::min(kColumns, x.w - column)};
    };
    launch.threads->parallel_for(items, [&](std::int64_t item, int worker) {
        auto const scratch = scratch_of<ConvScratch>(launch, worker, shape);
        std::int64_t const next = std::min(item + launch.threads->size(), items - 1);
        StripKernel(op, launch, shape, scratch).run(strip_of(item), strip_of(next));
    });
}

}  // namespace

constexpr Entry<Conv2d> conv_entry() {
    return {workspace_bytes<Method::direct>, launch_conv<Method::direct>};
}
constexpr Entry<Conv2d> winograd_conv_entry() {
    return {workspace_bytes<Method::winograd>, launch_conv<Method::winograd>};
}

}  // namespace vitrum::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vitrum::cpu {
constinit EntryTable<Conv2d> const kConv = VITRUM_CPU_TABLE(Conv2d, conv_entry);
constinit EntryTable<Conv2d> const kWinogradConv = VITRUM_CPU_TABLE(Conv2d, winograd_conv_entry);
}  // namespace vitrum::cpu
#endif
