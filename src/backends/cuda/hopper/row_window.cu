// SPDX-License-Identifier: Apache-2.0
// Attention inside windows of any side up to 8 as two products of rows. Queries, keys and values go to the attention
// between them as float16 operands, and its results to the second product; the norm bounds all of them.
#include "../row_kernels.h"
#include "row_product.cuh"

namespace vitrum::cuda {
namespace hopper {
namespace {

constexpr int kHeadDim = HopperRowWindowKernel::kDim, kMostTokens = 64;

struct WindowHeads {
    RowOperands qkv, to;
    RowScales const* scales;  ///< the same for all rows
    Windows windows;
    std::int64_t first_window;
    int heads;
    float scale;
    float const* bias;  ///< [heads][(2 · window − 1)²]
};

/// Keys and values of a head; rows of 40 halves, so that eight rows read together do not meet in a bank.
struct HeadMemory {
    static constexpr int kStride = kHeadDim + 8;
    alignas(16) __half keys[kMostTokens][kStride];
    alignas(16) __half values[kMostTokens][kStride];
    /// Of each token: its place in a row-major table of offsets, and which side of the seams it is on.
    int places[kMostTokens], sides[kMostTokens];

    __device__ void fill(WindowHeads const& a, std::int64_t first_row, int head, int tokens) {
        constexpr int kOctets = kHeadDim / 8;
        int const channels = a.heads * kHeadDim, first = head * kHeadDim;
        for (int i = static_cast<int>(threadIdx.x); i < kMostTokens * kOctets; i += static_cast<int>(blockDim.x)) {
            int const token = i % kMostTokens, octet = i / kMostTokens;
            bool const is = token < tokens;
            std::int64_t const row = first_row + (is ? token : 0);
            copy_async_or_zero(&keys[token][8 * octet], a.qkv.octet(row, channels + first + 8 * octet), is);
            copy_async_or_zero(&values[token][8 * octet], a.qkv.octet(row, 2 * channels + first + 8 * octet), is);
        }
        commit_copies();
    }
    /// Only the last windows of the rolled picture have pixels from both of its ends, which see each other only
    /// faintly (Liu et al. 2021, figure 4).
    __device__ void place(Windows const& windows, std::int64_t window) {
        int const token = static_cast<int>(threadIdx.x);
        if (token >= kMostTokens) return;
        int const side = windows.window, row = token / side, column = token % side, seam = side - windows.shift;
        Place const at(window, windows.down, windows.across);
        bool const below = at.row == windows.down - 1 && row >= seam;
        bool const behind = at.column == windows.across - 1 && column >= seam;
        places[token] = row * (2 * side - 1) + column;
        sides[token] = (below ? 2 : 0) + (behind ? 1 : 0);
    }
};

/// Sixteen queries of a warp: lane 4 g + t has rows g and g + 8, keys 8 j + 2 t and 2 t + 1.
struct HeadQueries {
    float scores[kMostTokens / 8][4];
    float totals[2];
    int first, g, t, lane;

    __device__ void score(WindowHeads const& a, HeadMemory const& memory, std::uint32_t const (&queries)[2][4],
                          int head, int tokens) {
        float const unit = a.scale / (a.scales->hidden * a.scales->hidden);
        int const side = 2 * a.windows.window - 1, middle = (a.windows.window - 1) * (side + 1);
        float const* const bias = a.bias + head * side * side + middle;
        int const rows[2] = {min(first + g, tokens - 1), min(first + g + 8, tokens - 1)};
#pragma unroll
        for (int j = 0; j < kMostTokens / 8; ++j) {
#pragma unroll
            for (float& score : scores[j]) score = 0;
            std::uint32_t keys[4];
            load_matrices(keys, &memory.keys[8 * j + lane % 8][8 * (lane / 8)]);
            multiply_add<Fp16>(scores[j], queries[0], {keys[0], keys[1]});
            multiply_add<Fp16>(scores[j], queries[1], {keys[2], keys[3]});
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                int const row = rows[i / 2], key = 8 * j + 2 * t + i % 2;
                if (key >= tokens) {
                    scores[j][i] = -INFINITY;
                    continue;
                }
                float const apart = memory.sides[row] != memory.sides[key] ? -100.0F : 0.0F;
                scores[j][i] = fmaf(scores[j][i], unit, bias[memory.places[row] - memory.places[key]]) + apart;
            }
        }
    }
    /// Scores become weights, not yet divided by their totals.
    __device__ void weigh() {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            float most = -INFINITY, sum = 0;
#pragma unroll
            for (int i = 0; i < kMostTokens / 4; ++i) most = fmaxf(most, scores[i / 2][2 * half + i % 2]);
            most = fmaxf(most, __shfl_xor_sync(0xFFFFFFFFU, most, 1));
            most = fmaxf(most, __shfl_xor_sync(0xFFFFFFFFU, most, 2));
#pragma unroll
            for (int i = 0; i < kMostTokens / 4; ++i) {
                float& score = scores[i / 2][2 * half + i % 2];
                score = exp2_approximate(kLog2E * (score - most));
                sum += score;
            }
            sum += __shfl_xor_sync(0xFFFFFFFFU, sum, 1);
            totals[half] = sum + __shfl_xor_sync(0xFFFFFFFFU, sum, 2);
        }
    }
    __device__ void mix(HeadMemory const& memory, float (&sums)[kHeadDim / 8][4]) const {
#pragma unroll
        for (int s = 0; s < kMostTokens / 16; ++s) {
            float const *const low = scores[2 * s], *const high = scores[2 * s + 1];
            std::uint32_t const left[4] = {Fp16::pack(low[0], low[1]), Fp16::pack(low[2], low[3]),
                                           Fp16::pack(high[0], high[1]), Fp16::pack(high[2], high[3])};
#pragma unroll
            for (int d = 0; d < kHeadDim / 8; d += 2) {
                std::uint32_t values[4];
                load_matrices_transposed(values, &memory.values[16 * s + lane % 16][8 * (d + lane / 16)]);
                multiply_add<Fp16>(sums[d], left, {values[0], values[1]});
                multiply_add<Fp16>(sums[d + 1], left, {values[2], values[3]});
            }
        }
    }
};

/// A block has a head of a window, a warp sixteen of its queries.
__global__ void __launch_bounds__(kMostTokens * 2) heads_kernel(__grid_constant__ WindowHeads const a) {
    __shared__ HeadMemory memory;
    let_next_start();
    Quotient const at = divide(static_cast<std::int64_t>(blockIdx.x), a.heads);
    int const head = static_cast<int>(at.rest), tokens = a.windows.tokens();
    std::int64_t const first_row = at.whole * tokens;
    memory.place(a.windows, a.first_window + at.whole);
    await_previous();
    memory.fill(a, first_row, head, tokens);
    HeadQueries own;
    own.lane = static_cast<int>(threadIdx.x) % 32, own.g = own.lane / 4, own.t = own.lane % 4;
    own.first = static_cast<int>(threadIdx.x) / 32 * 16;
    std::uint32_t queries[2][4];
#pragma unroll
    for (int i = 0; i < 8; ++i) {
        int const token = own.first + own.g + i % 2 * 8;
        std::byte const* const octet =
            a.qkv.octet(first_row + min(token, tokens - 1), head * kHeadDim + i / 2 * 8) + own.t * 4;
        queries[i / 4][i % 4] = *reinterpret_cast<std::uint32_t const*>(octet);
    }
    wait_for_copies<0>();
    __syncthreads();
    own.score(a, memory, queries, head, tokens);
    own.weigh();
    float sums[kHeadDim / 8][4] = {};
    own.mix(memory, sums);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        int const token = own.first + own.g + 8 * half;
        if (token >= tokens) continue;
        float const factor = 1.0F / own.totals[half];
#pragma unroll
        for (int d = 0; d < kHeadDim / 8; ++d) {
            std::byte* const octet = a.to.octet(first_row + token, head * kHeadDim + 8 * d) + own.t * 4;
            *reinterpret_cast<std::uint32_t*>(octet) =
                Fp16::pack(sums[d][2 * half] * factor, sums[d][2 * half + 1] * factor);
        }
    }
}

}  // namespace
}  // namespace hopper

namespace {

using Op = WindowAttention;

/// Operands of as many windows as fit: x, whose place the attention's results take, and q, k and v.
struct Parts {
    std::int64_t windows, at_once;
    hopper::RowOperands x, qkv;
    hopper::RowScales* scales;
    std::size_t bytes;

    Parts(Op const& op, Shape const& shape, std::byte* workspace)
        : windows(shape[0] * Windows(shape[1], shape[2], op.window, op.shift).per_picture()),
          x{nullptr, ProductWeights(0, shape[3]).depth},
          qkv{nullptr, ProductWeights(0, 3 * shape[3]).depth} {
        std::int64_t const tokens = std::int64_t{op.window} * op.window;
        at_once = items_at_once(windows, tokens * (x.depth + qkv.depth) * 2);
        WorkspaceParts parts(workspace);
        x.data = parts.take<std::byte>(hopper::RowOperands::bytes(at_once * tokens, x.depth));
        qkv.data = parts.take<std::byte>(hopper::RowOperands::bytes(at_once * tokens, qkv.depth));
        scales = parts.take<hopper::RowScales>(round_up(at_once * tokens, 2 * kProductRows));
        bytes = parts.bytes();
    }
};

}  // namespace

std::size_t HopperRowWindowKernel::workspace_bytes(Op const& op, Problem const& problem, int) {
    return Parts(op, problem.inputs[Op::kX], nullptr).bytes;
}

void HopperRowWindowKernel::launch(Op const& op, Launch const& launch) {
    auto const in = launch.inputs;
    Pixels const x(in[Op::kX]), y(launch.outputs[0]), residual(in[Op::kResidual]);
    Windows const windows(x.h, x.w, op.window, op.shift);
    Parts const parts(op, in[Op::kX].shape, launch.workspace);
    SwinWeightInfo const* const qkv_info = hopper::product_weight_info(launch.packed[0], 3 * x.c, x.c);
    float const *const qkv_bias = floats(launch.packed[2]), *const norm_weight = floats(launch.packed[5]),
                       *const norm_bias = floats(launch.packed[6]);
    VITRUM_ASSERT(x.vector && y.vector && (residual.data == nullptr || residual.vector));
    for (std::int64_t first = 0; first < parts.windows; first += parts.at_once) {
        std::int64_t const count = std::min(parts.at_once, parts.windows - first), rows = count * windows.tokens();
        WindowRows const map{windows, first};
        hopper::prepare(launch.stream, hopper::Preparation<WindowRows>{
                                           .x = x,
                                           .rows = rows,
                                           .channels = x.c,
                                           .map = map,
                                           .norm_weight = norm_weight,
                                           .norm_bias = norm_bias,
                                           .epsilon = op.norm_epsilon,
                                           .hidden = {qkv_info, qkv_bias + round_up(3 * x.c, kProductColumns),
                                                      norm_weight + x.c, norm_bias + x.c},
                                           .to = parts.x,
                                           .scales = parts.scales});
        hopper::multiply(launch.stream, rows, 3 * x.c, parts.x, parts.scales, launch.packed[0],
                         hopper::HiddenOutlet{parts.qkv, qkv_info, qkv_bias, Activation::none});
        hopper::WindowHeads const heads{parts.qkv, parts.x,  parts.scales, windows,
                                        first,     op.heads, op.scale,     floats(launch.packed[4])};
        start_shared<Start::early>(launch.stream, hopper::heads_kernel, count * op.heads, 2 * hopper::kMostTokens, 0,
                                   heads);
        hopper::multiply(
            launch.stream, rows, x.c, parts.x, parts.scales, launch.packed[1],
            hopper::PixelOutlet<WindowRows>{.y = y,
                                            .residual = residual,
                                            .rows = rows,
                                            .columns = x.c,
                                            .bias = floats(launch.packed[3]),
                                            .slope = 1.0F,
                                            .residual_first = false,
                                            .map = map,
                                            .of_hidden = true,
                                            .weight = hopper::product_weight_info(launch.packed[1], x.c, x.c)});
    }
}

}  // namespace vitrum::cuda
