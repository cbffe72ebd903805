// SPDX-License-Identifier: Apache-2.0
// From second moments to the matrix of the second pass: arithmetic on C × C numbers, whose time is that of loads behind
// each other. So every thread asks for all that it needs before it waits, and sums are shared by whole blocks.
#include "fragments.cuh"
#include "spectral_moments.cuh"

namespace vitrum::cuda {
namespace {

constexpr int kMostChannels = 128;

/// The smallest power of two that is at least n, and at least 8.
[[nodiscard]] __device__ int padded(int n) {
    int power = 8;
    while (power < n) power *= 2;
    return power;
}

constexpr int kColumnThreads = 1024, kColumnWarps = kColumnThreads / 32;

/// Column j of S over all parts as `column`. A lane has a quad of rows; the lanes of a warp that have the same one, and
/// then the warps, share the parts.
__device__ void sum_column(SpectralMoments const& m, std::int64_t picture, int j,
                           double (&of_warps)[kColumnWarps][kMostChannels], double (&column)[kMostChannels]) {
    int const width = m.width(), quads = padded(width / 4), slices = kColumnThreads / quads;
    int const thread = static_cast<int>(threadIdx.x), quad = thread % quads, lane = thread % 32;
    double sums[4] = {};
    if (4 * quad < width) {
        std::int64_t const part = std::int64_t{width} * width;
        float const* const from = m.partial + picture * m.parts * part + j * width + 4 * quad;
#pragma unroll 8
        for (int p = thread / quads; p < m.parts; p += slices) {
            auto const v = *reinterpret_cast<float4 const*>(from + p * part);
            sums[0] += static_cast<double>(v.x), sums[1] += static_cast<double>(v.y);
            sums[2] += static_cast<double>(v.z), sums[3] += static_cast<double>(v.w);
        }
    }
    for (int other = 16; other >= quads; other /= 2) {
        for (double& sum : sums) sum += __shfl_xor_sync(0xFFFFFFFFU, sum, other);
    }
    if (lane < quads && 4 * quad < width) {
        for (int i = 0; i < 4; ++i) of_warps[thread / 32][4 * quad + i] = sums[i];
    }
    __syncthreads();
    if (thread < width) {
        double sum = 0;
#pragma unroll
        for (int w = 0; w < kColumnWarps; ++w) sum += of_warps[w][thread];
        column[thread] = sum;
    }
    __syncthreads();
}

/// Column j of W_k·S and of W_q·S: a block each. Here and below at most kChannels channels.
template <int kChannels>
__global__ void __launch_bounds__(kColumnThreads) columns_kernel(SpectralMoments const m, SpectralWeights const w) {
    constexpr int kTerms = kChannels * 2 * kChannels / kColumnThreads;
    __shared__ double of_warps[kColumnWarps][kMostChannels], column[kMostChannels];
    Quotient const at = divide(static_cast<std::int64_t>(blockIdx.x), m.channels);
    int const results = 2 * m.channels, across = padded(results), slices = kColumnThreads / across;
    int const i = static_cast<int>(threadIdx.x) % across, slice = static_cast<int>(threadIdx.x) / across;
    float const* const from = i < m.channels ? w.key + i : w.query + i - m.channels;
    float weights[kTerms];
#pragma unroll
    for (int t = 0; t < kTerms; ++t) {
        int const k = t * slices + slice;
        weights[t] = k < m.channels && i < results ? from[k * w.stride] : 0.0F;
    }
    await_previous();
    let_next_start();  // not before x is complete: the second pass reads it without waiting
    sum_column(m, at.whole, static_cast<int>(at.rest), of_warps, column);
    double product = 0;
#pragma unroll
    for (int t = 0; t < kTerms; ++t) {
        int const k = t * slices + slice;
        if (k < m.channels) product = fma(static_cast<double>(weights[t]), column[k], product);
    }
    double* const of_slices = &of_warps[0][0];
    of_slices[threadIdx.x] = product;
    __syncthreads();
    if (slice > 0 || i >= results) return;
    for (int s = 1; s < slices; ++s) product += of_slices[s * across + i];
    m.products[(at.whole * m.channels + at.rest) * results + i] = product;
}

constexpr int kRows = 8;  // of the attention that a block has: a warp each in the end
constexpr int kAttendThreads = 32 * kRows;

struct AttendMemory {
    double keys[kMostChannels][kRows];      ///< the block's rows of W_k·S
    double of_warps[kRows][kRows + 2][32];  ///< dot products, |q|², |k|²
    float attention[kRows][kMostChannels];
};

/// Where a block's rows are.
struct AttendPlace {
    std::int64_t picture;
    int head, first, row, rows;  ///< the head's first channel, the block's first of its rows, how many

    __device__ AttendPlace(SpectralMoments const& m, std::int64_t block) {
        int const groups = (m.dim + kRows - 1) / kRows;
        Quotient const by_group = divide(block, groups), by_head = divide(by_group.whole, m.heads);
        picture = by_head.whole;
        head = static_cast<int>(by_head.rest);
        first = head * m.dim;
        row = static_cast<int>(by_group.rest) * kRows;
        rows = min(kRows, m.dim - row);
    }
};

/// One warp's share of the sums over channels for columns [j0, j0 + 32) of the head: a lane has a column.
template <int kChannels>
__device__ void sum_products(SpectralMoments const& m, SpectralWeights const& w, AttendPlace const& at, int j0,
                             AttendMemory& shared) {
    constexpr int kTerms = kChannels / kRows;
    int const warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
    bool const is_column = j0 + lane < m.dim, is_row = lane < at.rows;
    float queries[kTerms], keys[kTerms];
    double own[kTerms];  // of W_q·S
    double const* const from =
        m.products + at.picture * m.channels * 2 * m.channels + m.channels + at.first + j0 + lane;
#pragma unroll
    for (int t = 0; t < kTerms; ++t) {
        int const k = t * kRows + warp;
        bool const exists = k < m.channels;
        queries[t] = exists && is_column ? w.query[k * w.stride + at.first + j0 + lane] : 0.0F;
        keys[t] = exists && is_row ? w.key[k * w.stride + at.first + at.row + lane] : 0.0F;
        own[t] = exists && is_column ? from[k * 2 * m.channels] : 0.0;
    }
    double sums[kRows] = {}, query_square = 0, key_square = 0;
#pragma unroll
    for (int t = 0; t < kTerms; ++t) {
        int const k = t * kRows + warp;
        if (k >= m.channels) break;
        auto const query = static_cast<double>(queries[t]);
#pragma unroll
        for (int r = 0; r < kRows; ++r) sums[r] = fma(shared.keys[k][r], query, sums[r]);
        query_square = fma(own[t], query, query_square);
        key_square = fma(shared.keys[k][lane % kRows], static_cast<double>(keys[t]), key_square);
    }
#pragma unroll
    for (int r = 0; r < kRows; ++r) shared.of_warps[warp][r][lane] = sums[r];
    shared.of_warps[warp][kRows][lane] = query_square;
    shared.of_warps[warp][kRows + 1][lane] = key_square;
}

/// Rows of softmax(rescale · k·q / (|k|·|q|)), a warp each.
template <int kChannels>
__device__ void attend(SpectralMoments const& m, AttendPlace const& at, double rescale, SpectralWeights const& w,
                       AttendMemory& shared) {
    int const warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
    float* const logits = shared.attention[warp];
    float largest = -INFINITY, sum = 0;
    for (int j0 = 0; j0 < m.dim; j0 += 32) {
        __syncthreads();
        sum_products<kChannels>(m, w, at, j0, shared);
        __syncthreads();
        double dot = 0, query = 0, key = 0;
#pragma unroll
        for (int i = 0; i < kRows; ++i) {
            dot += shared.of_warps[i][warp][lane];
            query += shared.of_warps[i][kRows][lane];
            key += shared.of_warps[i][kRows + 1][warp];
        }
        if (j0 + lane >= m.dim || warp >= at.rows) continue;
        auto const norm = [](double square) { return fmax(sqrt(fmax(square, 0.0)), 1e-12); };
        logits[j0 + lane] = static_cast<float>(dot * rescale / (norm(query) * norm(key)));
        largest = fmaxf(largest, logits[j0 + lane]);
    }
    for (int other = 16; other > 0; other /= 2) largest = fmaxf(largest, __shfl_xor_sync(0xFFFFFFFFU, largest, other));
    if (warp >= at.rows) return;
    for (int j = lane; j < m.dim; j += 32) sum += expf(logits[j] - largest);
    float const factor = 1.0F / warp_sum(sum);
    for (int j = lane; j < m.dim; j += 32) logits[j] = expf(logits[j] - largest) * factor;
}

/// Some rows of one head's attention, times W_v.
template <int kChannels>
__global__ void __launch_bounds__(kAttendThreads) attend_kernel(SpectralMoments const m, SpectralWeights const w) {
    __shared__ AttendMemory shared;
    take_turn();
    AttendPlace const at(m, static_cast<std::int64_t>(blockIdx.x));
    int const thread = static_cast<int>(threadIdx.x);
    auto const rescale = static_cast<double>(w.rescale[at.head]);
    double const* const from = m.products + at.picture * m.channels * 2 * m.channels + at.first + at.row;
#pragma unroll 4
    for (int i = thread; i < m.channels * kRows; i += kAttendThreads) {
        int const k = i / kRows, r = i % kRows;
        shared.keys[k][r] = r < at.rows ? from[k * 2 * m.channels + r] : 0.0;
    }
    attend<kChannels>(m, at, rescale, w, shared);
    __syncthreads();
    constexpr int kRowsEach = kRows * kMostChannels / kAttendThreads;
    int const c = thread % kMostChannels, row = thread / kMostChannels * kRowsEach;
    if (c >= m.channels) return;
    float sums[kRowsEach] = {};
#pragma unroll 16
    for (int j = 0; j < m.dim; ++j) {
        float const value = w.value[(at.first + j) * m.channels + c];
#pragma unroll
        for (int r = 0; r < kRowsEach; ++r) sums[r] = fmaf(shared.attention[row + r][j], value, sums[r]);
    }
    float* const to = m.attended + (at.picture * m.channels + at.first + at.row) * m.channels + c;
    for (int r = 0; r < kRowsEach && row + r < at.rows; ++r) to[(row + r) * m.channels] = sums[r];
}

constexpr int kCombineRows = 4, kCombineSlices = 4, kCombineThreads = kCombineSlices * kMostChannels;

/// Some rows o of W_o·A·W_v, as right operands want it; zeros beyond the channels.
__global__ void __launch_bounds__(kCombineThreads) combine_kernel(SpectralMoments const m, SpectralWeights const w,
                                                                  FragmentKind const kind, std::int64_t const words) {
    __shared__ float projection[kCombineRows][kMostChannels], of_slices[kCombineSlices][kCombineRows][kMostChannels];
    let_next_start();
    Quotient const at = divide(static_cast<std::int64_t>(blockIdx.x), m.width() / kCombineRows);
    int const first = static_cast<int>(at.rest) * kCombineRows;
    int const c = static_cast<int>(threadIdx.x) % kMostChannels, slice = static_cast<int>(threadIdx.x) / kMostChannels;
    bool const exists = first + slice < m.channels && c < m.channels;
    projection[slice][c] = exists ? w.projection[(first + slice) * m.channels + c] : 0.0F;
    await_previous();
    __syncthreads();
    float sums[kCombineRows] = {};
    if (c < m.channels) {
        float const* const from = m.attended + at.whole * m.channels * m.channels + c;
#pragma unroll 16
        for (int i = slice; i < m.channels; i += kCombineSlices) {
            float const value = from[i * m.channels];
#pragma unroll
            for (int r = 0; r < kCombineRows; ++r) sums[r] = fmaf(projection[r][i], value, sums[r]);
        }
    }
#pragma unroll
    for (int r = 0; r < kCombineRows; ++r) of_slices[slice][r][c] = sums[r];
    __syncthreads();
    if (c >= 16 * m.steps()) return;
    float value = 0;
#pragma unroll
    for (int s = 0; s < kCombineSlices; ++s) value += of_slices[s][slice][c];
    std::uint32_t* const to = m.matrix + at.whole * words;
    FragmentPlace const place(first + slice, c);
    std::uint32_t const high = Tf32::pack(value);
    to[place.word(m.steps(), kind, 0)] = high;
    if (kind == FragmentKind::split) to[place.word(m.steps(), kind, 1)] = Tf32::pack(value - Tf32::unpack(high));
}
static_assert(kCombineRows == kCombineSlices, "a slice of threads writes a row");

template <int kChannels>
void start_kernels(void* stream, SpectralMoments const& m, SpectralWeights const& weights, FragmentKind kind) {
    std::int64_t const groups = divide_up(m.dim, kRows);
    start<Start::early>(stream, columns_kernel<kChannels>, m.pictures * m.channels, kColumnThreads, m, weights);
    start<Start::early>(stream, attend_kernel<kChannels>, m.pictures * m.heads * groups, kAttendThreads, m, weights);
    start<Start::early>(stream, combine_kernel, m.pictures * (m.width() / kCombineRows), kCombineThreads, m, weights, kind,
          m.extent().words(kind));
}

}  // namespace

void make_spectral_matrix(void* stream, SpectralMoments const& m, SpectralWeights const& weights, FragmentKind kind) {
    switch (fused_channels(m.channels)) {
        case 32: return start_kernels<32>(stream, m, weights, kind);
        case 64: return start_kernels<64>(stream, m, weights, kind);
        default: return start_kernels<128>(stream, m, weights, kind);
    }
}

}  // namespace vitrum::cuda
