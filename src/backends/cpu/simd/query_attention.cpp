// SPDX-License-Identifier: Apache-2.0
// Attention of a hundred queries to thousands of pixels: queries in vector lanes, keys and values read where they lie.
// Keys go by in tiles under a running softmax (Milakov and Gimelshein 2018), so no row of weights is ever whole.
#include <cmath>
#include <limits>

#include "scratch.h"
#include "simd/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/query_attention.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "simd/product-inl.h"
#include "simd/softmax-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vitrum::cpu::HWY_NAMESPACE {
namespace {

using Op = QueryAttention;

constexpr std::int64_t kKeys = 60;  ///< of a tile: whole blocks of rows; its scores stay in the first-level cache
constexpr float kHidden = -1e30F;   ///< the score of what a mask hides; no product reaches it

struct AttentionShape {
    std::int64_t dim, queries;
    std::int64_t lanes;  ///< queries rounded up to whole vectors

    AttentionShape(Op const& op, Shape const& x)
        : dim(x[3] / op.heads), queries(x[2]), lanes(round_up(queries, kLanes)) {}
};

/// D channels of a head, Q queries.
struct AttentionScratch {
    float* q;           ///< [D][Q], times log2(e) / √D
    float* sums;        ///< [D][Q]: Σ v · p so far
    float* scores;      ///< [kKeys][Q]
    float* masks;       ///< [kKeys][Q], where whole vectors cannot be read from the map
    float* largest;     ///< [Q] so far
    float* weights;     ///< [Q]: Σ p so far
    float* rescale;     ///< [Q]: what this tile's new maximum does to the sums
    float* thresholds;  ///< [Q]: mask values below it hide; −∞ where all would be hidden

    AttentionScratch(ScratchCarver& carver, AttentionShape const& s) {
        carver.take(q, s.dim * s.lanes);
        carver.take(sums, s.dim * s.lanes);
        carver.take(scores, kKeys * s.lanes);
        carver.take(masks, kKeys * s.lanes);
        carver.take(largest, s.lanes);
        carver.take(weights, s.lanes);
        carver.take(rescale, s.lanes);
        carver.take(thresholds, s.lanes);
    }
};

/// to = to · factor + sum, a factor per column.
struct StoreRescaled {
    float* to;
    std::int64_t stride;
    float const* factors;
    [[nodiscard]] HWY_INLINE StoreRescaled at(std::int64_t t) const { return {to + t, stride, factors + t}; }
    HWY_INLINE void operator()(int m, int v, Vf sum) const {
        F32 const d;
        float* const at = to + m * stride + v * kLanes;
        hn::StoreU(hn::MulAdd(hn::LoadU(d, at), hn::LoadU(d, factors + v * kLanes), sum), d, at);
    }
};

/// Mask values of some keys, a row of whole vectors for each.
struct MaskRows {
    float const* p;
    std::int64_t stride;
};

class Head {
public:
    Head(Op const& op, Launch const& launch, AttentionShape const& shape, AttentionScratch const& scratch,
         std::int64_t item)
        : queries_(nhwc(launch.inputs[Op::kQueries])),
          keys_(nhwc(launch.inputs[Op::kKeys])),
          values_(nhwc(launch.inputs[Op::kValues])),
          has_mask_(launch.inputs[Op::kMask].data != nullptr),
          mask_(has_mask_ ? nhwc(launch.inputs[Op::kMask]) : keys_),
          y_(nhwc(launch.outputs[0])),
          n_(item / op.heads),
          channel_(item % op.heads * shape.dim),
          count_(keys_.h * keys_.w),
          shape_(shape),
          s_(scratch) {}

    void run() const {
        start();
        if (has_mask_) find_thresholds();
        for (std::int64_t key = 0; key < count_; key += kKeys) add_tile(key, std::min(kKeys, count_ - key));
        for (std::int64_t i = 0; i < shape_.queries; ++i) {
            float* const to = y_.pixel(n_, 0, i) + channel_;
            float const factor = 1.0F / s_.weights[i];
            for (std::int64_t d = 0; d < shape_.dim; ++d) to[d] = s_.sums[d * shape_.lanes + i] * factor;
        }
    }

private:
    [[nodiscard]] float const* key_pixel(Nhwc<float> const& of, std::int64_t key) const {
        return of.data + (n_ * count_ + key) * of.stride;
    }

    void start() const {
        float const scale = kLog2E / std::sqrt(static_cast<float>(shape_.dim));
        for (std::int64_t i = 0; i < shape_.lanes; ++i) {
            bool const real = i < shape_.queries;
            float const* const from = queries_.pixel(n_, 0, real ? i : 0) + channel_;
            for (std::int64_t d = 0; d < shape_.dim; ++d) {
                s_.q[d * shape_.lanes + i] = real ? from[d] * scale : 0.0F;
                s_.sums[d * shape_.lanes + i] = 0.0F;
            }
            s_.largest[i] = kHidden;
            s_.weights[i] = 0.0F;
        }
    }

    [[nodiscard]] MaskRows mask_rows(std::int64_t key, std::int64_t count) const {
        if (shape_.lanes <= mask_.stride) return {key_pixel(mask_, key), mask_.stride};
        for (std::int64_t j = 0; j < count; ++j) {
            float* const row = s_.masks + j * shape_.lanes;
            std::fill_n(std::copy_n(key_pixel(mask_, key + j), shape_.queries, row), shape_.lanes - shape_.queries,
                        0.0F);
        }
        return {s_.masks, shape_.lanes};
    }

    void find_thresholds() const {
        F32 const d;
        std::fill_n(s_.thresholds, shape_.lanes, -1.0F);  // first the largest mask value
        for (std::int64_t key = 0; key < count_; key += kKeys) {
            std::int64_t const count = std::min(kKeys, count_ - key);
            MaskRows const rows = mask_rows(key, count);
            for (std::int64_t i = 0; i < shape_.lanes; i += kLanes) {
                Vf largest = hn::LoadU(d, s_.thresholds + i);
                for (std::int64_t j = 0; j < count; ++j) {
                    largest = hn::Max(largest, hn::LoadU(d, rows.p + j * rows.stride + i));
                }
                hn::StoreU(largest, d, s_.thresholds + i);
            }
        }
        for (std::int64_t i = 0; i < shape_.lanes; ++i) {
            s_.thresholds[i] = s_.thresholds[i] >= 0 ? 0.0F : -std::numeric_limits<float>::infinity();
        }
    }

    void add_tile(std::int64_t key, std::int64_t count) const {
        Nhwc<float> const& k = keys_;
        Nhwc<float> const& v = values_;
        std::int64_t const lanes = shape_.lanes;
        for (RowBlocks b(count); !b.done(); b.next()) {
            PlainRows const rows{key_pixel(k, key + b.row()) + channel_, k.stride};
            multiply(b.rows(), rows, {s_.q, lanes, shape_.dim}, lanes,
                     StoreRows{s_.scores + b.row() * lanes, lanes, nullptr});
        }
        MaskRows const masks = has_mask_ ? mask_rows(key, count) : MaskRows{nullptr, 0};
        for (std::int64_t i = 0; i < lanes; i += kLanes) soften(i, count, masks);
        for (RowBlocks b(shape_.dim); !b.done(); b.next()) {
            ColumnsAsRows const columns{key_pixel(v, key) + channel_ + b.row(), v.stride};
            multiply(b.rows(), columns, {s_.scores, lanes, count}, lanes,
                     StoreRescaled{s_.sums + b.row() * lanes, lanes, s_.rescale});
        }
    }

    /// Turns the scores of kLanes queries into weights under the running maximum.
    HWY_NOINLINE void soften(std::int64_t i, std::int64_t count, MaskRows const& masks) const {
        F32 const d;
        Vf const hidden = hn::Set(d, kHidden);
        float* const scores = s_.scores + i;
        Vf const before = hn::LoadU(d, s_.largest + i);
        Vf largest = before;
        for (std::int64_t j = 0; j < count; ++j) {
            Vf score = hn::LoadU(d, scores + j * shape_.lanes);
            if (masks.p != nullptr) {
                Vf const mask = hn::LoadU(d, masks.p + j * masks.stride + i);
                score = hn::IfThenElse(hn::Lt(mask, hn::LoadU(d, s_.thresholds + i)), hidden, score);
                hn::StoreU(score, d, scores + j * shape_.lanes);
            }
            largest = hn::Max(largest, score);
        }
        Vf sum = hn::Zero(d);
        for (std::int64_t j = 0; j < count; ++j) {
            Vf const score = hn::LoadU(d, scores + j * shape_.lanes);
            Vf const p = hn::IfThenZeroElse(hn::Le(score, hidden), exp2_nonpositive(hn::Sub(score, largest)));
            sum = hn::Add(sum, p);
            hn::StoreU(p, d, scores + j * shape_.lanes);
        }
        Vf const rescale = exp2_nonpositive(hn::Sub(before, largest));
        hn::StoreU(largest, d, s_.largest + i);
        hn::StoreU(rescale, d, s_.rescale + i);
        hn::StoreU(hn::MulAdd(hn::LoadU(d, s_.weights + i), rescale, sum), d, s_.weights + i);
    }

    Nhwc<float> queries_, keys_, values_;
    bool has_mask_;
    Nhwc<float> mask_;  ///< the keys where there is none
    Nhwc<float> y_;
    std::int64_t n_;
    std::int64_t channel_;  ///< the head's first
    std::int64_t count_;    ///< keys of a picture
    AttentionShape const& shape_;
    AttentionScratch const& s_;
};

std::size_t workspace_bytes(Op const& op, Problem const& problem, int threads) {
    AttentionShape const shape(op, problem.inputs[Op::kQueries]);
    return static_cast<std::size_t>(threads) * scratch_bytes<AttentionScratch>(shape);
}

void launch_attention(Op const& op, Launch const& launch) {
    AttentionShape const shape(op, launch.inputs[Op::kQueries].shape);
    launch.threads->parallel_for(launch.inputs[Op::kQueries].shape[0] * op.heads, [&](std::int64_t item, int worker) {
        auto const scratch = scratch_of<AttentionScratch>(launch, worker, shape);
        Head(op, launch, shape, scratch, item).run();
    });
}

}  // namespace

constexpr Entry<QueryAttention> query_attention_entry() {
    return {workspace_bytes, launch_attention};
}

}  // namespace vitrum::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vitrum::cpu {
constinit EntryTable<QueryAttention> const kQueryAttention = VITRUM_CPU_TABLE(QueryAttention, query_attention_entry);
}  // namespace vitrum::cpu
#endif
