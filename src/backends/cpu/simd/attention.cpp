// SPDX-License-Identifier: Apache-2.0
// Shifted-window attention: the tokens of a few windows lie side by side in vector lanes from the first read to the
// last write, so that softmax runs down columns without a horizontal sum. A group of windows shares the products with
// the weights, where 49 tokens of a 7 × 7 window alone would pay for 64 lanes, and only pixels of the picture are
// multiplied: what extends it to whole windows has keys and values that the biases give.
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

constexpr int kMaxGroup = 4;

struct AttentionShape {
    std::int64_t channels, heads, dim, window;
    std::int64_t keys;     ///< window²
    std::int64_t lanes;    ///< of one window: keys rounded up to whole vectors
    std::int64_t rows;     ///< windows down the extended picture
    std::int64_t columns;  ///< windows across it
    std::int64_t windows;  ///< of all pictures
    std::int64_t group;    ///< windows that are run together
    std::int64_t stride;   ///< of a group's tile: every window's lanes from its first token on

    AttentionShape(Op const& op, Shape const& x, int threads)
        : channels(x[3]),
          heads(op.heads),
          dim(channels / op.heads),
          window(op.window),
          keys(window * window),
          lanes(round_up(keys, kLanes)),
          rows((x[1] + window - 1) / window),
          columns((x[2] + window - 1) / window),
          windows(x[0] * rows * columns) {
        bool const wasteful = keys != lanes || rows * window != x[1] || columns * window != x[2];
        group = wasteful ? kMaxGroup : 1;
        // A tile with its results and one head's products fit into the second-level cache (1 MiB on Zen 4), and
        // every thread gets a few groups.
        constexpr std::int64_t kTileFloats = 220'000;
        while (group > 1 && ((2 * channels + 3 * dim) * tile_stride() > kTileFloats || windows < 2 * threads * group)) {
            --group;
        }
        stride = tile_stride();
    }

private:
    [[nodiscard]] std::int64_t tile_stride() const { return round_up((group - 1) * keys + lanes, kLanes); }
};

/// S the stride of a tile, C channels, D of a head, J keys, L lanes of a window.
struct AttentionScratch {
    float* x;                 ///< [C][S] the (normalised) tokens, at last the result
    float* attended;          ///< [C][S]
    float* qkv;               ///< [3D][S] of one head
    float* extended;          ///< [3D][L] of one head and one window that reaches beyond the picture
    float* scores;            ///< [J][L] of one head
    float* masked_bias;       ///< [J][L] where the window spans several regions
    float* regions;           ///< [windows][L]
    float* inverse_sums;      ///< [L]
    float* trash;             ///< [C] where lanes without a pixel are stored
    std::int32_t* positions;  ///< [windows][J] of each token of the picture in its window
    float const** from;       ///< [S] pixels of x
    float const** next;       ///< [S] pixels of x that this worker will probably read next
    float const** add;        ///< [S] pixels of the residual
    float** to;               ///< [S] pixels of the output

    AttentionScratch(ScratchCarver& carver, AttentionShape const& s) {
        std::int64_t const rows = round_up(s.channels, 4);
        carver.take(x, rows * s.stride);
        carver.take(attended, rows * s.stride);
        carver.take(qkv, 3 * s.dim * s.stride);
        carver.take(extended, 3 * s.dim * s.lanes);
        carver.take(scores, s.keys * s.lanes);
        carver.take(masked_bias, s.keys * s.lanes);
        carver.take(regions, s.group * s.lanes);
        carver.take(inverse_sums, s.lanes);
        carver.take(trash, rows);
        carver.take(positions, s.group * s.keys);
        carver.take(from, s.stride);
        carver.take(next, s.stride);
        carver.take(add, s.stride);
        carver.take(to, s.stride);
    }
};

/// 0, 1, 2: the slices [0, size − window), [size − window, size − shift), [size − shift, size) of a rolled axis.
int slice_of(std::int64_t rolled, std::int64_t size, Op const& op) {
    if (rolled < size - op.window) return 0;
    return rolled < size - op.shift ? 1 : 2;
}

/// One window of a group.
struct Window {
    std::int64_t n, top, left;  ///< its picture and its corner in the rolled picture
    std::int64_t first;         ///< column of its first token in the group's tile
    std::int64_t tokens;        ///< pixels of the picture: all `keys`, or fewer at its border
    bool masked;                ///< spans several regions
};

class Group {
public:
    Group(Op const& op, Launch const& launch, AttentionShape const& shape, AttentionScratch const& scratch)
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
          s_(scratch),
          height_(shape.rows * shape.window),
          width_(shape.columns * shape.window) {}

    /// Group number `index`; `next` is the one that this worker will probably run after it.
    void run(std::int64_t index, std::int64_t next) {
        find_tokens(index);
        std::int64_t const coming = find_next(next);
        auto const& s = shape_;
        std::int64_t const used = round_up(tokens_, kLanes);
        load_tile(s_.from, used, 0, s.channels, x_.stride, s_.x, s.stride);
        if (in_[Op::kNormWeight].data != nullptr) {
            Norm const norm{floats(in_[Op::kNormWeight]), floats(in_[Op::kNormBias]), op_.norm_epsilon};
            normalise_tile(s_.x, s.stride, used, s.channels, norm);
        }
        Prefetcher prefetcher(std::max(coming, used), s.heads * (3 * s.dim / kPanelRows + 1));
        prefetcher.add(s_.next, s.channels);
        if (y_.data != x_.data) prefetcher.add(s_.to, s.channels);
        if (residual_.data != x_.data && residual_.data != y_.data) prefetcher.add(s_.add, s.channels);
        for (std::int64_t head = 0; head < s.heads; ++head) {
            project(head, used, prefetcher);
            for (int w = 0; w < count_; ++w) attend(head, w);
        }
        linear(proj_weight_, s.channels, floats(in_[Op::kProjBias]), {s_.attended, s.stride, s.channels}, used, s_.x,
               s.stride, NoFinish());
        store_tile(s_.x, s.stride, used, 0, s.channels, y_.stride, s_.to, has_residual_ ? s_.add : nullptr);
    }

private:
    [[nodiscard]] Window window_at(std::int64_t index) const {
        std::int64_t const per_picture = shape_.rows * shape_.columns;
        std::int64_t const top = index / shape_.columns % shape_.rows * shape_.window;
        std::int64_t const left = index % shape_.columns * shape_.window;
        bool const masked = op_.shift > 0 && (top + op_.window == height_ || left + op_.window == width_);
        return {index / per_picture, top, left, 0, 0, masked};
    }

    /// Calls body(position in the window, row, column) for the window's pixels that lie in the picture.
    template <class Body>
    void for_each_token(Window const& window, Body const& body) const {
        for (std::int64_t i = 0; i < op_.window; ++i) {
            std::int64_t row = window.top + i + op_.shift;
            if (row >= height_) row -= height_;
            if (row >= x_.h) continue;
            for (std::int64_t j = 0; j < op_.window; ++j) {
                std::int64_t column = window.left + j + op_.shift;
                if (column >= width_) column -= width_;
                if (column < x_.w) body(i * op_.window + j, row, column);
            }
        }
    }

    /// The pixels of the group's windows, window after window. Lanes behind them read the first one, which keeps NaN
    /// and denormals out of the arithmetic.
    void find_tokens(std::int64_t index) {
        std::int64_t const begin = index * shape_.group;
        count_ = static_cast<int>(std::min(shape_.group, shape_.windows - begin));
        tokens_ = 0;
        for (int w = 0; w < count_; ++w) {
            Window window = window_at(begin + w);
            window.first = tokens_;
            std::int32_t* const positions = s_.positions + w * shape_.keys;
            for_each_token(window, [&](std::int64_t position, std::int64_t row, std::int64_t column) {
                s_.from[tokens_] = x_.pixel(window.n, row, column);
                s_.add[tokens_] = residual_.pixel(window.n, row, column);
                s_.to[tokens_] = y_.pixel(window.n, row, column);
                positions[window.tokens++] = static_cast<std::int32_t>(position);
                ++tokens_;
            });
            if (window.masked) find_regions(window, s_.regions + w * shape_.lanes);
            windows_[w] = window;
        }
        for (std::int64_t t = tokens_; t < shape_.stride; ++t) {
            s_.from[t] = s_.from[0];
            s_.add[t] = s_.add[0];
            s_.to[t] = s_.trash;
        }
    }

    /// Returns how many there are.
    std::int64_t find_next(std::int64_t index) const {
        std::int64_t count = 0;
        std::int64_t const begin = index * shape_.group;
        for (std::int64_t w = begin; w < std::min(begin + shape_.group, shape_.windows); ++w) {
            Window const window = window_at(w);
            for_each_token(window, [&](std::int64_t, std::int64_t row, std::int64_t column) {
                s_.next[count++] = x_.pixel(window.n, row, column);
            });
        }
        for (std::int64_t t = count; t < shape_.stride; ++t) s_.next[t] = s_.next[0];
        return count;
    }

    void find_regions(Window const& window, float* regions) const {
        for (std::int64_t i = 0; i < op_.window; ++i) {
            int const row_region = 3 * slice_of(window.top + i, height_, op_);
            for (std::int64_t j = 0; j < op_.window; ++j) {
                regions[i * op_.window + j] = static_cast<float>(row_region + slice_of(window.left + j, width_, op_));
            }
        }
        std::fill(regions + shape_.keys, regions + shape_.lanes, regions[0]);
    }

    /// q, k and v of one head for all tokens of the group.
    void project(std::int64_t head, std::int64_t used, Prefetcher& prefetcher) const {
        auto const& s = shape_;
        linear(qkv_weight_ + head * qkv_head_floats(s.channels, s.heads), 3 * s.dim, head_bias(head),
               {s_.x, s.stride, s.channels}, used, s_.qkv, s.stride, [&](float*, int) HWY_ATTR { prefetcher.step(); });
        // Windows read whole vectors: those of the last one may reach behind the tokens.
        std::int64_t const end = windows_[count_ - 1].first + s.lanes;
        for (std::int64_t d = 0; d < 3 * s.dim && used < end; ++d) {
            std::fill(s_.qkv + d * s.stride + used, s_.qkv + d * s.stride + end, 0.0F);
        }
    }

    [[nodiscard]] float const* head_bias(std::int64_t head) const {
        return qkv_bias_ == nullptr ? nullptr : qkv_bias_ + head * 3 * shape_.dim;
    }

    void attend(std::int64_t head, int w) const {
        auto const& s = shape_;
        Window const& window = windows_[w];
        float const* bias = bias_ + head * s.keys * s.lanes;
        if (window.masked) {
            add_mask(bias, s_.regions + w * s.lanes, s.keys, s.lanes, s_.masked_bias);
            bias = s_.masked_bias;
        }
        float* const to = s_.attended + head * s.dim * s.stride + window.first;
        if (window.tokens == s.keys) {
            // What the lanes behind the window get is written before the next one overwrites it.
            attend_lanes(s_.qkv + window.first, s.stride, bias, to, s.stride);
            return;
        }
        std::int32_t const* const positions = s_.positions + w * s.keys;
        extend(head, window, positions);
        attend_lanes(s_.extended, s.lanes, bias, s_.extended, s.lanes);
        for (std::int64_t d = 0; d < s.dim; ++d) {
            for (std::int64_t t = 0; t < window.tokens; ++t) {
                to[d * s.stride + t] = s_.extended[d * s.lanes + positions[t]];
            }
        }
    }

    /// The head's q, k and v by positions in the window; beyond the picture they are the biases.
    void extend(std::int64_t head, Window const& window, std::int32_t const* positions) const {
        auto const& s = shape_;
        float const* const bias = head_bias(head);
        for (std::int64_t d = 0; d < 3 * s.dim; ++d) {
            float* const row = s_.extended + d * s.lanes;
            std::fill_n(row, s.lanes, bias == nullptr ? 0.0F : bias[d]);
            float const* const from = s_.qkv + d * s.stride + window.first;
            for (std::int64_t t = 0; t < window.tokens; ++t) row[positions[t]] = from[t];
        }
    }

    /// Softmax attention of one window and head: [3D] rows of q, k and v to [D] rows, which may lie where q does.
    void attend_lanes(float const* q, std::int64_t stride, float const* bias, float* to, std::int64_t to_stride) const {
        auto const& s = shape_;
        float const* const k = q + s.dim * stride;
        float const* const v = k + s.dim * stride;
        // scores[j][i] = log2(e) · (scale · Σ_d k[d][j] · q[d][i] + bias[j][i])
        for (RowBlocks b(s.keys); !b.done(); b.next()) {
            std::int64_t const at = b.row() * s.lanes;
            StoreScores const store{s_.scores + at, bias + at, s.lanes, op_.scale * kLog2E};
            multiply(b.rows(), ColumnsAsRows{k + b.row(), stride}, {q, stride, s.dim}, s.lanes, store);
        }
        softmax_columns(s_.scores, s.keys, s.lanes, s_.inverse_sums);
        // attended[d][i] = Σ_j v[d][j] · p[j][i] / Σ_j p[j][i]
        for (RowBlocks b(s.dim); !b.done(); b.next()) {
            multiply(b.rows(), PlainRows{v + b.row() * stride, stride}, {s_.scores, s.lanes, s.keys}, s.lanes,
                     StoreScaled{to + b.row() * to_stride, to_stride, s_.inverse_sums});
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
    std::int64_t height_, width_;  ///< of the extended picture
    Window windows_[kMaxGroup] = {};
    int count_ = 0;
    std::int64_t tokens_ = 0;
};

std::size_t workspace_bytes(Op const& op, Problem const& problem, int threads) {
    AttentionShape const shape(op, problem.inputs[Op::kX], threads);
    return static_cast<std::size_t>(threads) * scratch_bytes<AttentionScratch>(shape);
}

void launch_attention(Op const& op, Launch const& launch) {
    AttentionShape const shape(op, launch.inputs[Op::kX].shape, launch.threads->size());
    std::int64_t const groups = (shape.windows + shape.group - 1) / shape.group;
    launch.threads->parallel_for(groups, [&](std::int64_t index, int worker) {
        auto const scratch = scratch_of<AttentionScratch>(launch, worker, shape);
        std::int64_t const next = std::min(index + launch.threads->size(), groups - 1);
        Group(op, launch, shape, scratch).run(index, next);
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
