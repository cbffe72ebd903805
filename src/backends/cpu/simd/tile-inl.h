// SPDX-License-Identifier: Apache-2.0
// Tiles: T tokens held channel-major, [C][T], in scratch. Pixels of a picture are transposed on their way in and out.
#if defined(VITRUM_CPU_TILE_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef VITRUM_CPU_TILE_INL
#undef VITRUM_CPU_TILE_INL
#else
#define VITRUM_CPU_TILE_INL
#endif

#include <cmath>

#include "hwy/cache_control.h"
#include "scratch.h"
#include "simd/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vitrum::cpu::HWY_NAMESPACE {

/// Asks for pixels a few at a time, between panels of a product, so that their way from memory passes while the
/// products run: a burst of more than the two dozen lines that a core can wait for stalls it.
class Prefetcher {
public:
    Prefetcher(std::int64_t tokens, std::int64_t steps) : tokens_(tokens), per_step_((tokens + steps - 1) / steps) {}

    void add(float const* const* pixels, std::int64_t channels) { lists_[count_++] = {pixels, channels}; }

    /// Inlined by force: GCC 12 takes a function that only prefetches for one without effects and drops its calls.
    HWY_INLINE void step() {
        std::int64_t const end = std::min(at_ + per_step_, tokens_);
        for (; at_ < end; ++at_) {
            for (int i = 0; i < count_; ++i) {
                for (std::int64_t c = 0; c < lists_[i].channels; c += 16) hwy::Prefetch(lists_[i].pixels[at_] + c);
            }
        }
    }

private:
    struct List {
        float const* const* pixels;
        std::int64_t channels;
    };
    std::int64_t tokens_, per_step_;
    std::int64_t at_ = 0;
    int count_ = 0;
    List lists_[3] = {};
};

/// What happens to a value on its way out of a tile, after the residual: nothing, or a (leaky) ReLU.
struct KeepValue {
    template <class D>
    HWY_INLINE hn::Vec<D> operator()(D, hn::Vec<D> v) const {
        return v;
    }
    HWY_INLINE float operator()(float v) const { return v; }
};
struct LeakyReluValue {
    float slope;
    template <class D>
    HWY_INLINE hn::Vec<D> operator()(D d, hn::Vec<D> v) const {
        return hn::IfThenElse(hn::Lt(v, hn::Zero(d)), hn::Mul(v, hn::Set(d, slope)), v);
    }
    HWY_INLINE float operator()(float v) const { return v < 0 ? v * slope : v; }
};

/// Channels that move four at a time: all where a pixel's padding covers the last four; none without vectors.
HWY_INLINE std::int64_t channels_by_four(std::int64_t channels, std::int64_t stride) {
    if (kLanes < 4) return 0;
    return round_up(channels, 4) <= stride ? channels : channels / 4 * 4;
}

#if HWY_TARGET == HWY_SCALAR

HWY_INLINE void load_four(float const* const*, std::int64_t, float*, std::int64_t) {}
template <class F>
HWY_INLINE void store_four(float const*, std::int64_t, float* const*, float const* const*, std::int64_t, F const&) {}

#else

/// Four floats from each of kLanes / 4 pixels: the pixels p[0], p[4], p[8] … at an offset.
template <class D>
HWY_INLINE hn::Vec<D> gather_blocks(D d, float const* const* p, std::int64_t offset) {
    if constexpr (hn::MaxLanes(D()) == 4) {
        return hn::LoadU(d, p[0] + offset);
    } else {
        hn::Half<D> const half;
        constexpr std::size_t kSkip = hn::MaxLanes(D()) / 2;
        return hn::Combine(d, gather_blocks(half, p + kSkip, offset), gather_blocks(half, p, offset));
    }
}

/// The reverse; with add[] what lies there is added first (it may be the same memory); then comes `last`.
template <class D, class F>
HWY_INLINE void scatter_blocks(D d, hn::Vec<D> v, float* const* p, float const* const* add, std::int64_t offset,
                               F const& last) {
    if constexpr (hn::MaxLanes(D()) == 4) {
        if (add != nullptr) v = hn::Add(v, hn::LoadU(d, add[0] + offset));
        hn::StoreU(last(d, v), d, p[0] + offset);
    } else {
        hn::Half<D> const half;
        constexpr std::size_t kSkip = hn::MaxLanes(D()) / 2;
        scatter_blocks(half, hn::LowerHalf(half, v), p, add, offset, last);
        scatter_blocks(half, hn::UpperHalf(half, v), p + kSkip, add == nullptr ? nullptr : add + kSkip, offset, last);
    }
}

/// Transposes the 4 × 4 blocks that four vectors hold side by side.
HWY_INLINE void transpose_blocks(Vf (&r)[4]) {
    F32 const d;
    hn::Repartition<double, F32> const dd;
    auto const ab0 = hn::BitCast(dd, hn::InterleaveLower(d, r[0], r[1]));
    auto const ab1 = hn::BitCast(dd, hn::InterleaveUpper(d, r[0], r[1]));
    auto const cd0 = hn::BitCast(dd, hn::InterleaveLower(d, r[2], r[3]));
    auto const cd1 = hn::BitCast(dd, hn::InterleaveUpper(d, r[2], r[3]));
    r[0] = hn::BitCast(d, hn::InterleaveLower(dd, ab0, cd0));
    r[1] = hn::BitCast(d, hn::InterleaveUpper(dd, ab0, cd0));
    r[2] = hn::BitCast(d, hn::InterleaveLower(dd, ab1, cd1));
    r[3] = hn::BitCast(d, hn::InterleaveUpper(dd, ab1, cd1));
}

/// Channels c to c + 3 of kLanes pixels to four rows of a tile, and back.
HWY_INLINE void load_four(float const* const* pixels, std::int64_t c, float* rows, std::int64_t stride) {
    F32 const d;
    Vf r[4];
    VITRUM_UNROLL for (int q = 0; q < 4; ++q) r[q] = gather_blocks(d, pixels + q, c);
    transpose_blocks(r);
    VITRUM_UNROLL for (int q = 0; q < 4; ++q) hn::StoreU(r[q], d, rows + q * stride);
}

template <class F>
HWY_INLINE void store_four(float const* rows, std::int64_t stride, float* const* pixels, float const* const* add,
                           std::int64_t c, F const& last) {
    F32 const d;
    Vf r[4];
    VITRUM_UNROLL for (int q = 0; q < 4; ++q) r[q] = hn::LoadU(d, rows + q * stride);
    transpose_blocks(r);
    VITRUM_UNROLL for (int q = 0; q < 4; ++q) {
        scatter_blocks(d, r[q], pixels + q, add == nullptr ? nullptr : add + q, c, last);
    }
}

#endif

/// Asks for a cache line of each of the next kLanes pixels.
template <class T>
HWY_INLINE void prefetch_lines(T* const* pixels, std::int64_t c) {
    if (c % 16 != 0) return;
    VITRUM_UNROLL for (std::int64_t q = 0; q < kLanes; ++q) hwy::Prefetch(pixels[q] + c);
}

/// tile[c][t] = pixels[t][c]. `tokens` is a multiple of kLanes; the tile has rows up to a multiple of four. With
/// `listed` pixels (>= tokens) those that a later call loads are fetched one group ahead.
static HWY_NOINLINE HWY_MAYBE_UNUSED void load_tile(float const* const* pixels, std::int64_t tokens,
                                                    std::int64_t listed, std::int64_t channels,
                                                    std::int64_t pixel_stride, float* tile, std::int64_t tile_stride) {
    std::int64_t const by_four = channels_by_four(channels, pixel_stride);
    for (std::int64_t t = 0; t < tokens; t += kLanes) {
        bool const ahead = t + 2 * kLanes <= listed;
        for (std::int64_t c = 0; c < by_four; c += 4) {
            if (ahead) prefetch_lines(pixels + t + kLanes, c);
            load_four(pixels + t, c, tile + c * tile_stride + t, tile_stride);
        }
        for (std::int64_t c = by_four; c < channels; ++c) {
            for (std::int64_t q = t; q < t + kLanes; ++q) tile[c * tile_stride + q] = pixels[q][c];
        }
    }
}

/// pixels[t][c] = last(tile[c][t] (+ add[t][c])). Tokens that have no pixel point at `channels` floats to be thrown
/// away.
template <class F = KeepValue>
static HWY_NOINLINE HWY_MAYBE_UNUSED void store_tile(float const* tile, std::int64_t tile_stride, std::int64_t tokens,
                                                     std::int64_t listed, std::int64_t channels,
                                                     std::int64_t pixel_stride, float* const* pixels,
                                                     float const* const* add, F const& last = {}) {
    std::int64_t const by_four = channels_by_four(channels, pixel_stride);
    for (std::int64_t t = 0; t < tokens; t += kLanes) {
        bool const ahead = t + 2 * kLanes <= listed;
        for (std::int64_t c = 0; c < by_four; c += 4) {
            if (ahead) prefetch_lines(pixels + t + kLanes, c);
            if (ahead && add != nullptr) prefetch_lines(add + t + kLanes, c);
            store_four(tile + c * tile_stride + t, tile_stride, pixels + t, add == nullptr ? nullptr : add + t, c,
                       last);
        }
        for (std::int64_t c = by_four; c < channels; ++c) {
            for (std::int64_t q = t; q < t + kLanes; ++q) {
                pixels[q][c] = last(tile[c * tile_stride + q] + (add == nullptr ? 0.0F : add[q][c]));
            }
        }
    }
}

struct Norm {
    float const* weight;
    float const* bias;
    float epsilon;
};

/// total[v] += Σ_c term(v, x[c]) over rows of a tile. Partial sums of 32 rows keep small terms that all round the same
/// way, such as those of equal channels, from vanishing in a large sum.
template <int kCount, class Term>
HWY_INLINE void sum_columns(float const* from, std::int64_t stride, std::int64_t channels, Vf (&total)[kCount],
                            Term const& term) {
    F32 const d;
    constexpr std::int64_t kRows = 32;
    for (std::int64_t first = 0; first < channels; first += kRows) {
        Vf sum[kCount];
        VITRUM_UNROLL for (int v = 0; v < kCount; ++v) sum[v] = hn::Zero(d);
        for (std::int64_t c = first; c < HWY_MIN(first + kRows, channels); ++c) {
            VITRUM_UNROLL for (int v = 0; v < kCount; ++v) {
                sum[v] = term(v, hn::LoadU(d, from + c * stride + v * kLanes), sum[v]);
            }
        }
        VITRUM_UNROLL for (int v = 0; v < kCount; ++v) total[v] = hn::Add(total[v], sum[v]);
    }
}

/// LayerNorm of kCount vectors of tokens at once: their sums are independent chains. The variance is summed from
/// differences to the mean, since streams of 1e5 leave no digits in a sum of squares.
template <int kCount>
HWY_INLINE void normalise_columns(float const* from, float* to, std::int64_t stride, std::int64_t channels,
                                  Norm const& norm) {
    F32 const d;
    Vf const share = hn::Set(d, 1.0F / static_cast<float>(channels));
    Vf mean[kCount];
    Vf scale[kCount];
    VITRUM_UNROLL for (int v = 0; v < kCount; ++v) mean[v] = scale[v] = hn::Zero(d);
    sum_columns(from, stride, channels, mean, [](int, Vf x, Vf sum) HWY_ATTR { return hn::Add(sum, x); });
    VITRUM_UNROLL for (int v = 0; v < kCount; ++v) mean[v] = hn::Mul(mean[v], share);
    sum_columns(from, stride, channels, scale, [&mean](int v, Vf x, Vf sum) HWY_ATTR {
        Vf const off = hn::Sub(x, mean[v]);
        return hn::MulAdd(off, off, sum);
    });
    VITRUM_UNROLL for (int v = 0; v < kCount; ++v) {
        Vf const variance = hn::MulAdd(scale[v], share, hn::Set(d, norm.epsilon));
        scale[v] = hn::Div(hn::Set(d, 1.0F), hn::Sqrt(variance));
    }
    for (std::int64_t c = 0; c < channels; ++c) {
        Vf const weight = hn::Set(d, norm.weight[c]);
        Vf const bias = hn::Set(d, norm.bias[c]);
        VITRUM_UNROLL for (int v = 0; v < kCount; ++v) {
            Vf const off = hn::Sub(hn::LoadU(d, from + c * stride + v * kLanes), mean[v]);
            hn::StoreU(hn::MulAdd(hn::Mul(off, scale[v]), weight, bias), d, to + c * stride + v * kLanes);
        }
    }
}

/// LayerNorm over the channels of a tile, in place.
static HWY_NOINLINE HWY_MAYBE_UNUSED void normalise_tile(float* tile, std::int64_t stride, std::int64_t tokens,
                                                         std::int64_t channels, Norm const& norm) {
    std::int64_t t = 0;
    for (; t + 4 * kLanes <= tokens; t += 4 * kLanes) {
        normalise_columns<4>(tile + t, tile + t, stride, channels, norm);
    }
    for (; t < tokens; t += kLanes) normalise_columns<1>(tile + t, tile + t, stride, channels, norm);
}

}  // namespace vitrum::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
