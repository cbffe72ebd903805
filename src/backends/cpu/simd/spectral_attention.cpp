// SPDX-License-Identifier: Apache-2.0
// Attention between channels in two passes over the picture. Without biases q = W_q·x and k = W_k·x, so that all dot
// products and norms over the pixels follow from S = Σ x·xᵀ: k_i·q_j = (W_k·S·W_qᵀ)_ij. The first pass sums S, half the
// work of q and k alone; C × C arithmetic in float64 then gives the attention, which becomes one matrix with the output
// projection. The second pass streams rows of v through a ring: position features, mixed channels, residual.
#include "bands.h"
#include "simd/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/spectral_attention.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "simd/activation-inl.h"
#include "simd/channel_mixer-inl.h"
#include "simd/depthwise-inl.h"
#include "simd/product-inl.h"
#include "simd/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vitrum::cpu::HWY_NAMESPACE {
namespace {

using Op = SpectralAttention;
constexpr std::int64_t kTokens = kSpectralTokens;

/// The second pass over a band.
class BandKernel {
public:
    BandKernel(Launch const& launch, SpectralShape const& shape, float const* mixing, SpectralScratch const& scratch,
               Band const& band)
        : in_(launch.inputs),
          value_weight_(floats(launch.packed[0])),
          mixing_(mixing),
          x_(nhwc(in_[Op::kX])),
          y_(nhwc(launch.outputs[0])),
          channels_(shape.channels),
          s_(scratch),
          band_(band),
          values_{scratch.values, 3, shape.channels, RowRing::stride_for(shape.bands.columns)},
          features_{scratch.features, 3, shape.channels, values_.stride} {}

    void run() const {
        values_.clear();
        features_.clear();
        for (std::int64_t row = band_.row - 2; row < band_.end_row + 2; ++row) {
            value(row);
            if (row >= band_.row) feature(row - 1);
            if (row >= band_.row + 2) write(row - 2);
        }
    }

private:
    /// v of a row and two columns around the band.
    void value(std::int64_t row) const {
        if (row < 0 || row >= x_.h) return values_.clear_row(row);
        std::int64_t const begin = std::max<std::int64_t>(band_.column - 2, 0);
        std::int64_t const end = std::min(band_.end_column + 2, x_.w);
        for (std::int64_t column = begin; column < end; column += kTokens) {
            std::int64_t const real = std::min(kTokens, end - column);
            std::int64_t const tokens = round_up(real, kLanes);
            load(x_, row, column, real, tokens, s_.x);
            // The row below is next.
            for (std::int64_t t = 0; t < tokens; ++t) {
                s_.from[t] = x_.pixel(band_.n, std::min(row + 1, x_.h - 1), column + std::min(t, real - 1));
            }
            Prefetcher prefetcher(tokens, panels_of(channels_));
            prefetcher.add(s_.from, channels_);
            auto const finish = [&](float* rows, int count) HWY_ATTR {
                prefetcher.step();
                for (int m = 0; m < count; ++m) {
                    std::fill(rows + m * values_.stride + real, rows + m * values_.stride + tokens, 0.0F);
                }
            };
            linear(value_weight_, channels_, nullptr, {s_.x, kTokens, channels_}, tokens,
                   values_.row(row) + column - band_.column, values_.stride, finish);
        }
    }

    /// gelu(pos1(v)) of a row and one column around the band.
    void feature(std::int64_t row) const {
        if (row < 0 || row >= x_.h) return features_.clear_row(row);
        std::int64_t const begin = std::max<std::int64_t>(band_.column - 1, 0);
        std::int64_t const count = std::min(band_.end_column + 1, x_.w) - begin;
        std::int64_t const width = round_up(count, kLanes);
        float* const to = features_.row(row) + begin - band_.column;
        filter_rows(RowsBehind<1>(values_, row, begin - band_.column), channels_, values_.stride,
                    floats(in_[Op::kPosition1]), width, [&](int, std::int64_t c, std::int64_t t, Vf sum) HWY_ATTR {
                        hn::StoreU(gelu(sum), F32(), to + c * features_.stride + t);
                    });
        if (count == width) return;
        for (std::int64_t c = 0; c < channels_; ++c) {
            std::fill(to + c * features_.stride + count, to + c * features_.stride + width, 0.0F);
        }
    }

    void write(std::int64_t row) const {
        TensorView const& given = in_[Op::kResidual];
        Nhwc<float> const residual = given.data == nullptr ? x_ : nhwc(given);
        float const* const bias = floats(in_[Op::kProjBias]);
        for (std::int64_t column = band_.column; column < band_.end_column; column += kTokens) {
            std::int64_t const real = std::min(kTokens, band_.end_column - column);
            std::int64_t const tokens = round_up(real, kLanes);
            for (std::int64_t t = 0; t < tokens; ++t) {
                std::int64_t const at = column + std::min(t, real - 1);
                s_.add[t] = residual.pixel(band_.n, row, at);
                s_.to[t] = t < real ? y_.pixel(band_.n, row, at) : s_.trash;
            }
            Prefetcher prefetcher(tokens, panels_of(channels_));
            prefetcher.add(s_.to, channels_);
            linear(mixing_, channels_, bias, guided_values(row, column, real, tokens), tokens, s_.x, kTokens,
                   [&](float*, int) HWY_ATTR { prefetcher.step(); });
            filter_rows(RowsBehind<1>(features_, row, column - band_.column), channels_, features_.stride,
                        floats(in_[Op::kPosition2]), tokens, [&](int, std::int64_t c, std::int64_t t, Vf sum) HWY_ATTR {
                            float* const to = s_.x + c * kTokens + t;
                            hn::StoreU(hn::Add(sum, hn::LoadU(F32(), to)), F32(), to);
                        });
            store_tile(s_.x, kTokens, tokens, 0, channels_, y_.stride, s_.to, given.data == nullptr ? nullptr : s_.add);
        }
    }

    [[nodiscard]] Columns guided_values(std::int64_t row, std::int64_t column, std::int64_t real,
                                        std::int64_t tokens) const {
        float const* const values = values_.row(row) + column - band_.column;
        if (in_[Op::kGuide].data == nullptr) return {values, values_.stride, channels_};
        load(nhwc(in_[Op::kGuide]), row, column, real, tokens, s_.guided);
        F32 const d;
        for (std::int64_t c = 0; c < channels_; ++c) {
            for (std::int64_t t = 0; t < tokens; t += kLanes) {
                float* const to = s_.guided + c * kTokens + t;
                hn::StoreU(hn::Mul(hn::LoadU(d, to), hn::LoadU(d, values + c * values_.stride + t)), d, to);
            }
        }
        return {s_.guided, kTokens, channels_};
    }

    /// Pixels of a row to a tile; tokens beyond the real ones repeat the last.
    void load(Nhwc<float> const& picture, std::int64_t row, std::int64_t column, std::int64_t real, std::int64_t tokens,
              float* tile) const {
        for (std::int64_t t = 0; t < tokens; ++t)
            s_.from[t] = picture.pixel(band_.n, row, column + std::min(t, real - 1));
        load_tile(s_.from, tokens, 0, channels_, picture.stride, tile, kTokens);
    }

    std::span<TensorView const> in_;
    float const* value_weight_;
    float const* mixing_;
    Nhwc<float> x_, y_;
    std::int64_t channels_;
    SpectralScratch const& s_;
    Band band_;
    RowRing values_, features_;
};

std::size_t workspace_bytes(Op const& op, Problem const& problem, int threads) {
    SpectralShape const shape(op, problem.inputs[Op::kX], threads);
    return scratch_bytes<MixerScratch>(shape) +
           static_cast<std::size_t>(threads) * scratch_bytes<SpectralScratch>(shape);
}

void launch_attention(Op const& op, Launch const& launch) {
    SpectralShape const shape(op, launch.inputs[Op::kX].shape, launch.threads->size());
    auto const shared = scratch_of<MixerScratch>(launch, 0, shape);
    Launch workers = launch;
    workers.workspace += scratch_bytes<MixerScratch>(shape);
    auto const scratch = [&](int worker) { return scratch_of<SpectralScratch>(workers, worker, shape); };
    auto const for_each = [&](std::int64_t items, auto const& body) { launch.threads->parallel_for(items, body); };

    ChannelMixer const mixer(launch, shape, shared);
    std::int64_t const rows = shape.pictures * shape.channels;
    std::int64_t const groups = shape.pictures * ((shape.channels + kGroup - 1) / kGroup);
    std::int64_t const panels = shape.pictures * ((shape.channels + kPanelRows - 1) / kPanelRows);
    for_each(shape.pictures * shape.chunks, [&](std::int64_t i, int worker) { mixer.sum_chunk(i, scratch(worker)); });
    for_each(rows, [&](std::int64_t i, int) { mixer.gather_row(i); });
    for_each(groups, [&](std::int64_t i, int worker) { mixer.correlate(i, scratch(worker)); });
    for_each(rows, [&](std::int64_t i, int) { mixer.attend(i); });
    for_each(panels, [&](std::int64_t i, int worker) { mixer.mix(i, scratch(worker)); });
    for_each(shape.bands.count(), [&](std::int64_t i, int worker) {
        Band const band = shape.bands.at(i);
        BandKernel(launch, shape, shared.mixing + band.n * shape.panel_floats, scratch(worker), band).run();
    });
}

}  // namespace

constexpr Entry<SpectralAttention> spectral_attention_entry() {
    return {workspace_bytes, launch_attention};
}

}  // namespace vitrum::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vitrum::cpu {
constinit EntryTable<SpectralAttention> const kSpectralAttention =
    VITRUM_CPU_TABLE(SpectralAttention, spectral_attention_entry);
}  // namespace vitrum::cpu
#endif
