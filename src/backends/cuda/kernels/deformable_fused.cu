// SPDX-License-Identifier: Apache-2.0
// Deformable attention of a tile of pixels in one launch. Its pixels, then their samples, are rows of scaled float16
// operands; offsets, scores and results lie in shared memory; of device memory only x and the maps are read.
#include "../row_kernels.h"
#include "deformable_samples.cuh"
#include "row_tile.cuh"
#include "rows.cuh"

namespace vitrum::cuda {
namespace {

using Op = DeformableAttention;

constexpr int kWarps = 8, kThreads = kWarps * 32;
constexpr int kMostColumns = 288;  ///< offsets and scores of a pixel

struct Arguments {
    Pixels x, position, y;
    SampledMaps maps;
    ScaledWeight offset_weight, score_weight, proj_weight;
    float const *offset_bias, *score_bias, *proj_bias, *norm_weight, *norm_bias;
    float epsilon;
};

/// Rows of x + position, the position the same for every picture.
struct QueryLoad {
    Matrix x, position;
    int channels;
    std::int64_t pixels;  ///< of a picture

    struct Row {
        float const *x, *position;
    };
    [[nodiscard]] __device__ Row row(std::int64_t m) const { return {x.at(m), position.at(divide(m, pixels).rest)}; }
    using Quad = PlainQuad;
    [[nodiscard]] __device__ Quad quad(int k) const { return {k, channels - k}; }
    struct Raw {
        float4 x, position;
    };
    [[nodiscard]] __device__ Raw fetch(Row const& row, Quad const& quad) const {
        return {fetch4(row.x + quad.first, quad.count, x.vector),
                fetch4(row.position + quad.first, quad.count, position.vector)};
    }
    [[nodiscard]] __device__ float4 finish(Row const&, Quad const& quad, Raw const& raw) const {
        return first4(raw.x + raw.position, quad.count);
    }
};

template <int kRows_>
struct Memory {
    static constexpr int kRows = kRows_;
    RowTile<kRows> tile;
    alignas(16) float values[kRows][kMostColumns + 4];  ///< offsets [2S] and scores [S], later results [C]
    SampleList lists[kWarps];
};

/// values[row][first_column …] = tile · weight + bias, sixteen columns after the other by one warp each.
template <int kPairs, class M>
__device__ void multiply_tile(M& memory, ScaledWeight const& weight, float const* bias, int first_column) {
    int const warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
    float const unit = *weight.unit;
#pragma unroll 1
    for (int pair = warp * kPairs; pair < weight.pairs; pair += kWarps * kPairs) {
        ScaledSums<M::kRows / 16, kPairs> sums{};
        sums.multiply(memory.tile, 0, weight, pair, 0, weight.steps);
        sums.multiply_rows(0, [&](int row) { return unit / memory.tile.scales[row]; });
#pragma unroll
        for (int i = 0; i < M::kRows / 16 * kPairs * 2; ++i) {
            int const tile = i / 2 / kPairs, j = i / 2 % kPairs, half = i % 2;
            int const column = (pair + j) * 16 + lane % 4 * 4, count = weight.columns - column;
            if (count <= 0) continue;
            float const *const low = sums.sums[tile][2 * j] + 2 * half, *const high = low + 4;
            float4 const v = make_float4(low[0], low[1], high[0], high[1]) + load_some(bias + column, count);
            store4(&memory.values[16 * tile + 8 * half + lane / 4][first_column + column], v, count, count >= 4);
        }
    }
}

/// Softmax over a head's scores, in place.
template <class M>
__device__ void weigh(M& memory, SampledMaps const& maps) {
    int const count = maps.samples();
    for (int i = static_cast<int>(threadIdx.x); i < M::kRows * maps.heads; i += kThreads) {
        float* const own = memory.values[i / maps.heads] + (2 * maps.heads + i % maps.heads) * count;
        float largest = -INFINITY, sum = 0;
        for (int k = 0; k < count; ++k) largest = fmaxf(largest, own[k]);
        for (int k = 0; k < count; ++k) sum += own[k] = expf(own[k] - largest);
        for (int k = 0; k < count; ++k) own[k] /= sum;
    }
}

/// LayerNorm of values + x, a warp for a row.
template <class M>
__device__ void store_rows(Arguments const& a, M const& memory, std::int64_t first) {
    constexpr int kQuads = RowTile<M::kRows>::kQuads;
    int const lane = static_cast<int>(threadIdx.x) % 32;
    for (int row = static_cast<int>(threadIdx.x) / 32; row < M::kRows && first + row < a.x.count(); row += kWarps) {
        float4 v[kQuads];
        float sum = 0, squares = 0;
#pragma unroll
        for (int i = 0; i < kQuads; ++i) {
            int const channel = 128 * i + 4 * lane;
            bool const is = channel < a.x.c;
            float4 const zero = make_float4(0, 0, 0, 0);
            v[i] = is ? *reinterpret_cast<float4 const*>(memory.values[row] + channel) : zero;
            v[i] = v[i] + (is ? *reinterpret_cast<float4 const*>(a.x.at(first + row) + channel) : zero);
            sum += (v[i].x + v[i].y) + (v[i].z + v[i].w);
        }
        float const mean = warp_sum(sum) / static_cast<float>(a.x.c);
#pragma unroll
        for (int i = 0; i < kQuads; ++i) {
            if (128 * i + 4 * lane >= a.x.c) continue;
            float4 const d = each(v[i], [&](float value, int) { return value - mean; });
            squares += (d.x * d.x + d.y * d.y) + (d.z * d.z + d.w * d.w);
        }
        Moments const moments{mean, 1.0F / sqrtf(warp_sum(squares) / static_cast<float>(a.x.c) + a.epsilon)};
        Norm const norm{nullptr, a.norm_weight, a.norm_bias};
#pragma unroll
        for (int i = 0; i < kQuads; ++i) {
            int const channel = 128 * i + 4 * lane;
            if (channel >= a.x.c) continue;
            *reinterpret_cast<float4*>(a.y.at(first + row) + channel) = norm.apply(v[i], moments, channel, 4);
        }
    }
}

template <int kRows>
__global__ void __launch_bounds__(kThreads, 2) deformable_kernel(Arguments const a) {
    auto& memory = dynamic_shared<Memory<kRows>>();
    std::int64_t const first = static_cast<std::int64_t>(blockIdx.x) * kRows;
    QueryLoad const load{a.x, a.position, a.x.c, a.position.count()};
    memory.tile.template fill<kWarps, kRows / kWarps>(load, first, a.x.count(), 0, true);
    __syncthreads();
    multiply_tile<1>(memory, a.offset_weight, a.offset_bias, 0);
    multiply_tile<1>(memory, a.score_weight, a.score_bias, a.offset_weight.columns);
    __syncthreads();
    weigh(memory, a.maps);
    __syncthreads();
    int const warp = static_cast<int>(threadIdx.x) / 32;
#pragma unroll 1
    for (int row = warp; row < kRows; row += kWarps) {
        float4 samples[RowTile<kRows>::kQuads];
        std::int64_t const pixel = min(first + row, a.x.count() - 1);
        memory.lists[warp].fill(a.maps, Place(pixel, a.x.h, a.x.w), a.x, memory.values[row]);
        memory.lists[warp].sum(a.maps, a.x.c, samples);
        memory.tile.put(row, samples, true);
    }
    __syncthreads();
    multiply_tile<2>(memory, a.proj_weight, a.proj_bias, 0);
    __syncthreads();
    store_rows(a, memory, first);
}

template <int kRows>
void run(void* stream, Arguments const& a) {
    start_shared(stream, deformable_kernel<kRows>, divide_up(a.x.count(), kRows), kThreads, sizeof(Memory<kRows>), a);
}

}  // namespace

Support FusedDeformableKernel::supports(Op const& op, Problem const& problem) {
    Shape const& x = problem.inputs[Op::kX];
    if (op.points != SampledMaps::kPoints) return {false, fmt::format("serves {} points", SampledMaps::kPoints)};
    if (x[3] > kScaledDepth || 3 * op.samples() > kMostColumns) {
        return {false, fmt::format("more than {} channels or 8 heads", kScaledDepth)};
    }
    if (x[3] / op.heads % 4 != 0) return {false, "heads whose channels are no multiple of 4"};
    for (int const value : {Op::kValue0, Op::kValue1, Op::kValue2}) {
        Shape const& map = problem.inputs[static_cast<std::size_t>(value)];
        if (map[0] * map[1] * map[2] >= SampledMaps::kMostPixels) return {false, "too many pixels"};
    }
    return scaled_rows_support(problem, x[3]);
}

void FusedDeformableKernel::launch(Op const& op, Launch const& launch) {
    auto const in = launch.inputs;
    Pixels const x(in[Op::kX]);
    Arguments const a{
        .x = x,
        .position = Pixels(in[Op::kPosition]),
        .y = Pixels(launch.outputs[0]),
        .maps = {{Pixels(in[Op::kValue0]), Pixels(in[Op::kValue1]), Pixels(in[Op::kValue2])}, op.heads, x.c / op.heads},
        .offset_weight = ScaledWeight(launch.packed[0], 2 * op.samples(), x.c),
        .score_weight = ScaledWeight(launch.packed[1], op.samples(), x.c),
        .proj_weight = ScaledWeight(launch.packed[2], x.c, x.c),
        .offset_bias = floats(in[Op::kOffsetBias]),
        .score_bias = floats(in[Op::kScoreBias]),
        .proj_bias = floats(in[Op::kProjBias]),
        .norm_weight = floats(in[Op::kNormWeight]),
        .norm_bias = floats(in[Op::kNormBias]),
        .epsilon = op.norm_epsilon};
    VITRUM_ASSERT(x.vector && a.y.vector && a.maps.levels[0].vector && a.maps.levels[1].vector &&
                  a.maps.levels[2].vector);
    constexpr std::int64_t kFewPixels = 8192;  // smaller tiles, for more of them
    if (x.count() <= kFewPixels) run<16>(launch.stream, a);
    else run<32>(launch.stream, a);
}

}  // namespace vitrum::cuda
