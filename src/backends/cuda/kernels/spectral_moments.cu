// SPDX-License-Identifier: Apache-2.0
#include "spectral_moments.cuh"

#include "fragments.cuh"

namespace vitrum::cuda {
namespace {

constexpr int kWarps = 8, kThreads = kWarps * 32;
constexpr int kBlock = SpectralMoments::kBlock;
/// Steps whose pixels are loaded together.
template <bool kIsDiagonal>
constexpr int kStepsAhead = kIsDiagonal ? 4 : 2;
constexpr int kStepsOfSum = 16;  // steps of 8 pixels in two parts that tensor cores sum before float32 additions do

/// 8 pixels × 32 channels as operands, of two parts or, as exact as in the second pass, of one: lane 4 g + t has
/// channels 4 g … 4 g + 3 of pixels t and t + 4. Channel 4 g + j is column g of tile j as right operand, and row g or g
/// + 8 of tile j / 2 as left one.
template <FragmentKind kKind>
struct EightPixels {
    static constexpr bool kIsSplit = kKind == FragmentKind::split;
    std::uint32_t high[2][4], low[2][kIsSplit ? 4 : 1];

    __device__ void set(float4 first, float4 second) {
#pragma unroll
        for (int p = 0; p < 2; ++p) {
            float4 const v = p == 0 ? first : second;
            float const values[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
            for (int j = 0; j < 4; ++j) {
                high[p][j] = kKind == FragmentKind::half ? Tf32::cut(values[j]) : Tf32::pack(values[j]);
                if constexpr (kIsSplit) low[p][j] = Tf32::pack(values[j] - Tf32::unpack(high[p][j]));
            }
        }
    }
};

struct MomentSums {
    float tiles[2][4][4] = {};

    template <FragmentKind kKind>
    __device__ void add(EightPixels<kKind> const& a, EightPixels<kKind> const& b) {
        if constexpr (EightPixels<kKind>::kIsSplit) {
            add(a.low, b.high);
            add(a.high, b.low);
        }
        add(a.high, b.high);
    }
    __device__ void add(std::uint32_t const (&a)[2][4], std::uint32_t const (&b)[2][4]) {
#pragma unroll
        for (int i = 0; i < 2; ++i) {
            std::uint32_t const left[4] = {a[0][2 * i], a[0][2 * i + 1], a[1][2 * i], a[1][2 * i + 1]};
#pragma unroll
            for (int j = 0; j < 4; ++j) {
                std::uint32_t const right[2] = {b[0][j], b[1][j]};
                multiply_add<Tf32>(tiles[i][j], left, right);
            }
        }
    }
    __device__ void add(MomentSums const& other) {
#pragma unroll
        for (int i = 0; i < 32; ++i) tiles[i / 16][i / 4 % 4][i % 4] += other.tiles[i / 16][i / 4 % 4][i % 4];
    }
};

/// Pixels of a warp that are loaded together: its own in steps of eight, those of channel block a before those of b.
template <bool kIsDiagonal>
struct PixelBatch {
    static constexpr int kAhead = kStepsAhead<kIsDiagonal>, kSides = kIsDiagonal ? 1 : 2;
    static constexpr int kPixels = 8 * kWarps * kAhead;  ///< of all warps
    float4 v[kSides][2 * kAhead];

    /// From `first` on, as far as there are any before `end`.
    __device__ void fetch(Pixels const& x, std::int64_t first, std::int64_t end, int const (&channels)[2]) {
        int const t = static_cast<int>(threadIdx.x % 4);
        auto const left = static_cast<int>(min(end - first - t, std::int64_t{kPixels}));
        float const* const own = x.at(first + t);
        PixelQuad at[kSides * 2 * kAhead];
        float4 to[kSides * 2 * kAhead];
#pragma unroll
        for (int i = 0; i < kSides * 2 * kAhead; ++i) {
            int const channel = channels[i / (2 * kAhead)], n = i % (2 * kAhead),
                      further = n / 2 * 8 * kWarps + n % 2 * 4;
            at[i] = {own + (further * static_cast<int>(x.stride) + channel), x.c - channel, further < left};
        }
        fetch_pixels(to, at, x.vector);
#pragma unroll
        for (int i = 0; i < kSides * 2 * kAhead; ++i) v[i / (2 * kAhead)][i % (2 * kAhead)] = to[i];
    }

    template <FragmentKind kKind>
    __device__ void add_to(MomentSums& sums, int c, int const (&channels)[2]) const {
#pragma unroll
        for (int n = 0; n < kAhead; ++n) {
            EightPixels<kKind> sides[kSides];
#pragma unroll
            for (int side = 0; side < kSides; ++side) {
                int const count = c - channels[side];
                sides[side].set(known_of(v[side][2 * n], count), known_of(v[side][2 * n + 1], count));
            }
            sums.add(sides[0], sides[kSides - 1]);
        }
    }
};

/// The sums of one warp over its share of the pixels [begin, end) of channel blocks a and b.
template <FragmentKind kKind, bool kIsDiagonal>
__device__ void sum_pixels(Pixels const& x, std::int64_t begin, std::int64_t end, int a, int b, MomentSums& total) {
    using Batch = PixelBatch<kIsDiagonal>;
    int const g = static_cast<int>(threadIdx.x % 32 / 4), channels[2] = {a * kBlock + 4 * g, b * kBlock + 4 * g};
    std::int64_t first = begin + threadIdx.x / 32 * 8;
    if constexpr (kKind == FragmentKind::split) {
        while (first < end) {
            MomentSums sums;
#pragma unroll 1
            for (int step = 0; step < kStepsOfSum && first < end; step += Batch::kAhead, first += Batch::kPixels) {
                Batch batch;
                batch.fetch(x, first, end, channels);
                batch.template add_to<kKind>(sums, x.c, channels);
            }
            total.add(sums);
        }
    } else {
        Batch next;
        next.fetch(x, first, end, channels);
#pragma unroll 1
        while (first < end) {
            Batch const own = next;
            first += Batch::kPixels;
            next.fetch(x, first, end, channels);
            own.template add_to<kKind>(total, x.c, channels);
        }
    }
}

/// S of one part of a picture and one pair of channel blocks a ≤ b, written as rows a and, mirrored, as rows b.
template <FragmentKind kKind>
__global__ void __launch_bounds__(kThreads, 2) moments_kernel(Pixels const x, SpectralMoments const m) {
    __shared__ float shared[kWarps][kBlock][kBlock + 1];
    take_turn();
    Quotient const by_pair = divide(static_cast<std::int64_t>(blockIdx.x), m.pairs());
    Quotient const by_part = divide(by_pair.whole, m.parts);
    int a = 0, b = static_cast<int>(by_pair.rest);
    while (b >= m.blocks - a) b -= m.blocks - a++;
    b += a;
    std::int64_t const per_part = (m.pixels + m.parts - 1) / m.parts;
    std::int64_t const origin = by_part.whole * m.pixels;
    std::int64_t const begin = min(m.pixels, by_part.rest * per_part), end = min(m.pixels, begin + per_part);
    MomentSums total;
    if (a == b) sum_pixels<kKind, true>(x, origin + begin, origin + end, a, b, total);
    else sum_pixels<kKind, false>(x, origin + begin, origin + end, a, b, total);

    int const thread = static_cast<int>(threadIdx.x), warp = thread / 32, g = thread % 32 / 4, t = thread % 4;
#pragma unroll
    for (int i = 0; i < 32; ++i) {
        int const tile = i / 16, column = i / 4 % 4, e = i % 4;
        shared[warp][4 * g + 2 * tile + e / 2][4 * (2 * t + e % 2) + column] = total.tiles[tile][column][e];
    }
    __syncthreads();
    int const width = m.width();
    float* const to = m.partial + by_pair.whole * width * width;
    for (int i = thread; i < kBlock * kBlock; i += kThreads) {
        int const row = i / kBlock, column = i % kBlock;
        float sum = 0, mirrored = 0;
#pragma unroll
        for (int w = 0; w < kWarps; ++w) {
            sum += shared[w][row][column];
            mirrored += shared[w][column][row];
        }
        to[(a * kBlock + row) * width + b * kBlock + column] = sum;
        if (a != b) to[(b * kBlock + row) * width + a * kBlock + column] = mirrored;
    }
}

}  // namespace

void sum_spectral_moments(void* stream, Pixels const& x, SpectralMoments const& m, FragmentKind kind) {
    auto const run = [&](auto* kernel) {
        start<Start::early>(stream, kernel, m.pictures * m.parts * m.pairs(), kThreads, x, m);
    };
    switch (kind) {
        case FragmentKind::half: return run(moments_kernel<FragmentKind::half>);
        case FragmentKind::tf32: return run(moments_kernel<FragmentKind::tf32>);
        case FragmentKind::split: return run(moments_kernel<FragmentKind::split>);
    }
}

}  // namespace vitrum::cuda
