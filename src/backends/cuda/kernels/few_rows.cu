// SPDX-License-Identifier: Apache-2.0
// Products of so few rows that nothing counts but latency: a block has sixteen rows and 32 columns, its warps have
// parts of the depth and join their sums in the end. Numbers are the sum of two TF32 operands, which costs next to
// nothing here, so that all precisions are served as exactly as float32. The code is short: it passes through the
// instruction cache once.
#include "../query_kernels.h"
#include "rows.cuh"

namespace vitrum::cuda {
namespace {

constexpr int kRows = 16, kPairs = 2, kColumns = 16 * kPairs;
constexpr int kSteps = 4;         ///< of eight of the depth that a warp loads at once
constexpr int kStepsOfStage = 2;  ///< see TensorSums::stage

struct FewRows {
    Matrix x;
    std::int64_t rows;
    int depth;
    Registers4 const* weight;
    int pairs, steps;  ///< of the weight
    RowStore<InOrder> to;
};

/// What a warp multiplies at once.
struct WarpSteps {
    float left[kSteps][4];
    Registers4 right[kSteps][2][kPairs];  ///< [step][part]

    __device__ void load_right(FewRows const& p, int first_step, int first_pair) {
        int const lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
        for (int i = 0; i < kSteps * 2 * kPairs; ++i) {
            int const step = first_step + i / (2 * kPairs), part = i / kPairs % 2;
            int const pair = min(first_pair + i % kPairs, p.pairs - 1);
            Registers4 const* const from = p.weight + ((2 * step + part) * p.pairs + pair) * 32 + lane;
            if (step < p.steps) right[i / (2 * kPairs)][part][i % kPairs] = *from;
        }
    }
    __device__ void load_left(FewRows const& p, float const* const (&rows)[2], int first_step) {
        int const lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
        for (int i = 0; i < kSteps * 4; ++i) {
            int const k = 8 * (first_step + i / 4) + lane % 4 + i % 4 / 2 * 4;
            left[i / 4][i % 4] = k < p.depth ? rows[i % 2][k] : 0.0F;
        }
    }
    __device__ void add(float (&sums)[2 * kPairs][4], int left_steps) const {
#pragma unroll
        for (int first = 0; first < kSteps; first += kStepsOfStage) {
            if (first >= left_steps) break;
            float stage[2 * kPairs][4] = {};
#pragma unroll
            for (int s = first; s < first + kStepsOfStage; ++s) {
                std::uint32_t high[4], low[4];
#pragma unroll
                for (int i = 0; i < 4; ++i) {
                    high[i] = Tf32::pack(left[s][i]);
                    low[i] = Tf32::pack(left[s][i] - Tf32::unpack(high[i]));
                }
                TensorSums<Tf32, 1, kPairs>::add(stage, low, right[s][0]);
                TensorSums<Tf32, 1, kPairs>::add(stage, high, right[s][1]);
                TensorSums<Tf32, 1, kPairs>::add(stage, high, right[s][0]);
            }
#pragma unroll
            for (int i = 0; i < 8 * kPairs; ++i) sums[i / 4][i % 4] += stage[i / 4][i % 4];
        }
    }
};

template <int kWarps>
__global__ void __launch_bounds__(kWarps * 32) few_rows_kernel(FewRows p) {
    __shared__ float4 joined[kWarps][kRows][kColumns / 4 + 1];  // one more, so that rows do not meet in a bank
    let_next_start();
    int const thread = static_cast<int>(threadIdx.x), warp = thread / 32, g = thread % 32 / 4, t = thread % 4;
    int const blocks = (p.to.columns + kColumns - 1) / kColumns;
    int const first_column = static_cast<int>(blockIdx.x) % blocks * kColumns;
    std::int64_t const first_row = static_cast<std::int64_t>(blockIdx.x) / blocks * kRows;

    // Weights depend on nothing, and come first.
    int step = warp * kSteps;
    WarpSteps own;
    own.load_right(p, step, first_column / 16);
    await_previous();

    // Four columns of a row for each of the first threads, which ask for what is added to them at once.
    int const own_row = thread / (kColumns / 4), own_quad = thread % (kColumns / 4);
    bool const stores = own_row < kRows && first_row + own_row < p.rows && first_column + 4 * own_quad < p.to.columns;
    RowStore<InOrder>::Column const column = p.to.column(first_column + 4 * own_quad);
    RowStore<InOrder>::Row const row = p.to.row(stores ? first_row + own_row : 0);
    RowStore<InOrder>::Raw added{};
    if (stores) added = p.to.fetch(row, column);

    float const* const rows[2] = {p.x.at(min(first_row + g, p.rows - 1)), p.x.at(min(first_row + g + 8, p.rows - 1))};
    float sums[2 * kPairs][4] = {};
#pragma unroll 1
    for (; step < p.steps; own.load_right(p, step, first_column / 16)) {
        own.load_left(p, rows, step);
        own.add(sums, p.steps - step);
        step += kWarps * kSteps;
    }
#pragma unroll
    for (int i = 0; i < 2 * kPairs; ++i) {
        float const *const low = sums[i / 2 * 2] + i % 2 * 2, *const high = sums[i / 2 * 2 + 1] + i % 2 * 2;
        joined[warp][g + i % 2 * 8][i / 2 * 4 + t] = make_float4(low[0], low[1], high[0], high[1]);
    }
    __syncthreads();
    if (!stores) return;
    float4 sum = make_float4(0, 0, 0, 0);
#pragma unroll
    for (int i = 0; i < kWarps; ++i) sum = sum + joined[i][own_row][own_quad];
    p.to.store(row, column, added, sum);
}

void multiply(void* stream, std::int64_t rows, Matrix const& x, int depth, Weight<Precision::fp32> const& weight,
              RowStore<InOrder> const& to) {
    FewRows const p{x,
                    rows,
                    depth,
                    reinterpret_cast<Registers4 const*>(weight.data),
                    static_cast<int>(weight.extent.columns) / 16,
                    static_cast<int>(weight.extent.steps),
                    to};
    std::int64_t const blocks = divide_up(rows, kRows) * divide_up(to.columns, kColumns);
    constexpr int kMany = 16, kUsual = 8;  // warps
    if (p.steps > 2 * kUsual * kSteps) start<Start::early>(stream, few_rows_kernel<kMany>, blocks, kMany * 32, p);
    else start<Start::early>(stream, few_rows_kernel<kUsual>, blocks, kUsual * 32, p);
}

struct Parts {
    Matrix hidden;
    std::size_t bytes;

    Parts(std::int64_t pixels, std::int64_t hidden_channels, std::byte* workspace) {
        std::int64_t const stride = padded_channels(hidden_channels);
        WorkspaceParts parts(workspace);
        hidden = Matrix(parts.take<float>(pixels * stride), stride);
        bytes = parts.bytes();
    }
};

}  // namespace

std::vector<Packing> FewRowsConvKernel::packings(Conv2d const& op, Problem const& problem) {
    return packings_for(op, problem, Precision::fp32);
}

void FewRowsConvKernel::launch(Conv2d const& op, Launch const& launch) {
    auto const in = launch.inputs;
    Pixels const x(in[Conv2d::kX]), y(launch.outputs[0]), residual(in[Conv2d::kResidual]);
    bool const is_first = op.residual_place == ResidualPlace::before_activation;
    Finish const finish{floats(in[Conv2d::kBias]), op.activation, op.negative_slope, is_first};
    multiply(launch.stream, x.count(), x, x.c, Weight<Precision::fp32>(launch.packed[0], y.c, x.c),
             rows_to(y, y.c, finish, residual));
}

std::vector<Packing> FewRowsMlpKernel::packings(Mlp const& op, Problem const& problem) {
    return packings_for(op, problem, Precision::fp32);
}

std::size_t FewRowsMlpKernel::workspace_bytes(Mlp const&, Problem const& problem, int) {
    return Parts(few_rows(problem.inputs[Mlp::kX]), problem.inputs[Mlp::kFc1Weight][0], nullptr).bytes;
}

void FewRowsMlpKernel::launch(Mlp const& op, Launch const& launch) {
    auto const in = launch.inputs;
    Pixels const x(in[Mlp::kX]), y(launch.outputs[0]), residual(in[Mlp::kResidual]);
    int const hidden_channels = static_cast<int>(in[Mlp::kFc1Weight].shape[0]);
    Parts const parts(x.count(), hidden_channels, launch.workspace);
    multiply(launch.stream, x.count(), x, x.c, Weight<Precision::fp32>(launch.packed[0], hidden_channels, x.c),
             rows_to(parts.hidden, hidden_channels, {floats(in[Mlp::kFc1Bias]), op.activation}));
    multiply(launch.stream, x.count(), parts.hidden, hidden_channels,
             Weight<Precision::fp32>(launch.packed[1], x.c, hidden_channels),
             rows_to(y, x.c, {floats(in[Mlp::kFc2Bias])}, residual));
}

}  // namespace vitrum::cuda
