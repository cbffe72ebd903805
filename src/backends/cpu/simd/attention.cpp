// SPDX-License-Identifier: Apache-2.0
// Shifted-window attention, one window at a time: the window's tokens lie in vector lanes from the first read to the
// last write, so that softmax runs down columns without a horizontal sum.
#include "scratch.h"
#include "simd/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/attention.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "simd/product-inl.h"
#include "simd/softmax-inl.h"
#include "simd/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vitrum::cpu::HWY_NAMESPACE {
namespace {

using Op = WindowAttention;

struct AttentionShape {
    std::int64_t channels, heads, dim, window;
    std::int64_t keys;    ///< window²
    std::int64_t tokens;  ///< keys rounded up to whole vectors

    AttentionShape(Op const& op, std::int64_t c)
        : channels(c),
          heads(op.heads),
          dim(c / op.heads),
          window(op.window),
          keys(window * window),
          tokens(round_up(keys, kLanes)) {}
};

/// T tokens, C channels, D of a head, J keys.
struct AttentionScratch {
    float* x;             ///< [C][T] the (normalised) tokens, at last the result
    float* attended;      ///< [C][T]
    float* qkv;           ///< [3D][T] of one head
    float* scores;        ///< [J][T] of one head
    float* masked_bias;   ///< [J][T] where the window spans several regions
    float* regions;       ///< [T]
    float* inverse_sums;  ///< [T]
    float* trash;         ///< [C] where tokens beyond the window are stored
    float const** from;   ///< [T] pixels of x
    float const** next;   ///< [J] pixels of x that this worker will probably read next
    float const** add;    ///< [T] pixels of the residual
    float** to;           ///< [T] pixels of the output

    AttentionScratch(ScratchCarver& carver, AttentionShape const& s) {
        std::int64_t const rows = round_up(s.channels, 4);
        carver.take(x, rows * s.tokens);
        carver.take(attended, rows * s.tokens);
        carver.take(qkv, 3 * s.dim * s.tokens);
        carver.take(scores, s.keys * s.tokens);
        carver.take(masked_bias, s.keys * s.tokens);
        carver.take(regions, s.tokens);
        carver.take(inverse_sums, s.tokens);
        carver.take(trash, rows);
        carver.take(from, s.tokens);
        carver.take(next, s.keys);
        carver.take(add, s.tokens);
        carver.take(to, s.tokens);
    }
};

/// 0, 1, 2: the slices [0, size − window), [size − window, size − shift), [size − shift, size) of a rolled axis.
int slice_of(std::int64_t rolled, std::int64_t size, Op const& op) {
    if (rolled < size - op.window) return 0;
    return rolled < size - op.shift ? 1 : 2;
}

class Window {
public:
    Window(Op const& op, Launch const& launch, AttentionShape const& shape, AttentionScratch const& scratch)
        : op_(op),
          in_(launch.inputs),
          x_(nhwc(in_[Op::kX])),
          y_(nhwc(launch.outputs[0])),
          has_residual_(in_[Op::kResidual].data != nullptr),
          residual_(has_residual_ ? nhwc(in_[Op::kResidual]) : x_),
          qkv_weight_(floats(launch.packed[0])),
          proj_weight_(floats(launch.packed[1])),
          bias_(floats(launch.packed[2])),
          qkv_bias_(in_[Op::kQkvBias].data == nullptr ? nullptr : floats(launch.packed[3])),
          shape_(shape),
          s_(scratch) {}

    /// `next` is the window that this worker will probably run after this one.
    void run(std::int64_t index, std::int64_t next) const {
        Place const here = place_of(index);
        bool const masked = op_.shift > 0 && (here.top + op_.window == x_.h || here.left + op_.window == x_.w);
        find_pixels(here);
        find_next(place_of(next));
        auto const& s = shape_;
        load_tile(s_.from, s.tokens, 0, s.channels, x_.stride, s_.x, s.tokens);
        if (in_[Op::kNormWeight].data != nullptr) {
            Norm const norm{floats(in_[Op::kNormWeight]), floats(in_[Op::kNormBias]), op_.norm_epsilon};
            normalise_tile(s_.x, s.tokens, s.tokens, s.channels, norm);
        }
        Prefetcher prefetcher(s.keys, s.heads * (3 * s.dim / kPanelRows + 1));
        prefetcher.add(s_.next, s.channels);
        if (y_.data != x_.data) prefetcher.add(s_.to, s.channels);
        if (residual_.data != x_.data && residual_.data != y_.data) prefetcher.add(s_.add, s.channels);
        for (std::int64_t head = 0; head < s.heads; ++head) attend(head, masked, prefetcher);
        linear(proj_weight_, s.channels, floats(in_[Op::kProjBias]), {s_.attended, s.tokens, s.channels}, s.tokens,
               s_.x, s.tokens, NoFinish());
        store_tile(s_.x, s.tokens, s.tokens, 0, s.channels, y_.stride, s_.to, has_residual_ ? s_.add : nullptr);
    }

private:
    /// A window: its picture and its corner in the rolled picture.
    struct Place {
        std::int64_t n, top, left;
    };

    [[nodiscard]] Place place_of(std::int64_t index) const {
        std::int64_t const columns = x_.w / op_.window;
        std::int64_t const rows = x_.h / op_.window;
        return {index / (rows * columns), index / columns % rows * op_.window, index % columns * op_.window};
    }

    /// The pixel at (row, column) of the rolled picture.
    [[nodiscard]] float* rolled_pixel(Nhwc<float> const& of, std::int64_t n, std::int64_t row,
                                      std::int64_t column) const {
        std::int64_t const i = row + op_.shift;
        std::int64_t const j = column + op_.shift;
        return of.pixel(n, i < of.h ? i : i - of.h, j < of.w ? j : j - of.w);
    }

    /// Where the window's tokens lie. Tokens beyond the window read its first pixel, which keeps NaN and denormals
    /// out of the arithmetic.
    void find_pixels(Place const& at) const {
        std::int64_t t = 0;
        for (std::int64_t i = at.top; i < at.top + op_.window; ++i) {
            int const row_region = 3 * slice_of(i, x_.h, op_);
            for (std::int64_t j = at.left; j < at.left + op_.window; ++j, ++t) {
                s_.from[t] = rolled_pixel(x_, at.n, i, j);
                s_.add[t] = rolled_pixel(residual_, at.n, i, j);
                s_.to[t] = rolled_pixel(y_, at.n, i, j);
                s_.regions[t] = static_cast<float>(row_region + slice_of(j, x_.w, op_));
            }
        }
        for (; t < shape_.tokens; ++t) {
            s_.from[t] = s_.from[0];
            s_.add[t] = s_.add[0];
            s_.to[t] = s_.trash;
            s_.regions[t] = s_.regions[0];
        }
    }

    void find_next(Place const& at) const {
        std::int64_t t = 0;
        for (std::int64_t i = at.top; i < at.top + op_.window; ++i) {
            for (std::int64_t j = at.left; j < at.left + op_.window; ++j) s_.next[t++] = rolled_pixel(x_, at.n, i, j);
        }
    }

    void attend(std::int64_t head, bool masked, Prefetcher& prefetcher) const {
        auto const& s = shape_;
        float const* const qkv_bias = qkv_bias_ == nullptr ? nullptr : qkv_bias_ + head * 3 * s.dim;
        linear(qkv_weight_ + head * qkv_head_floats(s.channels, s.heads), 3 * s.dim, qkv_bias,
               {s_.x, s.tokens, s.channels}, s.tokens, s_.qkv, s.tokens,
               [&](float*, int) HWY_ATTR { prefetcher.step(); });
        float const* bias = bias_ + head * s.keys * s.tokens;
        if (masked) {
            add_mask(bias, s_.regions, s.keys, s.tokens, s_.masked_bias);
            bias = s_.masked_bias;
        }
        float const* const q = s_.qkv;
        float const* const k = q + s.dim * s.tokens;
        float const* const v = k + s.dim * s.tokens;
        // scores[j][i] = log2(e) · (scale · Σ_d k[d][j] · q[d][i] + bias[j][i])
        for (RowBlocks b(s.keys); !b.done(); b.next()) {
            std::int64_t const at = b.row() * s.tokens;
            StoreScores const store{s_.scores + at, bias + at, s.tokens, op_.scale * kLog2E};
            multiply(b.rows(), ColumnsAsRows{k + b.row(), s.tokens}, {q, s.tokens, s.dim}, s.tokens, store);
        }
        softmax_columns(s_.scores, s.keys, s.tokens, s_.inverse_sums);
        // attended[d][i] = Σ_j v[d][j] · p[j][i] / Σ_j p[j][i]
        for (RowBlocks b(s.dim); !b.done(); b.next()) {
            float* const to = s_.attended + (head * s.dim + b.row()) * s.tokens;
            multiply(b.rows(), PlainRows{v + b.row() * s.tokens, s.tokens}, {s_.scores, s.tokens, s.keys}, s.tokens,
                     StoreScaled{to, s.tokens, s_.inverse_sums});
        }
    }

    Op const& op_;
    std::span<TensorView const> in_;
    Nhwc<float> x_, y_;
    bool has_residual_;
    Nhwc<float> residual_;  ///< x where there is none
    float const* qkv_weight_;
    float const* proj_weight_;
    float const* bias_;
    float const* qkv_bias_;  ///< or null
    AttentionShape const& shape_;
    AttentionScratch const& s_;
};

std::size_t workspace_bytes(Op const& op, Problem const& problem, int threads) {
    AttentionShape const shape(op, problem.inputs[Op::kX][3]);
    return static_cast<std::size_t>(threads) * scratch_bytes<AttentionScratch>(shape);
}

void launch_attention(Op const& op, Launch const& launch) {
    Nhwc<float> const x = nhwc(launch.inputs[Op::kX]);
    AttentionShape const shape(op, x.c);
    std::int64_t const windows = x.n * (x.h / op.window) * (x.w / op.window);
    launch.threads->parallel_for(windows, [&](std::int64_t index, int worker) {
        auto const scratch = scratch_of<AttentionScratch>(launch, worker, shape);
        std::int64_t const next = std::min(index + launch.threads->size(), windows - 1);
        Window(op, launch, shape, scratch).run(index, next);
    });
}

}  // namespace

constexpr Entry<WindowAttention> attention_entry() {
    return {workspace_bytes, launch_attention};
}

}  // namespace vitrum::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vitrum::cpu {
constinit EntryTable<WindowAttention> const kAttention = VITRUM_CPU_TABLE(WindowAttention, attention_entry);
}  // namespace vitrum::cpu
#endif
