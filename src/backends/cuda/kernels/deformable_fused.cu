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

constexpr int kWarps = 16, kThreads = kWarps * 32;
constexpr int kMostColumns = 3 * PixelSamples::kMost;  ///< offsets and scores of a pixel

struct Arguments {
    Pixels x, position, y;
    SampledMaps maps;
    ScaledWeight offset_weight, score_weight, proj_weight;
    float const *offset_bias, *score_bias, *proj_bias, *norm_weight, *norm_bias;
    float epsilon;
};

/// A tile's rows of x + position, the position the same for every picture.
template <int kRows>
struct QueryLoad {
    Matrix x, position;
    int channels;
    PixelTile<kRows> tile;

    struct Row {
        float const *x, *position;
    };
    [[nodiscard]] __device__ Row row(std::int64_t m) const {
        auto const i = static_cast<int>(m);
        return {x.at(tile.pixel(i)), position.at(tile.in_picture(i))};
    }
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
    PixelSamples pixels[kRows];  ///< later results [C]
};

/// Numbers from `first_column` on of each pixel = tile · weight + bias, sixteen columns from 16 · pair on by a warp.
template <class M>
__device__ void multiply_tile(M& memory, ScaledWeight const& weight, int pair, float const* bias, int first_column) {
    int const lane = static_cast<int>(threadIdx.x) % 32;
    ScaledSums<M::kRows / 16, 1> sums{};
    sums.template multiply<4>(memory.tile, 0, weight, pair, 0, weight.steps);
    float const unit = *weight.unit;
    sums.multiply_rows(0, [&](int row) { return unit / memory.tile.scales[row]; });
    int const column = pair * 16 + lane % 4 * 4;
    if (column >= weight.columns) return;
    float4 const added = load_some(bias + column, 4);
#pragma unroll
    for (int i = 0; i < M::kRows / 8; ++i) {
        float const *const low = sums.sums[i / 2][0] + i % 2 * 2, *const high = sums.sums[i / 2][1] + i % 2 * 2;
        *reinterpret_cast<float4*>(&memory.pixels[8 * i + lane / 4].numbers[first_column + column]) =
            make_float4(low[0], low[1], high[0], high[1]) + added;
    }
}

/// Softmax over a head's scores, in place.
template <class M>
__device__ void weigh(M& memory, SampledMaps const& maps) {
    int const count = maps.samples();
    for (int i = static_cast<int>(threadIdx.x); i < M::kRows * maps.heads; i += kThreads) {
        float* const own = memory.pixels[i / maps.heads].numbers + (2 * maps.heads + i % maps.heads) * count;
        float largest = -INFINITY, sum = 0;
        for (int k = 0; k < count; ++k) largest = fmaxf(largest, own[k]);
        for (int k = 0; k < count; ++k) sum += own[k] = expf(own[k] - largest);
        for (int k = 0; k < count; ++k) own[k] /= sum;
    }
}

/// Samples, then their sums, become rows of operands.
template <class M>
__device__ void sample(Arguments const& a, M& memory, PixelTile<M::kRows> const& tile) {
    constexpr int kQuads = RowTile<M::kRows>::kQuads, kRounds = M::kRows * (kScaledDepth / 4) / kThreads;
    int const thread = static_cast<int>(threadIdx.x), warp = thread / 32, lane = thread % 32;
    for (int row = warp; row < M::kRows; row += kWarps) memory.pixels[row].find(a.maps, tile, row);
    __syncthreads();
    // Head by head for all pixels, whose samples of a head share lines of the cache.
    int const of_head = a.maps.dim / 4, items = M::kRows * a.maps.heads * of_head;
    auto const with_item = [&](int round, auto const& f) {
        int const item = round * kThreads + thread;
        int const row = item / of_head % M::kRows, head = item / (of_head * M::kRows);
        if (item < items) f(memory.pixels[row], (head * of_head + item % of_head) * 4);
    };
    float4 sums[kRounds];
#pragma unroll
    for (int i = 0; i < kRounds; ++i) {
        with_item(i, [&](PixelSamples const& pixel, int channel) { sums[i] = pixel.sum(a.maps, channel); });
    }
    __syncthreads();
#pragma unroll
    for (int i = 0; i < kRounds; ++i) {
        with_item(i, [&](PixelSamples& pixel, int channel) {
            *reinterpret_cast<float4*>(pixel.numbers + channel) = sums[i];
        });
    }
    __syncthreads();
    for (int row = warp; row < M::kRows; row += kWarps) {
        float4 own[kQuads];
#pragma unroll
        for (int i = 0; i < kQuads; ++i) {
            int const channel = 128 * i + 4 * lane;
            own[i] = channel < a.x.c ? *reinterpret_cast<float4 const*>(memory.pixels[row].numbers + channel)
                                     : make_float4(0, 0, 0, 0);
        }
        memory.tile.put(row, own, true);
    }
}

/// LayerNorm of results + x, a warp for a row.
template <class M>
__device__ void store_rows(Arguments const& a, M const& memory, PixelTile<M::kRows> const& tile) {
    constexpr int kQuads = RowTile<M::kRows>::kQuads;
    int const lane = static_cast<int>(threadIdx.x) % 32;
    for (int row = static_cast<int>(threadIdx.x) / 32; row < M::kRows; row += kWarps) {
        if (!tile.has(row)) continue;
        std::int64_t const pixel = tile.pixel(row);
        float4 v[kQuads];
        float sum = 0, squares = 0;
#pragma unroll
        for (int i = 0; i < kQuads; ++i) {
            int const channel = 128 * i + 4 * lane;
            bool const is = channel < a.x.c;
            float4 const zero = make_float4(0, 0, 0, 0);
            v[i] = is ? *reinterpret_cast<float4 const*>(memory.pixels[row].numbers + channel) : zero;
            v[i] = v[i] + (is ? *reinterpret_cast<float4 const*>(a.x.at(pixel) + channel) : zero);
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
#pragma unroll
        for (int i = 0; i < kQuads; ++i) {
            int const channel = 128 * i + 4 * lane;
            if (channel >= a.x.c) continue;
            Norm::Quad const norm{fetch4(a.norm_weight + channel, 4, true), fetch4(a.norm_bias + channel, 4, true)};
            *reinterpret_cast<float4*>(a.y.at(pixel) + channel) = norm.apply(v[i], moments);
        }
    }
}

/// Brings weights to the second-level cache while the kernel before ends: the first blocks ask for a line in each
/// thread.
__device__ inline void ask_for_weights(Arguments const& a) {
    constexpr int kLine = 128;
    std::int64_t line = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
    for (ScaledWeight const* const weight : {&a.offset_weight, &a.score_weight, &a.proj_weight}) {
        std::int64_t const bytes = static_cast<std::int64_t>(weight->steps) * weight->pairs * 32 * sizeof(Registers4);
        if (line >= 0 && line * kLine < bytes) {
            prefetch_line(reinterpret_cast<std::byte const*>(weight->operands) + line * kLine);
        }
        line -= (bytes + kLine - 1) / kLine;
    }
}

template <int kRows>
__global__ void __launch_bounds__(kThreads, 2) deformable_kernel(Arguments const a) {
    auto& memory = dynamic_shared<Memory<kRows>>();
    PixelTile<kRows> const tile(blockIdx.x, a.x);
    let_next_start();
    ask_for_weights(a);
    await_previous();
    memory.tile.template fill<kWarps, kRows / kWarps>(QueryLoad<kRows>{a.x, a.position, a.x.c, tile}, 0, kRows, 0,
                                                      true);
    __syncthreads();
    int const warp = static_cast<int>(threadIdx.x) / 32;
#pragma unroll 1
    for (int pair = warp; pair < a.offset_weight.pairs + a.score_weight.pairs; pair += kWarps) {
        bool const is_offset = pair < a.offset_weight.pairs;
        multiply_tile(memory, is_offset ? a.offset_weight : a.score_weight,
                      is_offset ? pair : pair - a.offset_weight.pairs, is_offset ? a.offset_bias : a.score_bias,
                      is_offset ? 0 : a.offset_weight.columns);
    }
    __syncthreads();
    weigh(memory, a.maps);
    __syncthreads();
    sample(a, memory, tile);
    __syncthreads();
#pragma unroll 1
    for (int pair = warp; pair < a.proj_weight.pairs; pair += kWarps) {
        multiply_tile(memory, a.proj_weight, pair, a.proj_bias, 0);
    }
    __syncthreads();
    store_rows(a, memory, tile);
}

template <int kRows>
void run(void* stream, Arguments const& a) {
    start_shared<Start::early>(stream, deformable_kernel<kRows>, PixelTile<kRows>::count(a.x), kThreads,
                               sizeof(Memory<kRows>), a);
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
        if (map.count() >= SampledMaps::kMostNumbers) return {false, "too many pixels"};
    }
    return scaled_rows_support(problem, x[3], x[3]);
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
    VITRUM_ASSERT(x.vector && a.y.vector && a.position.vector && a.maps.levels[0].vector && a.maps.levels[1].vector &&
                  a.maps.levels[2].vector);
    // Smaller tiles, for more of them, where all levels, which may run side by side, do not fill a GPU.
    constexpr std::int64_t kFewPixels = 8192;
    std::int64_t pixels = 0;
    for (Pixels const& level : a.maps.levels) pixels += level.count();
    if (pixels <= kFewPixels) run<16>(launch.stream, a);
    else run<32>(launch.stream, a);
}

}  // namespace vitrum::cuda
