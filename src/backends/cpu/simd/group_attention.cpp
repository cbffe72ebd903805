// SPDX-License-Identifier: Apache-2.0
// ELAN's attention over three groups of channels, tokens in vector lanes. Attention has no positions, so that the order
// of tokens inside a window is free: nested windows are ordered so that every group's windows are runs of tokens, and
// one pass does it all. Shifted windows straddle each other; then each group is a pass that leaves its attended values
// in the output, and a last pass projects them in place.
#include "group_windows.h"
#include "scratch.h"
#include "simd/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/group_attention.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "simd/product-inl.h"
#include "simd/softmax-inl.h"
#include "simd/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vitrum::cpu::HWY_NAMESPACE {
namespace {

using Op = GroupWindowAttention;
constexpr std::int64_t kGroups = Op::kGroups;

/// Tokens that go through a product together, in the first-level cache; queries whose scores are held at once.
constexpr std::int64_t kBlock = kVectors * kLanes;

/// A square of whole windows of one group.
struct TileShape {
    std::int64_t window;
    std::int64_t side;    ///< a multiple of it
    std::int64_t keys;    ///< window²
    std::int64_t tokens;  ///< keys rounded up to whole vectors

    /// As large as the largest window where that is possible: then the groups' tiles differ by their shifts only.
    TileShape(Op const& op, std::int64_t w)
        : window(w),
          side(sorted_windows(op)[0] % w == 0 ? sorted_windows(op)[0] : w),
          keys(w * w),
          tokens(round_up(keys, kLanes)) {}
    [[nodiscard]] std::int64_t all_tokens() const { return side * side / keys * tokens; }
    /// Tiles in all pictures.
    [[nodiscard]] std::int64_t count(Nhwc<float> const& x) const { return x.n * (x.h / side) * (x.w / side); }
};

struct AttentionShape {
    std::int64_t channels, dim;
    bool nested;
    std::int64_t tokens;  ///< of the largest tile
    std::int64_t stride;  ///< of rows of tokens: an odd number of cache lines spreads them over all cache sets
    std::int64_t keys;    ///< of the largest window

    AttentionShape(Op const& op, Nhwc<float> const& x)
        : channels(x.c), dim(x.c / kGroups), nested(are_nested(op, kLanes)), tokens(kBlock), keys(0) {
        for (std::int64_t const window : op.windows) {
            tokens = std::max(tokens, TileShape(op, window).all_tokens());
            keys = std::max(keys, window * window);
        }
        stride = (round_up(tokens, 16) / 16 | 1) * 16;
    }
};

/// S floats from row to row, T tokens, D channels of a group.
struct AttentionScratch {
    float* x;                  ///< [C][S] the tokens, at last the result
    float* query_values;       ///< [2D][S] of one group
    float* attended;           ///< [C][S]
    float* scores;             ///< [keys][kBlock]
    float* inverse_sums;       ///< [kBlock]
    float* trash;              ///< [C] where tokens beyond a window are stored
    float const** from;        ///< [T] pixels of x
    float const** query;       ///< [T] pixels of the query
    float const** group;       ///< [T] the query's channels of one group
    float const** next;        ///< [T] pixels of x that this worker will probably read next
    float const** next_query;  ///< [T] pixels of the query, or of the residual, likewise
    float const** add;         ///< [T] pixels of the residual
    float** to;                ///< [T] pixels of the output

    AttentionScratch(ScratchCarver& carver, AttentionShape const& s) {
        std::int64_t const rows = round_up(s.channels, 4);
        carver.take(x, rows * s.stride);
        carver.take(query_values, (2 * s.dim + 4) * s.stride);
        carver.take(attended, rows * s.stride);
        carver.take(scores, s.keys * kBlock);
        carver.take(inverse_sums, kBlock);
        carver.take(trash, rows);
        carver.take(from, s.tokens);
        carver.take(query, s.tokens);
        carver.take(group, s.tokens);
        carver.take(next, s.tokens);
        carver.take(next_query, s.tokens);
        carver.take(add, s.tokens);
        carver.take(to, s.tokens);
    }
};

/// scores = sum · log2(e)
struct StoreLogits {
    float* to;
    std::int64_t stride;
    [[nodiscard]] HWY_INLINE StoreLogits at(std::int64_t t) const { return {to + t, stride}; }
    HWY_INLINE void operator()(int m, int v, Vf sum) const {
        F32 const d;
        hn::StoreU(hn::Mul(sum, hn::Set(d, kLog2E)), d, to + m * stride + v * kLanes);
    }
};

/// Calls f(row, column) for the pixels of a rectangle, window after window; `inner` are the windows inside it, larger
/// ones first.
template <class F>
void for_each_pixel(std::span<int const> inner, std::int64_t top, std::int64_t left, std::int64_t height,
                    std::int64_t width, F const& f) {
    std::int64_t const step = inner.empty() ? 1 : inner.front();
    for (std::int64_t i = top; i < top + height; i += step) {
        for (std::int64_t j = left; j < left + width; j += step) {
            if (inner.empty()) f(i, j);
            else for_each_pixel(inner.subspan(1), i, j, step, step, f);
        }
    }
}

class Tile {
public:
    Tile(Op const& op, Launch const& launch, AttentionShape const& shape, AttentionScratch const& scratch)
        : op_(op),
          in_(launch.inputs),
          x_(nhwc(in_[Op::kX])),
          y_(nhwc(launch.outputs[0])),
          has_query_(in_[Op::kQuery].data != nullptr),
          has_residual_(in_[Op::kResidual].data != nullptr),
          query_(has_query_ ? nhwc(in_[Op::kQuery]) : x_),
          residual_(has_residual_ ? nhwc(in_[Op::kResidual]) : x_),
          in_weight_(floats(launch.packed[0])),
          out_weight_(floats(launch.packed[1])),
          shape_(shape),
          s_(scratch) {}

    /// All groups of one largest window, from x to y. `next` is the one that this worker will probably run after it.
    void run_nested(std::int64_t index, std::int64_t next) {
        auto const sizes = sorted_windows(op_);
        Place const place{TileShape(op_, sizes[0]), std::span(sizes).subspan(1), 0};
        find_pixels(place, index);
        find_next(place, next);
        load_tile(s_.from, tokens_, 0, x_.c, x_.stride, s_.x, shape_.stride);
        Prefetcher prefetcher(tokens_, steps(0) + steps(1) + steps(2));
        prefetcher.add(s_.next, x_.c);
        if (has_query_) prefetcher.add(s_.next_query, x_.c);
        if (y_.data != x_.data) prefetcher.add(s_.to, x_.c);
        for (std::int64_t g = 0; g < kGroups; ++g) attend(g, prefetcher);
        project_out(NoFinish());
        store_tile(s_.x, shape_.stride, tokens_, 0, x_.c, y_.stride, s_.to, has_residual_ ? s_.add : nullptr);
    }

    /// One group of one tile: its attended values go to the group's channels of y.
    void run_group(std::int64_t g, std::int64_t index, std::int64_t next) {
        std::int64_t const window = op_.windows[static_cast<std::size_t>(g)];
        Place const place{TileShape(op_, window), {}, op_.shifted ? window / 2 : 0};
        find_pixels(place, index);
        find_next(place, next);
        load_tile(s_.from, tokens_, 0, x_.c, x_.stride, s_.x, shape_.stride);
        for (std::int64_t t = 0; t < tokens_; ++t) {
            s_.next_query[t] += g * shape_.dim;
            if (s_.to[t] != s_.trash) s_.to[t] += g * shape_.dim;
        }
        Prefetcher prefetcher(tokens_, steps(g));
        if (next != index) prefetcher.add(s_.next, x_.c);
        if (next != index && has_query_) prefetcher.add(s_.next_query, shape_.dim);
        prefetcher.add(s_.to, shape_.dim);
        attend(g, prefetcher);
        // Not a channel more than the group's: the next ones are another worker's.
        store_tile(s_.attended + g * shape_.dim * shape_.stride, shape_.stride, tokens_, 0, shape_.dim, shape_.dim,
                   s_.to, nullptr);
    }

    /// The projection of kBlock pixels of y, in place.
    void run_projection(std::int64_t first, std::int64_t next) {
        tokens_ = kBlock;
        for (std::int64_t t = 0; t < kBlock; ++t) {
            bool const real = first + t < y_.pixels();
            std::int64_t const pixel = real ? first + t : first;
            std::int64_t const next_pixel = std::min(next + t, y_.pixels() - 1);
            s_.from[t] = y_.data + pixel * y_.stride;
            s_.add[t] = residual_.data + pixel * residual_.stride;
            s_.to[t] = real ? y_.data + pixel * y_.stride : s_.trash;
            s_.next[t] = y_.data + next_pixel * y_.stride;
            s_.next_query[t] = residual_.data + next_pixel * residual_.stride;
        }
        load_tile(s_.from, kBlock, 0, y_.c, y_.stride, s_.attended, shape_.stride);
        Prefetcher prefetcher(kBlock, y_.c / kPanelRows + 1);
        prefetcher.add(s_.next, y_.c);
        if (has_residual_) prefetcher.add(s_.next_query, y_.c);
        project_out([&](float*, int) HWY_ATTR { prefetcher.step(); });
        store_tile(s_.x, shape_.stride, kBlock, 0, y_.c, y_.stride, s_.to, has_residual_ ? s_.add : nullptr);
    }

private:
    /// A kind of tiles: their shape, the windows inside their windows, and by how much the picture is rolled.
    struct Place {
        TileShape tile;
        std::span<int const> inner;
        std::int64_t shift;
    };

    /// Calls f(n, row, column) for each token of a tile; a window's tokens are followed by its first pixel up to whole
    /// vectors (f's last argument is false there), which keeps NaN and denormals out of the arithmetic.
    template <class F>
    void for_each_token(Place const& place, std::int64_t index, F const& f) const {
        TileShape const& tile = place.tile;
        std::int64_t const columns = x_.w / tile.side;
        std::int64_t const rows = x_.h / tile.side;
        std::int64_t const n = index / (rows * columns);
        std::int64_t const top = index / columns % rows * tile.side;
        std::int64_t const left = index % columns * tile.side;
        auto const token = [&](std::int64_t i, std::int64_t j, bool real) {
            std::int64_t const row = i + place.shift < x_.h ? i + place.shift : i + place.shift - x_.h;
            std::int64_t const column = j + place.shift < x_.w ? j + place.shift : j + place.shift - x_.w;
            f((n * x_.h + row) * x_.w + column, real);
        };
        for (std::int64_t i = top; i < top + tile.side; i += tile.window) {
            for (std::int64_t j = left; j < left + tile.side; j += tile.window) {
                for_each_pixel(place.inner, i, j, tile.window, tile.window,
                               [&](std::int64_t row, std::int64_t column) { token(row, column, true); });
                for (std::int64_t t = tile.keys; t < tile.tokens; ++t) token(i, j, false);
            }
        }
    }

    void find_pixels(Place const& place, std::int64_t index) {
        tokens_ = 0;
        for_each_token(place, index, [&](std::int64_t pixel, bool real) {
            s_.from[tokens_] = x_.data + pixel * x_.stride;
            s_.query[tokens_] = query_.data + pixel * query_.stride;
            s_.add[tokens_] = residual_.data + pixel * residual_.stride;
            s_.to[tokens_] = real ? y_.data + pixel * y_.stride : s_.trash;
            ++tokens_;
        });
    }

    void find_next(Place const& place, std::int64_t index) const {
        std::int64_t t = 0;
        for_each_token(place, index, [&](std::int64_t pixel, bool) {
            s_.next[t] = x_.data + pixel * x_.stride;
            s_.next_query[t++] = query_.data + pixel * query_.stride;
        });
    }

    /// Calls of Prefetcher::step in attend(g).
    [[nodiscard]] std::int64_t steps(std::int64_t g) const {
        auto const ceil_div = [](std::int64_t a, std::int64_t b) { return (a + b - 1) / b; };
        std::int64_t const window = op_.windows[static_cast<std::size_t>(g)];
        std::int64_t const keys = window * window;
        std::int64_t const query_blocks = ceil_div(round_up(keys, kLanes), kBlock) * tokens_ / round_up(keys, kLanes);
        return ceil_div(tokens_, kBlock) * ceil_div(in_rows(), kPanelRows) + query_blocks * ceil_div(keys, kPanelRows);
    }

    /// Rows of in_weight for one group.
    [[nodiscard]] std::int64_t in_rows() const { return has_query_ ? shape_.dim : 2 * shape_.dim; }

    void attend(std::int64_t g, Prefetcher& prefetcher) const {
        std::int64_t const dim = shape_.dim;
        float* const q = s_.query_values;
        // A loaded query is followed by up to three rows of the next group's.
        float* const v = q + (has_query_ ? round_up(dim, 4) : dim) * shape_.stride;
        if (has_query_) {
            for (std::int64_t t = 0; t < tokens_; ++t) s_.group[t] = s_.query[t] + g * dim;
            load_tile(s_.group, tokens_, 0, dim, query_.stride - g * dim, q, shape_.stride);
        }
        std::int64_t const rows = in_rows();
        auto const finish = [&](float*, int) HWY_ATTR { prefetcher.step(); };
        project(in_weight_ + g * round_up(rows, kPanelRows) * x_.c, rows, floats(in_[Op::kInBias]) + g * rows, s_.x,
                has_query_ ? v : q, finish);
        std::int64_t const window = op_.windows[static_cast<std::size_t>(g)];
        std::int64_t const keys = window * window;
        for (std::int64_t t = 0; t < tokens_; t += round_up(keys, kLanes)) {
            attend_window(q + t, v + t, keys, s_.attended + g * dim * shape_.stride + t, prefetcher);
        }
    }

    void attend_window(float const* q, float const* v, std::int64_t keys, float* attended,
                       Prefetcher& prefetcher) const {
        std::int64_t const stride = shape_.stride;
        std::int64_t const tokens = round_up(keys, kLanes);
        for (std::int64_t i = 0; i < tokens; i += kBlock) {
            std::int64_t const width = std::min(tokens - i, kBlock);
            // scores[j][i] = log2(e) · Σ_d q[d][j] · q[d][i]
            for (RowBlocks b(keys); !b.done(); b.next()) {
                multiply(b.rows(), ColumnsAsRows{q + b.row(), stride}, Columns{q + i, stride, shape_.dim}, width,
                         StoreLogits{s_.scores + b.row() * width, width});
                prefetcher.step();
            }
            softmax_columns(s_.scores, keys, width, s_.inverse_sums);
            // attended[d][i] = Σ_j v[d][j] · p[j][i] / Σ_j p[j][i]
            for (RowBlocks b(shape_.dim); !b.done(); b.next()) {
                multiply(b.rows(), PlainRows{v + b.row() * stride, stride}, Columns{s_.scores, width, keys}, width,
                         StoreScaled{attended + b.row() * stride + i, stride, s_.inverse_sums});
            }
        }
    }

    template <class Finish>
    HWY_INLINE void project_out(Finish const& finish) const {
        project(out_weight_, x_.c, floats(in_[Op::kOutBias]), s_.attended, s_.x, finish);
    }

    /// to[rows][T] = weights · from[C][T] + bias, a block of tokens after the other.
    template <class Finish>
    HWY_INLINE void project(float const* panels, std::int64_t rows, float const* bias, float const* from, float* to,
                            Finish const& finish) const {
        for (std::int64_t t = 0; t < tokens_; t += kBlock) {
            linear(panels, rows, bias, Columns{from + t, shape_.stride, x_.c}, std::min(tokens_ - t, kBlock), to + t,
                   shape_.stride, finish);
        }
    }

    Op const& op_;
    std::span<TensorView const> in_;
    Nhwc<float> x_, y_;
    bool has_query_, has_residual_;
    Nhwc<float> query_, residual_;  ///< x where there is none
    float const* in_weight_;
    float const* out_weight_;
    AttentionShape const& shape_;
    AttentionScratch const& s_;
    std::int64_t tokens_ = 0;
};

std::size_t workspace_bytes(Op const& op, Problem const& problem, int threads) {
    Shape const& x = problem.inputs[Op::kX];
    AttentionShape const shape(op, {nullptr, x[0], x[1], x[2], x[3], x[3]});
    return static_cast<std::size_t>(threads) * scratch_bytes<AttentionScratch>(shape);
}

void launch_group_attention(Op const& op, Launch const& launch) {
    Nhwc<float> const x = nhwc(launch.inputs[Op::kX]);
    AttentionShape const shape(op, x);
    // body(tile, item, the item that this worker will probably run next)
    auto const run = [&](std::int64_t items, auto const& body) {
        launch.threads->parallel_for(items, [&](std::int64_t item, int worker) {
            auto const scratch = scratch_of<AttentionScratch>(launch, worker, shape);
            Tile tile(op, launch, shape, scratch);
            body(tile, item, std::min(item + launch.threads->size(), items - 1));
        });
    };
    auto const tiles = [&](std::int64_t window) { return TileShape(op, window).count(x); };
    auto const [first, second, third] = op.windows;
    if (shape.nested) {
        run(tiles(sorted_windows(op)[0]),
            [](Tile& tile, std::int64_t item, std::int64_t next) { tile.run_nested(item, next); });
        return;
    }
    if (tiles(first) == tiles(second) && tiles(second) == tiles(third)) {
        // The groups' tiles overlap for the most part: x comes from the second-level cache after the first.
        run(tiles(third), [](Tile& tile, std::int64_t item, std::int64_t next) {
            tile.run_group(2, item, next);
            tile.run_group(1, item, item);
            tile.run_group(0, item, item);
        });
    } else {
        for (std::int64_t g = 0; g < kGroups; ++g) {
            run(tiles(op.windows[static_cast<std::size_t>(g)]),
                [&](Tile& tile, std::int64_t item, std::int64_t next) { tile.run_group(g, item, next); });
        }
    }
    run((x.pixels() + kBlock - 1) / kBlock,
        [](Tile& tile, std::int64_t item, std::int64_t next) { tile.run_projection(item * kBlock, next * kBlock); });
}

}  // namespace

constexpr Entry<GroupWindowAttention> group_attention_entry() {
    return {workspace_bytes, launch_group_attention};
}

}  // namespace vitrum::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vitrum::cpu {
constinit EntryTable<GroupWindowAttention> const kGroupAttention =
    VITRUM_CPU_TABLE(GroupWindowAttention, group_attention_entry);
}  // namespace vitrum::cpu
#endif
