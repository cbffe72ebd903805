// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "fused_window_memory.cuh"

// y = residual + proj(attention(norm(x))) inside windows of at most 8 × 8 pixels, in one kernel: a warp has 16 of a
// window's 64 rows from the first read to the one write. What it passes on to other warps are keys and values; its own
// results of each head wait in shared memory for the projection.

namespace vitrum::cuda {

/// A warp's place: which rows of which window.
template <class S>
struct WindowWarp {
    int warp, lane, g, t;
    int window, first_token;
    std::int64_t index;     ///< of the window, or beyond the last
    std::int64_t pixel[2];  ///< of the lane's rows; −1: none

    __device__ WindowWarp(WindowArguments const& a, std::int64_t group)
        : warp(static_cast<int>(threadIdx.x) / kWarp),
          lane(static_cast<int>(threadIdx.x) % kWarp),
          g(lane / 4),
          t(lane % 4),
          window(warp / kWindowWarps),
          first_token(warp % kWindowWarps * 16),
          index(group * S::kWindows + window) {
#pragma unroll
        for (int row = 0; row < 2; ++row) {
            bool const exists = index < a.count && token(row) < a.windows.tokens();
            pixel[row] = exists ? a.windows.pixel(index, token(row)) : -1;
        }
    }
    [[nodiscard]] __device__ int token(int row) const {
        return first_token + g + 8 * row;
    }
    [[nodiscard]] __device__ PixelRows rows(Matrix const& of) const {
        PixelRows result;
#pragma unroll
        for (int row = 0; row < 2; ++row) {
            result.of[row] = of.data == nullptr || pixel[row] < 0 ? nullptr : of.at(pixel[row]);
        }
        return result;
    }
    /// The warp's own blocks of a window's keys or values.
    [[nodiscard]] __device__ int own_block(int d) const {
        return warp % kWindowWarps * S::kDimBlocks + d;
    }
    /// f(score number 0 … 31 of the lane, row, key): score i of a tile has the columns of each().
    template <class F>
    __device__ void for_each_score(F const& f) const {
#pragma unroll
        for (int i = 0; i < 32; ++i) f(i, i % 4 / 2, i / 8 * 16 + i % 8 / 4 * 8 + 2 * t + i % 2);
    }
};

/// Which of a lane's 32 scores are of pixels from different ends of the rolled picture, a bit each (see
/// window_attention.cu): they see each other only faintly.
template <class S>
[[nodiscard]] __device__ std::uint32_t scores_across_seam(WindowArguments const& a, WindowWarp<S> const& warp) {
    Windows const& w = a.windows;
    if (w.shift == 0 || warp.index >= a.count) return 0;
    Place const place(warp.index, w.down, w.across);
    int const seam = w.window - w.shift;
    int const row_seam = place.row == w.down - 1 ? seam : w.window;
    int const column_seam = place.column == w.across - 1 ? seam : w.window;
    if (row_seam == w.window && column_seam == w.window) return 0;
    auto const region = [&](int token) {
        return (token / w.window < row_seam ? 1 : 0) + (token % w.window < column_seam ? 2 : 0);
    };
    int const own[2] = {region(warp.token(0)), region(warp.token(1))};
    std::uint32_t bits = 0;
    warp.for_each_score([&](int i, int row, int key) { bits |= region(key) == own[row] ? 0U : 1U << i; });
    return bits;
}

/// What is added to the scores of a head: position bias, seam, and −∞ where there is no key.
template <class S>
__device__ void begin_scores(WindowArguments const& a, WindowMemory<S> const& memory, WindowWarp<S> const& warp,
                             int head, std::uint32_t across_seam, SumTile (&scores)[4]) {
    int const side = S::kIsEight ? 15 : a.side(), window = S::kIsEight ? 8 : a.windows.window;
    float const* const bias = memory.bias + head * side * side;
    if constexpr (S::kIsEight) {
        float const* const own = bias + (warp.first_token / 8 + 7) * 15 + warp.g - 2 * warp.t + 7;
        warp.for_each_score(
            [&](int i, int row, int) { scores[i / 8].of[i % 8 / 4][i % 4] = own[(row - i / 4) * 15 - i % 2]; });
    } else {
        int const tokens = window * window, middle = (window - 1) * (side + 1);
        float const* const own[2] = {bias + middle + memory.key_offsets[min(warp.token(0), tokens - 1)],
                                     bias + middle + memory.key_offsets[min(warp.token(1), tokens - 1)]};
        warp.for_each_score([&](int i, int row, int key) {
            scores[i / 8].of[i % 8 / 4][i % 4] = key < tokens ? own[row][-memory.key_offsets[key]] : -INFINITY;
        });
    }
    if (across_seam == 0) return;
    warp.for_each_score([&](int i, int, int) {
        if ((across_seam >> i & 1) != 0) scores[i / 8].of[i % 8 / 4][i % 4] -= 100.0F * kLog2E;
    });
}

/// Scores of 2^x become weights, not yet divided by their sums.
__device__ inline void exponentiate(SumTile (&scores)[4], float (&sums)[2]) {
    float most[2] = {-INFINITY, -INFINITY};
#pragma unroll
    for (int i = 0; i < 32; ++i) most[i % 4 / 2] = fmaxf(most[i % 4 / 2], scores[i / 8].of[i % 8 / 4][i % 4]);
    most[0] = row_max(most[0]);
    most[1] = row_max(most[1]);
    sums[0] = sums[1] = 0;
#pragma unroll
    for (int i = 0; i < 32; ++i) {
        float& score = scores[i / 8].of[i % 8 / 4][i % 4];
        score = exp2_approximate(score - most[i % 4 / 2]);
        sums[i % 4 / 2] += score;
    }
    sums[0] = row_sum(sums[0]);
    sums[1] = row_sum(sums[1]);
}

/// softmax(q·kᵀ + …) · v of one head, for the projection.
template <class S>
__device__ void attend(WindowArguments const& a, WindowMemory<S> const& memory, WindowWarp<S> const& warp, int head,
                       std::uint32_t across_seam, typename S::F const (&query)[S::kDimBlocks], Words const* keys) {
    Words const* const values = keys + kWindowWarps * S::kDimBlocks * S::F::kBlock;
    SumTile scores[4];
    begin_scores(a, memory, warp, head, across_seam, scores);
#pragma unroll
    for (int j = 0; j < 4; ++j) {
#pragma unroll
        for (int d = 0; d < S::kDimBlocks; ++d) {
            multiply(scores[j], query[d], S::F::load(keys, j * S::kDimBlocks + d, warp.lane));
        }
    }
    float sums[2];
    exponentiate(scores, sums);
    SumTile attended[S::kDimBlocks] = {};
#pragma unroll
    for (int j = 0; j < 4; ++j) {
        auto const weights = rounded<typename S::Operand>(scores[j]);
#pragma unroll
        for (int d = 0; d < S::kDimBlocks; ++d) {
            multiply(attended[d], weights, S::F::load(values, j * S::kDimBlocks + d, warp.lane));
        }
    }
    float const factors[2] = {1.0F / sums[0], 1.0F / sums[1]};
#pragma unroll
    for (int d = 0; d < S::kDimBlocks; ++d) {
        each(attended[d], [&](float v, int row, int) { return v * factors[row]; });
        rounded<typename S::Operand>(attended[d])
            .store(memory.attended, (warp.warp * a.heads + head) * S::kDimBlocks + d, warp.lane);
    }
}

template <class S>
struct HeadProducts {
    WindowArguments const& a;
    WindowMemory<S> const& memory;
    WindowWarp<S> const& warp;
    typename S::F const (&x)[S::kChannelBlocks];

    /// x · weightᵀ, from `sums` on.
    __device__ void multiply_all(SumTile (&sums)[S::kDimBlocks], Words const* weight) const {
#pragma unroll
        for (int s = 0; s < S::kChannelBlocks; ++s) {
#pragma unroll
            for (int d = 0; d < S::kDimBlocks; ++d) {
                multiply(sums[d], x[s], S::F::load(weight, d * S::kChannelBlocks + s, warp.lane));
            }
        }
    }

    /// Scaled, for scores of 2^x.
    __device__ void query(int head, Words const* weight, typename S::F (&to)[S::kDimBlocks]) const {
        SumTile sums[S::kDimBlocks];
#pragma unroll
        for (int d = 0; d < S::kDimBlocks; ++d) {
            sums[d] = tile_of_columns(memory.query_bias + head * S::kDim + 16 * d, warp.t);
        }
        multiply_all(sums, weight);
        float const factor = a.scale * kLog2E;
#pragma unroll
        for (int d = 0; d < S::kDimBlocks; ++d) {
            each(sums[d], [&](float v, int, int) { return v * factor; });
            to[d] = rounded<typename S::Operand>(sums[d]);
        }
    }

    /// Without bias: it would add the same to all scores of a query, which softmax does not see.
    __device__ void keys(Words const* weight, Words* to) const {
        SumTile sums[S::kDimBlocks] = {};
        multiply_all(sums, weight);
#pragma unroll
        for (int d = 0; d < S::kDimBlocks; ++d) {
            rounded<typename S::Operand>(sums[d]).store(to, warp.own_block(d), warp.lane);
        }
    }

    /// Rows are channels of the head, columns tokens: weight · xᵀ is what the product with the softmax wants.
    __device__ void values(int head, Words const* weight, Words* to) const {
        SumTile sums[S::kDimBlocks];
#pragma unroll
        for (int d = 0; d < S::kDimBlocks; ++d) {
            float const* const bias = memory.value_bias + head * S::kDim + 16 * d + warp.g;
            each(sums[d], [&](float, int row, int) { return bias[8 * row]; });
        }
#pragma unroll
        for (int s = 0; s < S::kChannelBlocks; ++s) {
#pragma unroll
            for (int d = 0; d < S::kDimBlocks; ++d) {
                multiply(sums[d], S::F::load(weight, d * S::kChannelBlocks + s, warp.lane), x[s]);
            }
        }
#pragma unroll
        for (int d = 0; d < S::kDimBlocks; ++d) {
            rounded<typename S::Operand>(sums[d]).store(to, warp.own_block(d), warp.lane);
        }
    }
};

/// The projection's next portion of channels: weights, bias, residual, output.
template <class S>
__device__ void project(WindowArguments const& a, WindowMemory<S> const& memory, WindowWarp<S> const& warp, int part,
                        Words const* weight) {
    constexpr int kBlocks = S::kProjBlocks;
    int const depth = a.heads * S::kDimBlocks;
    SumTile residual[kBlocks];
    load_pixels(warp.rows(a.residual), part * kBlocks, a.x.c, a.residual.vector, warp.t, residual);
    SumTile sums[kBlocks] = {};
#pragma unroll 4
    for (int s = 0; s < depth; ++s) {
        auto const own = S::F::load(memory.attended, warp.warp * depth + s, warp.lane);
#pragma unroll
        for (int i = 0; i < kBlocks; ++i) {
            multiply(sums[i], own, S::F::load(weight, i * depth + s, warp.lane));
        }
    }
#pragma unroll
    for (int i = 0; i < kBlocks; ++i) {
        add_channels(sums[i], memory.proj_bias, part * kBlocks + i, warp.t);
#pragma unroll
        for (int row = 0; row < 2; ++row) set_quad(sums[i], row, quad_of(sums[i], row) + quad_of(residual[i], row));
    }
    store_pixels(warp.rows(a.y), part * kBlocks, a.x.c, a.y.vector, warp.t, sums);
}

template <class S>
__device__ void read_window(WindowArguments const& a, WindowMemory<S> const& memory, WindowWarp<S> const& warp,
                            typename S::F (&to)[S::kChannelBlocks]) {
    PixelRows const rows = warp.rows(a.x);
    SumTile x[S::kChannelBlocks];
    load_pixels(rows, 0, a.x.c, a.x.vector, warp.t, x);
    if (a.norm_weight != nullptr) {
        normalise<typename S::Operand>(x, rows, {memory.norm_weight, memory.norm_bias}, a.x.c, a.epsilon, warp.t,
                                       [&](int s, typename S::F const& v) { to[s] = v; });
    } else {
#pragma unroll
        for (int s = 0; s < S::kChannelBlocks; ++s) to[s] = rounded<typename S::Operand>(x[s]);
    }
}

template <class S>
__global__ void __launch_bounds__(S::kThreads, S::kBlocksPerSm) fused_window_kernel(WindowArguments a) {
    WindowMemory<S> const memory(a, &dynamic_shared<unsigned char>());
    WindowPortions<S> const portions(a);
    std::int64_t const groups = (a.count + S::kWindows - 1) / S::kWindows;
    int const rounds = static_cast<int>((groups - blockIdx.x + gridDim.x - 1) / gridDim.x);
    Weights<S::kStages, WindowPortions<S>> weights(portions, memory.weights, portions.slot(), rounds);
    memory.fill(a);
    __syncthreads();
    constexpr int kProduct = S::kDimBlocks * S::kChannelBlocks * S::F::kBlock;
    constexpr int kKeys = kWindowWarps * S::kDimBlocks * S::F::kBlock;
    for (int round = 0; round < rounds; ++round) {
        WindowWarp<S> const warp(a, blockIdx.x + static_cast<std::int64_t>(round) * gridDim.x);
        typename S::F x[S::kChannelBlocks], query[S::kDimBlocks];
        read_window(a, memory, warp, x);
        std::uint32_t const across_seam = scores_across_seam(a, warp);
        HeadProducts<S> const products{a, memory, warp, x};
        auto const keys = [&](int head) {
            return memory.keys + (head % S::kKeyBuffers * S::kWindows + warp.window) * 2 * kKeys;
        };
        // Each portion begins with a barrier, so that a head's keys and values are complete at the next head's query.
        for (int head = 0; head < a.heads; ++head) {
            Words const* weight = weights.next();
            if (head > 0) attend(a, memory, warp, head - 1, across_seam, query, keys(head - 1));
            products.query(head, weight, query);
            weight = S::kTogether ? weight + kProduct : weights.next();
            products.keys(weight, keys(head));
            weight = S::kTogether ? weight + kProduct : weights.next();
            products.values(head, weight, keys(head) + kKeys);
        }
        for (int part = 0; part < S::kChannelBlocks / S::kProjBlocks; ++part) {
            Words const* const weight = weights.next();
            if (part == 0) attend(a, memory, warp, a.heads - 1, across_seam, query, keys(a.heads - 1));
            project(a, memory, warp, part, weight);
        }
    }
}

/// Shared memory that a block takes.
template <class S>
[[nodiscard]] std::size_t window_bytes(WindowArguments const& a) {
    return WindowMemory<S>(a, reinterpret_cast<unsigned char*>(kAnyAddress)).bytes;
}

template <class S>
void start_fused_window(void* stream, WindowArguments const& a) {
    std::size_t const bytes = window_bytes<S>(a);
    auto const kernel = fused_window_kernel<S>;
    std::int64_t const groups = divide_up(a.count, S::kWindows);
    std::int64_t const blocks = std::min(groups, blocks_at_once(kernel, S::kThreads, bytes));
    start_shared(stream, kernel, blocks, S::kThreads, bytes, a);
}

}  // namespace vitrum::cuda
