// SPDX-License-Identifier: Apache-2.0
// Multi-scale deformable attention on tiles of tokens: offsets, scores, softmax and the four corners of every sample
// with tokens in lanes, then the samples themselves token by token with channels in lanes, where the maps' memory has
// them, then projection, residual and norm with tokens in lanes again.
#include <cmath>

#include "scratch.h"
#include "simd/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/deformable_attention.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "simd/activation-inl.h"
#include "simd/product-inl.h"
#include "simd/softmax-inl.h"
#include "simd/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vitrum::cpu::HWY_NAMESPACE {
namespace {

using Op = DeformableAttention;

constexpr std::int64_t kTokens = 64;  ///< of a tile: whole register blocks on every target
constexpr int kCorners = 4;
constexpr int kCentreRows = 4;

struct SampleShape {
    std::int64_t channels, heads, dim, points;
    std::int64_t own;  ///< samples of a head: levels · points

    SampleShape(Op const& op, std::int64_t c)
        : channels(c), heads(op.heads), dim(c / op.heads), points(op.points), own(Op::kLevels * points) {}
    [[nodiscard]] std::int64_t samples() const { return heads * own; }
};

/// C channels, S samples of a token, T tokens, I samples of a head.
struct SampleScratch {
    float* x;                ///< [C][T], at last the result
    float* query;            ///< [C][T] x + position, later what was sampled
    float* sampled;          ///< [T][C]
    float* offsets;          ///< [2S][T]
    float* scores;           ///< [S][T]
    float* inverse_sums;     ///< [T]
    float* centres;          ///< [levels][4][T] each token's place in each level: column, row; of both whole and rest
    float* weights;          ///< [I][4][lanes] of the corners, of one head and one vector of tokens
    std::int32_t* corners;   ///< [I][4][lanes] pixels of the level
    float* trash;            ///< [C] where the tokens beyond the last are stored
    float const** from;      ///< [T] pixels of x
    float const** position;  ///< [T] pixels of the position
    float const** rows;      ///< [T] tokens of `sampled`
    float** to;              ///< [T] pixels of the output
    std::int64_t* picture;   ///< [T]

    SampleScratch(ScratchCarver& carver, SampleShape const& s) {
        std::int64_t const rows_of_tile = round_up(s.channels, 4);
        carver.take(x, rows_of_tile * kTokens);
        carver.take(query, rows_of_tile * kTokens);
        carver.take(sampled, rows_of_tile * kTokens);
        carver.take(offsets, 2 * s.samples() * kTokens);
        carver.take(scores, s.samples() * kTokens);
        carver.take(inverse_sums, kTokens);
        carver.take(centres, Op::kLevels * kCentreRows * kTokens);
        carver.take(weights, s.own * kCorners * kLanes);
        carver.take(corners, s.own * kCorners * kLanes);
        carver.take(trash, rows_of_tile);
        carver.take(from, kTokens);
        carver.take(position, kTokens);
        carver.take(rows, kTokens);
        carver.take(to, kTokens);
        carver.take(picture, kTokens);
    }
};

/// One corner's share along an axis: `share` where it lies inside, and its index held inside.
struct Side {
    Vf share;
    hn::Vec<hn::RebindToSigned<F32>> index;

    HWY_INLINE Side(Vf at, Vf of, std::int64_t size) {
        F32 const d;
        hn::RebindToSigned<F32> const di;
        Vf const last = hn::Set(d, static_cast<float>(size - 1));
        Vf const held = hn::Min(hn::Max(at, hn::Zero(d)), last);
        share = hn::IfThenElseZero(hn::Eq(held, at), of);
        // Whole numbers again: no conversion can leave the map, whatever `at` is.
        index =
            hn::Min(hn::Max(hn::ConvertTo(di, held), hn::Zero(di)), hn::Set(di, static_cast<std::int32_t>(size - 1)));
    }
};

class Tile {
public:
    Tile(Op const& op, Launch const& launch, SampleShape const& shape, SampleScratch const& scratch)
        : op_(op),
          in_(launch.inputs),
          x_(nhwc(in_[Op::kX])),
          y_(nhwc(launch.outputs[0])),
          values_{nhwc(in_[Op::kValue0]), nhwc(in_[Op::kValue1]), nhwc(in_[Op::kValue2])},
          packed_(launch.packed),
          shape_(shape),
          s_(scratch) {}

    void run(std::int64_t first) const {
        auto const& s = shape_;
        std::int64_t const c = s.channels;
        find_tokens(first);
        Nhwc<float> const position = nhwc(in_[Op::kPosition]);
        load_tile(s_.from, kTokens, 0, c, x_.stride, s_.x, kTokens);
        load_tile(s_.position, kTokens, 0, c, position.stride, s_.query, kTokens);
        add_tile(s_.x, s_.query, c);
        linear(floats(packed_[0]), 2 * s.samples(), floats(in_[Op::kOffsetBias]), {s_.query, kTokens, c}, kTokens,
               s_.offsets, kTokens, NoFinish());
        auto const to_powers_of_two = [](float* rows, int count) HWY_ATTR {
            transform(rows, count * kTokens, rows, [](Vf x) HWY_ATTR { return hn::Mul(x, hn::Set(F32(), kLog2E)); });
        };
        linear(floats(packed_[1]), s.samples(), floats(in_[Op::kScoreBias]), {s_.query, kTokens, c}, kTokens, s_.scores,
               kTokens, to_powers_of_two);
        for (std::int64_t head = 0; head < s.heads; ++head) sample(head);
        load_tile(s_.rows, kTokens, 0, c, round_up(c, 4), s_.query, kTokens);
        project();
        normalise_tile(s_.x, kTokens, kTokens, c,
                       {floats(in_[Op::kNormWeight]), floats(in_[Op::kNormBias]), op_.norm_epsilon});
        store_tile(s_.x, kTokens, kTokens, 0, c, y_.stride, s_.to, nullptr);
    }

private:
    void find_tokens(std::int64_t first) const {
        Nhwc<float> const position = nhwc(in_[Op::kPosition]);
        for (std::int64_t t = 0; t < kTokens; ++t) {
            bool const real = first + t < x_.pixels();
            std::int64_t const pixel = real ? first + t : first;
            s_.from[t] = x_.data + pixel * x_.stride;
            s_.position[t] = position.data + pixel % position.pixels() * position.stride;
            s_.rows[t] = s_.sampled + t * round_up(shape_.channels, 4);
            s_.to[t] = real ? y_.data + pixel * y_.stride : s_.trash;
            s_.picture[t] = pixel / position.pixels();
            for (std::size_t l = 0; l < values_.size(); ++l) {
                float* const centre = s_.centres + kCentreRows * static_cast<std::int64_t>(l) * kTokens + t;
                put_place(pixel % x_.w, x_.w, values_[l].w, centre);
                put_place(pixel / x_.w % x_.h, x_.h, values_[l].h, centre + 2 * kTokens);
            }
        }
    }

    /// The place in `to` pixels of the centre of pixel i of `from`, as a whole number and the rest, so that shares of
    /// corners are as exact far from the map's corner as near to it.
    static void put_place(std::int64_t i, std::int64_t from, std::int64_t to, float* place) {
        double const exact = (static_cast<double>(i) + 0.5) * static_cast<double>(to) / static_cast<double>(from) - 0.5;
        double const whole = std::floor(exact);
        place[0] = static_cast<float>(whole);
        place[kTokens] = static_cast<float>(exact - whole);
    }

    static HWY_NOINLINE void add_tile(float const* from, float* to, std::int64_t channels) {
        F32 const d;
        for (std::int64_t i = 0; i < channels * kTokens; i += kLanes) {
            hn::StoreU(hn::Add(hn::LoadU(d, from + i), hn::LoadU(d, to + i)), d, to + i);
        }
    }

    void sample(std::int64_t head) const {
        auto const& s = shape_;
        softmax_columns(s_.scores + head * s.own * kTokens, s.own, kTokens, s_.inverse_sums);
        for (std::int64_t t = 0; t < kTokens; t += kLanes) {
            for (std::int64_t i = 0; i < s.own; ++i) find_corners(head * s.own + i, i, t);
            for (std::int64_t lane = 0; lane < kLanes; ++lane) gather_head(head, t + lane, lane);
        }
    }

    void gather_head(std::int64_t head, std::int64_t t, std::int64_t lane) const {
        auto const& s = shape_;
        std::int64_t const first = head * s.dim;
        float* const to = s_.sampled + t * round_up(s.channels, 4) + first;
        std::int64_t const picture = s_.picture[t];
        std::int64_t c = 0;
        for (; c + 4 * kLanes <= s.dim; c += 4 * kLanes) gather<4>(picture, first + c, lane, to + c);
        for (; c + 2 * kLanes <= s.dim; c += 2 * kLanes) gather<2>(picture, first + c, lane, to + c);
        for (; c + kLanes <= s.dim; c += kLanes) gather<1>(picture, first + c, lane, to + c);
        for (; c < s.dim; ++c) to[c] = gather_one(picture, first + c, lane);
    }

    /// Sample `index` of the tokens from t on: its corners' pixels and weights, as row i of the head's.
    HWY_INLINE void find_corners(std::int64_t index, std::int64_t i, std::int64_t t) const {
        F32 const d;
        hn::RebindToSigned<F32> const di;
        auto const level = i / shape_.points;
        Nhwc<float> const& map = values_[static_cast<std::size_t>(level)];
        auto const width = hn::Set(di, static_cast<std::int32_t>(map.w));
        Vf const one = hn::Set(d, 1.0F);
        float const* const offset = s_.offsets + 2 * index * kTokens + t;
        float const* const centre = s_.centres + kCentreRows * level * kTokens + t;
        Vf const x = hn::Add(hn::LoadU(d, offset), hn::LoadU(d, centre + kTokens));
        Vf const y = hn::Add(hn::LoadU(d, offset + kTokens), hn::LoadU(d, centre + 3 * kTokens));
        Vf const right_share = hn::Sub(x, hn::Floor(x));
        Vf const bottom_share = hn::Sub(y, hn::Floor(y));
        Vf const left = hn::Add(hn::Floor(x), hn::LoadU(d, centre));
        Vf const top = hn::Add(hn::Floor(y), hn::LoadU(d, centre + 2 * kTokens));
        Side const columns[2] = {{left, hn::Sub(one, right_share), map.w}, {hn::Add(left, one), right_share, map.w}};
        Side const rows[2] = {{top, hn::Sub(one, bottom_share), map.h}, {hn::Add(top, one), bottom_share, map.h}};
        // Shares of a sample that lies at NaN or at infinity are NaN, and show although it meets no pixel.
        Vf const weight = hn::MulAdd(hn::LoadU(d, s_.scores + index * kTokens + t), hn::LoadU(d, s_.inverse_sums + t),
                                     hn::Mul(hn::Add(right_share, bottom_share), hn::Zero(d)));
        VITRUM_UNROLL for (int corner = 0; corner < kCorners; ++corner) {
            Side const& row = rows[corner / 2];
            Side const& column = columns[corner % 2];
            std::int64_t const at = (i * kCorners + corner) * kLanes;
            hn::StoreU(hn::Mul(weight, hn::Mul(row.share, column.share)), d, s_.weights + at);
            hn::StoreU(hn::Add(hn::Mul(row.index, width), column.index), di, s_.corners + at);
        }
    }

    /// Where a channel of a picture starts in a level.
    [[nodiscard]] HWY_INLINE float const* level_data(std::size_t level, std::int64_t picture,
                                                     std::int64_t channel) const {
        Nhwc<float> const& map = values_[level];
        return map.data + picture * map.h * map.w * map.stride + channel;
    }

    /// kCount vectors of channels: the weighted corners of all the head's samples.
    template <int kCount>
    HWY_INLINE void gather(std::int64_t picture, std::int64_t channel, std::int64_t lane, float* to) const {
        F32 const d;
        Vf sum[kCount];
        VITRUM_UNROLL for (int v = 0; v < kCount; ++v) sum[v] = hn::Zero(d);
        std::int64_t const per_level = shape_.points * kCorners;
        float const* weight = s_.weights + lane;
        std::int32_t const* corner = s_.corners + lane;
        for (std::size_t level = 0; level < values_.size(); ++level) {
            float const* const data = level_data(level, picture, channel);
            std::int64_t const stride = values_[level].stride;
            for (std::int64_t i = 0; i < per_level; ++i, weight += kLanes, corner += kLanes) {
                Vf const w = hn::Set(d, *weight);
                float const* const from = data + *corner * stride;
                VITRUM_UNROLL for (int v = 0; v < kCount; ++v) {
                    sum[v] = hn::MulAdd(w, hn::LoadU(d, from + v * kLanes), sum[v]);
                }
            }
        }
        VITRUM_UNROLL for (int v = 0; v < kCount; ++v) hn::StoreU(sum[v], d, to + v * kLanes);
    }

    [[nodiscard]] float gather_one(std::int64_t picture, std::int64_t channel, std::int64_t lane) const {
        std::int64_t const per_level = shape_.points * kCorners;
        float sum = 0;
        for (std::size_t level = 0; level < values_.size(); ++level) {
            float const* const data = level_data(level, picture, channel);
            for (std::int64_t i = 0; i < per_level; ++i) {
                std::int64_t const at = (static_cast<std::int64_t>(level) * per_level + i) * kLanes + lane;
                sum += s_.weights[at] * data[s_.corners[at] * values_[level].stride];
            }
        }
        return sum;
    }

    /// x += proj(sampled)
    void project() const {
        float const* panel = floats(packed_[2]);
        std::int64_t const c = shape_.channels;
        for (std::int64_t m = 0; m < c; m += kPanelRows, panel += c * kPanelRows) {
            multiply(static_cast<int>(std::min(c - m, kPanelRows)), PanelRows{panel}, {s_.query, kTokens, c}, kTokens,
                     AddRows{s_.x + m * kTokens, kTokens, floats(in_[Op::kProjBias]) + m});
        }
    }

    Op const& op_;
    std::span<TensorView const> in_;
    Nhwc<float> x_, y_;
    std::array<Nhwc<float>, Op::kLevels> values_;
    std::span<std::byte const* const> packed_;
    SampleShape const& shape_;
    SampleScratch const& s_;
};

std::size_t workspace_bytes(Op const& op, Problem const& problem, int threads) {
    SampleShape const shape(op, problem.inputs[Op::kX][3]);
    return static_cast<std::size_t>(threads) * scratch_bytes<SampleScratch>(shape);
}

void launch_samples(Op const& op, Launch const& launch) {
    Nhwc<float> const x = nhwc(launch.inputs[Op::kX]);
    SampleShape const shape(op, x.c);
    launch.threads->parallel_for((x.pixels() + kTokens - 1) / kTokens, [&](std::int64_t tile, int worker) {
        auto const scratch = scratch_of<SampleScratch>(launch, worker, shape);
        Tile(op, launch, shape, scratch).run(tile * kTokens);
    });
}

}  // namespace

constexpr Entry<DeformableAttention> deformable_attention_entry() {
    return {workspace_bytes, launch_samples};
}

}  // namespace vitrum::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vitrum::cpu {
constinit EntryTable<DeformableAttention> const kDeformableAttention =
    VITRUM_CPU_TABLE(DeformableAttention, deformable_attention_entry);
}  // namespace vitrum::cpu
#endif
