// SPDX-License-Identifier: Apache-2.0
// norm → fc1 → GELU → depthwise 3 × 3 → GELU → fc2 → residual, two rows of a band after the other: the hidden layer,
// four times as wide as the picture's features, exists as four rows in the second-level cache.
#include "bands.h"
#include "simd/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/conv_mlp.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "simd/activation-inl.h"
#include "simd/depthwise-inl.h"
#include "simd/product-inl.h"
#include "simd/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vitrum::cpu::HWY_NAMESPACE {
namespace {

using Op = ConvMlp;

constexpr std::int64_t kTokens = 64;   // whole register blocks on every target
constexpr std::int64_t kColumns = 32;  // of the two rows that are written together
constexpr std::int64_t kRingRows = 4;  // behind these two

struct MlpShape {
    std::int64_t channels, hidden;
    Bands bands;

    MlpShape(Shape const& x, Shape const& fc1, int threads)
        : channels(x[3]), hidden(fc1[0]), bands(x, kRingRows * fc1[0], threads) {}
};

struct MlpScratch {
    float* x;            ///< [C][T] the normalised tokens, or the result
    float* ring;         ///< [kRingRows][hidden][stride] the hidden layer
    float* filtered;     ///< [hidden][T]
    float* trash;        ///< [C] where tokens beyond the band are stored
    float const** from;  ///< [T] pixels of x
    float const** next;  ///< [T] pixels of x in the row below, which is next
    float const** add;   ///< [T] pixels of the residual
    float** to;          ///< [T] pixels of the output

    MlpScratch(ScratchCarver& carver, MlpShape const& s) {
        std::int64_t const rows = round_up(s.channels, 4);
        carver.take(x, rows * kTokens);
        carver.take(ring, RowRing::floats(kRingRows, s.hidden, s.bands.columns));
        carver.take(filtered, s.hidden * kTokens);
        carver.take(trash, rows);
        carver.take(from, kTokens);
        carver.take(next, kTokens);
        carver.take(add, kTokens);
        carver.take(to, kTokens);
    }
};

class BandKernel {
public:
    BandKernel(Op const& op, Launch const& launch, MlpShape const& shape, MlpScratch const& scratch, Band const& band)
        : op_(op),
          in_(launch.inputs),
          packed_(launch.packed),
          x_(nhwc(in_[Op::kX])),
          y_(nhwc(launch.outputs[0])),
          shape_(shape),
          s_(scratch),
          band_(band),
          ring_{scratch.ring, kRingRows, shape.hidden, RowRing::stride_for(shape.bands.columns)} {}

    void run() const {
        ring_.clear();
        hide(band_.row - 1);
        hide(band_.row);
        for (std::int64_t row = band_.row; row < band_.end_row; row += 2) {
            std::int64_t const rows = std::min<std::int64_t>(band_.end_row - row, 2);
            for (std::int64_t i = 1; i <= rows; ++i) hide(row + i);
            write(row, rows);
        }
    }

private:
    /// gelu(fc1(norm(x))) of a row and one column around the band.
    void hide(std::int64_t row) const {
        if (row < 0 || row >= x_.h) return ring_.clear_row(row);
        std::int64_t const begin = std::max<std::int64_t>(band_.column - 1, 0);
        std::int64_t const end = std::min(band_.end_column + 1, x_.w);
        for (std::int64_t column = begin; column < end; column += kTokens) {
            std::int64_t const real = std::min(kTokens, end - column);
            std::int64_t const tokens = round_up(real, kLanes);
            for (std::int64_t t = 0; t < tokens; ++t) {
                std::int64_t const at = column + std::min(t, real - 1);
                s_.from[t] = x_.pixel(band_.n, row, at);
                s_.next[t] = x_.pixel(band_.n, std::min(row + 1, x_.h - 1), at);
            }
            Prefetcher prefetcher(tokens, panels_of(shape_.hidden));
            prefetcher.add(s_.next, shape_.channels);
            load_tile(s_.from, tokens, 0, shape_.channels, x_.stride, s_.x, kTokens);
            if (in_[Op::kNormWeight].data != nullptr) {
                Norm const norm{floats(in_[Op::kNormWeight]), floats(in_[Op::kNormBias]), op_.norm_epsilon};
                normalise_tile(s_.x, kTokens, tokens, shape_.channels, norm);
            }
            auto const finish = [&](float* rows, int count) HWY_ATTR {
                prefetcher.step();
                for (int m = 0; m < count; ++m) {
                    float* const to = rows + m * ring_.stride;
                    transform(to, tokens, to, Gelu());
                    std::fill(to + real, to + tokens, 0.0F);
                }
            };
            linear(floats(packed_[0]), shape_.hidden, nullptr, {s_.x, kTokens, shape_.channels}, tokens,
                   ring_.row(row) + column - band_.column, ring_.stride, finish);
        }
    }

    /// One or two rows. Their columns lie side by side in the tile, [row][column], so that they fill register blocks.
    void write(std::int64_t row, std::int64_t rows) const {
        TensorView const& given = in_[Op::kResidual];
        Nhwc<float> const residual = given.data == nullptr ? x_ : nhwc(given);
        for (std::int64_t column = band_.column; column < band_.end_column; column += kColumns) {
            std::int64_t const real = std::min(kColumns, band_.end_column - column);
            std::int64_t const width = round_up(real, kLanes);
            std::int64_t const tokens = rows * width;
            for (std::int64_t t = 0; t < tokens; ++t) {
                std::int64_t const y = row + t / width;
                std::int64_t const at = column + std::min(t % width, real - 1);
                s_.add[t] = residual.pixel(band_.n, y, at);
                s_.to[t] = t % width < real ? y_.pixel(band_.n, y, at) : s_.trash;
            }
            Prefetcher prefetcher(tokens, panels_of(shape_.channels));
            prefetcher.add(s_.to, shape_.channels);
            filter_rows(RowsBehind<2>(ring_, row, column - band_.column), shape_.hidden, ring_.stride,
                        floats(in_[Op::kDepthWeight]), width,
                        [&](int i, std::int64_t c, std::int64_t t, Vf sum)
                            HWY_ATTR { hn::StoreU(gelu(sum), F32(), s_.filtered + c * kTokens + i * width + t); });
            linear(floats(packed_[1]), shape_.channels, nullptr, {s_.filtered, kTokens, shape_.hidden}, tokens, s_.x,
                   kTokens, [&](float*, int) HWY_ATTR { prefetcher.step(); });
            store_tile(s_.x, kTokens, tokens, 0, shape_.channels, y_.stride, s_.to,
                       given.data == nullptr ? nullptr : s_.add);
        }
    }

    Op const& op_;
    std::span<TensorView const> in_;
    std::span<std::byte const* const> packed_;
    Nhwc<float> x_, y_;
    MlpShape const& shape_;
    MlpScratch const& s_;
    Band band_;
    RowRing ring_;
};

std::size_t workspace_bytes(Op const&, Problem const& problem, int threads) {
    MlpShape const shape(problem.inputs[Op::kX], problem.inputs[Op::kFc1Weight], threads);
    return static_cast<std::size_t>(threads) * scratch_bytes<MlpScratch>(shape);
}

void launch_conv_mlp(Op const& op, Launch const& launch) {
    MlpShape const shape(launch.inputs[Op::kX].shape, launch.inputs[Op::kFc1Weight].shape, launch.threads->size());
    launch.threads->parallel_for(shape.bands.count(), [&](std::int64_t item, int worker) {
        auto const scratch = scratch_of<MlpScratch>(launch, worker, shape);
        BandKernel(op, launch, shape, scratch, shape.bands.at(item)).run();
    });
}

}  // namespace

constexpr Entry<ConvMlp> conv_mlp_entry() {
    return {workspace_bytes, launch_conv_mlp};
}

}  // namespace vitrum::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vitrum::cpu {
constinit EntryTable<ConvMlp> const kConvMlp = VITRUM_CPU_TABLE(ConvMlp, conv_mlp_entry);
}  // namespace vitrum::cpu
#endif
