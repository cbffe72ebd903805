// SPDX-License-Identifier: Apache-2.0
// shift → fc1 → ReLU → shift → fc2 → residual without a shift in memory. A hidden channel is read at one neighbour
// only, so that it is computed there: for group g of the hidden layer, moved by (y, x), fc1 reads group i of the input
// moved by (y + y_i, x + x_i). Moves are addresses in a patch of the input, and nothing is computed twice.
#include "scratch.h"
#include "simd/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/shift_mlp.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "simd/product-inl.h"
#include "simd/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vitrum::cpu::HWY_NAMESPACE {
namespace {

using Op = ShiftMlp;

constexpr std::int64_t kColumns = 64;  ///< of a strip: whole register blocks on every target
constexpr std::int64_t kReach = 2;     ///< two moves by a pixel
/// Column 0 lies a whole vector into a patch row; what is right of column 63 lies in the next row's margin. Five cache
/// lines, an odd number, spread the rows over all cache sets.
constexpr std::int64_t kMargin = 16;
constexpr std::int64_t kPatchStride = kMargin + kColumns;
/// A patch shares the second-level cache (1 MiB on Zen 4) with both weights.
constexpr std::int64_t kPatchFloats = 120'000;

struct Move {
    std::int64_t row, column;
};
constexpr Move kMoves[kShiftGroups] = {{0, 1}, {0, -1}, {1, 0}, {-1, 0}, {0, 0}};

struct StripShape {
    std::int64_t channels, hidden;
    std::int64_t rows;  ///< output rows of a strip

    StripShape(Shape const& x, std::int64_t hidden_channels, int threads) : channels(x[3]), hidden(hidden_channels) {
        std::int64_t const cached = kPatchFloats / (channels * kPatchStride) - 2 * kReach;
        // Four strips per thread even out the end of the parallel loop.
        std::int64_t const shared = x[0] * x[1] * ((x[2] + kColumns - 1) / kColumns) / (4 * threads);
        rows = std::clamp<std::int64_t>(std::min(cached, shared), 1, 8);
    }
};

struct StripScratch {
    float* patch;         ///< [rows + 4][C][kPatchStride]
    float* hidden;        ///< [hidden][kColumns] of one row
    float* result;        ///< [C][kColumns] of one row
    float* trash;         ///< [C] where columns beyond the picture are stored
    float* zeros;         ///< [C] the pixels around the picture
    float const** moved;  ///< [C] rows of the patch behind one group of the hidden layer
    float const** from;   ///< [rows + 4][width] pixels of x
    float const** next;   ///< [rows][width] pixels of x that this worker will probably read next
    float const** add;    ///< [rows][width] pixels of the residual
    float** to;           ///< [rows][width] pixels of the output

    StripScratch(ScratchCarver& carver, StripShape const& s) {
        std::int64_t const channels = round_up(s.channels, 4);
        // Transposes write whole groups of four channels; the last row's right border is further on.
        carver.take(patch, ((s.rows + 2 * kReach) * s.channels + 4) * kPatchStride + kLanes);
        carver.take(hidden, s.hidden * kColumns);
        carver.take(result, channels * kColumns);
        carver.take(trash, channels);
        carver.take(zeros, channels);
        carver.take(moved, s.channels);
        carver.take(from, (s.rows + 2 * kReach) * kColumns);
        carver.take(next, s.rows * kColumns);
        carver.take(add, s.rows * kColumns);
        carver.take(to, s.rows * kColumns);
    }
};

/// `rows` output rows from (row, column) of picture n, `columns` of them inside the picture.
struct Strip {
    std::int64_t n, row, column, rows, columns;
    /// Columns that are computed: whole vectors.
    [[nodiscard]] std::int64_t width() const { return round_up(columns, kLanes); }
};

struct StoreRelu {
    float* to;
    std::int64_t stride;
    float const* bias;  ///< of the first row
    [[nodiscard]] HWY_INLINE StoreRelu at(std::int64_t t) const { return {to + t, stride, bias}; }
    HWY_INLINE void operator()(int m, int v, Vf sum) const {
        F32 const d;
        // The variable operand comes second: on x86 that is what Max returns for NaN.
        hn::StoreU(at_least(hn::Zero(d), hn::Add(sum, hn::Set(d, bias[m]))), d, to + m * stride + v * kLanes);
    }
};

class StripKernel {
public:
    StripKernel(Launch const& launch, StripShape const& shape, StripScratch const& scratch)
        : in_(launch.inputs),
          x_(nhwc(in_[Op::kX])),
          y_(nhwc(launch.outputs[0])),
          has_residual_(in_[Op::kResidual].data != nullptr),
          residual_(has_residual_ ? nhwc(in_[Op::kResidual]) : y_),
          fc1_(floats(launch.packed[0])),
          fc2_(floats(launch.packed[1])),
          shape_(shape),
          s_(scratch) {}

    /// `next` is the strip that this worker will probably run after this one.
    void run(Strip const& strip, Strip const& next) const {
        std::fill_n(s_.zeros, round_up(shape_.channels, 4), 0.0F);
        fill_patch(strip);
        find_outputs(strip);
        find_pixels(next, next.row, strip.rows, strip.width(), s_.next);
        Prefetcher prefetcher(strip.rows * strip.width(),
                              strip.rows * ((shape_.hidden + shape_.channels) / kPanelRows + 1));
        prefetcher.add(s_.next, shape_.channels);
        prefetcher.add(s_.to, shape_.channels);
        if (has_residual_ && residual_.data != x_.data) prefetcher.add(s_.add, shape_.channels);
        for (std::int64_t row = 0; row < strip.rows; ++row) {
            compute_hidden(strip, row, prefetcher);
            linear(fc2_, shape_.channels, floats(in_[Op::kFc2Bias]), Columns{s_.hidden, kColumns, shape_.hidden},
                   strip.width(), s_.result, kColumns, [&](float*, int) HWY_ATTR { prefetcher.step(); });
            std::int64_t const first = row * strip.width();
            store_tile(s_.result, kColumns, strip.width(), 0, shape_.channels, y_.stride, s_.to + first,
                       has_residual_ ? s_.add + first : nullptr);
        }
    }

private:
    [[nodiscard]] float const* pixel_or_zeros(std::int64_t n, std::int64_t row, std::int64_t column) const {
        bool const inside = row >= 0 && row < x_.h && column >= 0 && column < x_.w;
        return inside ? x_.pixel(n, row, column) : s_.zeros;
    }

    /// Pixels of a strip's columns from a row on.
    void find_pixels(Strip const& strip, std::int64_t first_row, std::int64_t rows, std::int64_t width,
                     float const** to) const {
        for (std::int64_t row = first_row; row < first_row + rows; ++row) {
            for (std::int64_t t = 0; t < width; ++t) *to++ = pixel_or_zeros(strip.n, row, strip.column + t);
        }
    }

    void find_outputs(Strip const& strip) const {
        std::int64_t const width = strip.width();
        for (std::int64_t row = 0; row < strip.rows; ++row) {
            for (std::int64_t t = 0; t < width; ++t) {
                bool const real = t < strip.columns;
                std::int64_t const column = strip.column + (real ? t : 0);
                s_.add[row * width + t] = residual_.pixel(strip.n, strip.row + row, column);
                s_.to[row * width + t] = real ? y_.pixel(strip.n, strip.row + row, column) : s_.trash;
            }
        }
    }

    void fill_patch(Strip const& strip) const {
        std::int64_t const width = strip.width();
        std::int64_t const rows = strip.rows + 2 * kReach;
        find_pixels(strip, strip.row - kReach, rows, width, s_.from);
        // From the first row to the last: a row's right border lies in the margin of the next.
        for (std::int64_t r = 0; r < rows; ++r) {
            float* const to = s_.patch + r * shape_.channels * kPatchStride + kMargin;
            load_tile(s_.from + r * width, width, (rows - r) * width, shape_.channels, x_.stride, to, kPatchStride);
            for (std::int64_t i = 0; i < kReach; ++i) {
                std::int64_t const row = strip.row - kReach + r;
                float const* const left = pixel_or_zeros(strip.n, row, strip.column - kReach + i);
                float const* const right = pixel_or_zeros(strip.n, row, strip.column + width + i);
                for (std::int64_t c = 0; c < shape_.channels; ++c) {
                    to[c * kPatchStride - kReach + i] = left[c];
                    to[c * kPatchStride + width + i] = right[c];
                }
            }
        }
    }

    /// The hidden layer where one output row reads it.
    void compute_hidden(Strip const& strip, std::int64_t row, Prefetcher& prefetcher) const {
        float const* panels = fc1_;
        std::int64_t const group = shape_.hidden / kShiftGroups;
        for (std::int64_t g = 0; g < kShiftGroups; ++g) {
            std::int64_t const first = g * group;
            std::int64_t const count = g + 1 < kShiftGroups ? group : shape_.hidden - first;
            std::int64_t const from_row = strip.row + row + kMoves[g].row;
            float* const to = s_.hidden + first * kColumns;
            if (from_row < 0 || from_row >= x_.h) {
                std::fill_n(to, count * kColumns, 0.0F);
            } else {
                find_moved_rows(row, kMoves[g]);
                multiply_group(panels, first, count, strip.width(), prefetcher);
                clear_outside(strip, kMoves[g], to, count);
            }
            panels += round_up(count, kPanelRows) * shape_.channels;
        }
    }

    /// Row by row of the patch: the input's channels, each moved on its own on top of the hidden group's move.
    void find_moved_rows(std::int64_t row, Move const& move) const {
        std::int64_t const group = shape_.channels / kShiftGroups;
        for (std::int64_t g = 0; g < kShiftGroups; ++g) {
            std::int64_t const patch_row = row + kReach + move.row + kMoves[g].row;
            std::int64_t const column = kMargin + move.column + kMoves[g].column;
            float const* const from = s_.patch + patch_row * shape_.channels * kPatchStride + column;
            std::int64_t const end = g + 1 < kShiftGroups ? (g + 1) * group : shape_.channels;
            for (std::int64_t c = g * group; c < end; ++c) s_.moved[c] = from + c * kPatchStride;
        }
    }

    void multiply_group(float const* panels, std::int64_t first, std::int64_t count, std::int64_t width,
                        Prefetcher& prefetcher) const {
        float const* const bias = floats(in_[Op::kFc1Bias]);
        for (std::int64_t m = first; m < first + count; m += kPanelRows) {
            int const rows = static_cast<int>(std::min(first + count - m, kPanelRows));
            multiply(rows, PanelRows{panels}, ScatteredColumns{s_.moved, 0, shape_.channels}, width,
                     StoreRelu{s_.hidden + m * kColumns, kColumns, bias + m});
            panels += shape_.channels * kPanelRows;
            prefetcher.step();
        }
    }

    /// Columns left and right of the picture: the hidden layer is zero there.
    void clear_outside(Strip const& strip, Move const& move, float* rows, std::int64_t count) const {
        std::int64_t const left = strip.column == 0 && move.column < 0 ? 0 : -1;
        std::int64_t const end = strip.column + strip.columns == x_.w && move.column > 0 ? strip.columns - 1 : -1;
        for (std::int64_t const column : {left, end}) {
            for (std::int64_t m = 0; column >= 0 && m < count; ++m) rows[m * kColumns + column] = 0;
        }
    }

    std::span<TensorView const> in_;
    Nhwc<float> x_, y_;
    bool has_residual_;
    Nhwc<float> residual_;  ///< y where there is none
    float const* fc1_;
    float const* fc2_;
    StripShape const& shape_;
    StripScratch const& s_;
};

std::size_t workspace_bytes(Op const&, Problem const& problem, int threads) {
    StripShape const shape(problem.inputs[Op::kX], problem.inputs[Op::kFc1Weight][0], threads);
    return static_cast<std::size_t>(threads) * scratch_bytes<StripScratch>(shape);
}

void launch_shift_mlp(Op const&, Launch const& launch) {
    Nhwc<float> const x = nhwc(launch.inputs[Op::kX]);
    StripShape const shape(launch.inputs[Op::kX].shape, launch.inputs[Op::kFc1Weight].shape[0], launch.threads->size());
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
        auto const scratch = scratch_of<StripScratch>(launch, worker, shape);
        std::int64_t const next = std::min(item + launch.threads->size(), items - 1);
        StripKernel(launch, shape, scratch).run(strip_of(item), strip_of(next));
    });
}

}  // namespace

constexpr Entry<ShiftMlp> shift_mlp_entry() {
    return {workspace_bytes, launch_shift_mlp};
}

}  // namespace vitrum::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vitrum::cpu {
constinit EntryTable<ShiftMlp> const kShiftMlp = VITRUM_CPU_TABLE(ShiftMlp, shift_mlp_entry);
}  // namespace vitrum::cpu
#endif
