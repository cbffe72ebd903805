// SPDX-License-Identifier: Apache-2.0
// Softmax over the keys j of scores[j][i], queries i in vector lanes, and the stores of the two products around it.
#if defined(VITRUM_CPU_SOFTMAX_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef VITRUM_CPU_SOFTMAX_INL
#undef VITRUM_CPU_SOFTMAX_INL
#else
#define VITRUM_CPU_SOFTMAX_INL
#endif

#include "simd/product-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vitrum::cpu::HWY_NAMESPACE {

/// `rows` rows in blocks of nearly equal height, at most kPanelRows: 10 as 5 + 5, not 6 + 4, since low blocks do not
/// hide the latency of their multiply-adds.
class RowBlocks {
public:
    HWY_INLINE explicit RowBlocks(std::int64_t rows) : left_((rows + kPanelRows - 1) / kPanelRows) {
        height_ = static_cast<int>(rows / left_);
        higher_ = rows - left_ * height_;
    }
    [[nodiscard]] HWY_INLINE bool done() const { return left_ == 0; }
    [[nodiscard]] HWY_INLINE std::int64_t row() const { return row_; }
    [[nodiscard]] HWY_INLINE int rows() const { return higher_ > 0 ? height_ + 1 : height_; }
    HWY_INLINE void next() {
        row_ += rows();
        --left_;
        --higher_;
    }

private:
    std::int64_t left_;    ///< blocks to go
    int height_;           ///< of the lower blocks, which come last
    std::int64_t higher_;  ///< blocks to go that are one row higher
    std::int64_t row_ = 0;
};

/// scores = sum · scale + bias
struct StoreScores {
    float* to;
    float const* bias;
    std::int64_t stride;
    float scale;
    [[nodiscard]] HWY_INLINE StoreScores at(std::int64_t t) const { return {to + t, bias + t, stride, scale}; }
    HWY_INLINE void operator()(int m, int v, Vf sum) const {
        F32 const d;
        std::int64_t const at = m * stride + v * kLanes;
        hn::StoreU(hn::MulAdd(sum, hn::Set(d, scale), hn::LoadU(d, bias + at)), d, to + at);
    }
};

/// Each column times its own factor.
struct StoreScaled {
    float* to;
    std::int64_t stride;
    float const* factors;
    [[nodiscard]] HWY_INLINE StoreScaled at(std::int64_t t) const { return {to + t, stride, factors + t}; }
    HWY_INLINE void operator()(int m, int v, Vf sum) const {
        F32 const d;
        hn::StoreU(hn::Mul(sum, hn::LoadU(d, factors + v * kLanes)), d, to + m * stride + v * kLanes);
    }
};

/// scores[j][i] becomes 2^(scores[j][i] − max_j); inverse_sums[i] = 1 / Σ_j of it. Vectors side by side are
/// independent chains.
template <int kCount>
HWY_INLINE void softmax_columns_block(float* scores, std::int64_t keys, std::int64_t stride, float* inverse_sums) {
    F32 const d;
    Vf largest[kCount];
    Vf sum[kCount];
    VITRUM_UNROLL for (int v = 0; v < kCount; ++v) {
        largest[v] = hn::LoadU(d, scores + v * kLanes);
        sum[v] = hn::Zero(d);
    }
    for (std::int64_t j = 1; j < keys; ++j) {
        VITRUM_UNROLL for (int v = 0; v < kCount; ++v) {
            largest[v] = hn::Max(largest[v], hn::LoadU(d, scores + j * stride + v * kLanes));
        }
    }
    for (std::int64_t j = 0; j < keys; ++j) {
        VITRUM_UNROLL for (int v = 0; v < kCount; ++v) {
            float* const at = scores + j * stride + v * kLanes;
            Vf const p = exp2_nonpositive(hn::Sub(hn::LoadU(d, at), largest[v]));
            sum[v] = hn::Add(sum[v], p);
            hn::StoreU(p, d, at);
        }
    }
    VITRUM_UNROLL for (int v = 0; v < kCount; ++v) {
        hn::StoreU(hn::Div(hn::Set(d, 1.0F), sum[v]), d, inverse_sums + v * kLanes);
    }
}

static HWY_NOINLINE HWY_MAYBE_UNUSED void softmax_columns(float* scores, std::int64_t keys, std::int64_t tokens,
                                                          float* inverse_sums) {
    std::int64_t t = 0;
    for (; t + kVectors * kLanes <= tokens; t += kVectors * kLanes) {
        softmax_columns_block<kVectors>(scores + t, keys, tokens, inverse_sums + t);
    }
    for (; t < tokens; t += kLanes) softmax_columns_block<1>(scores + t, keys, tokens, inverse_sums + t);
}

/// bias − 100 · log2(e) where key j and query i come from different regions of the rolled picture.
static HWY_NOINLINE HWY_MAYBE_UNUSED void add_mask(float const* bias, float const* regions, std::int64_t keys,
                                                   std::int64_t tokens, float* to) {
    F32 const d;
    for (std::int64_t j = 0; j < keys; ++j) {
        Vf const region = hn::Set(d, regions[j]);
        for (std::int64_t t = 0; t < tokens; t += kLanes) {
            Vf const mask = hn::IfThenElseZero(hn::Ne(hn::LoadU(d, regions + t), region), hn::Set(d, -100.0F * kLog2E));
            hn::StoreU(hn::Add(hn::LoadU(d, bias + j * tokens + t), mask), d, to + j * tokens + t);
        }
    }
}

}  // namespace vitrum::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
