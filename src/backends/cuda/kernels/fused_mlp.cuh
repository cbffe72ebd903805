// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gelu_for_operands.cuh"
#include "packed_fragments.cuh"

// y = residual + fc2(gelu(fc1(norm(x)))) in one kernel: a warp has 16 pixels from the first read to the one write.
// Their sums stay in registers, and the hidden layer exists a few blocks of 16 channels at a time.

namespace vitrum::cuda {

struct MlpArguments {
    Pixels x{}, y{}, residual{};
    int hidden = 0;
    float epsilon = 0;
    float const *norm_weight = nullptr, *norm_bias = nullptr;  ///< null: no norm
    float const *fc1_bias = nullptr, *fc2_bias = nullptr;
    Words const *fc1 = nullptr, *fc2 = nullptr;
};

/// What a kernel is compiled for.
/// @tparam Operand_         Fp16, Tf32 or Tf32Pair
/// @tparam kChannelBlocks_  16 channels each
/// @tparam kHiddenBlocks_   16 channels of the hidden layer each, computed at once: a part
/// @tparam kStages_         parts' weights in shared memory; 0: all weights
/// @tparam kWarps_          of a thread block, 16 pixels each
/// @tparam kIsPipelined_    a part's second product comes after the next part's first one, so that GELU has company
/// @tparam kSharesX_        operands of x wait in shared memory instead of registers, which more warps then have
template <class Operand_, int kChannelBlocks_, int kHiddenBlocks_, int kStages_, int kWarps_, int kBlocksPerSm_,
          bool kIsPipelined_ = false, bool kSharesX_ = false>
struct MlpShape {
    using Operand = Operand_;
    using F = Fragment<Operand>;
    static constexpr bool kIsPipelined = kIsPipelined_, kSharesX = kSharesX_;
    static constexpr int kChannelBlocks = kChannelBlocks_, kHiddenBlocks = kHiddenBlocks_, kStages = kStages_;
    static constexpr int kBlocksPerSm = kBlocksPerSm_;
    static constexpr int kWarps = kWarps_, kThreads = kWarps * kWarp, kPixels = 16 * kWarps;
    static constexpr int kChannels = 16 * kChannelBlocks, kHidden = 16 * kHiddenBlocks;
    static constexpr int kPartWords = kChannelBlocks * kHiddenBlocks * F::kBlock;  ///< of a part of one of the weights
};

template <class S>
struct MlpPortions {
    static constexpr int kDelay = S::kIsPipelined ? 1 : 0;
    Words const *fc1, *fc2;
    int parts, count;

    __host__ __device__ explicit MlpPortions(MlpArguments const& a)
        : fc1(a.fc1), fc2(a.fc2), parts((a.hidden + S::kHidden - 1) / S::kHidden), count(parts + kDelay) {}
    [[nodiscard]] __host__ __device__ static int slot() { return 2 * S::kPartWords; }
    /// fc1 of part `portion` and fc2 of the same part, or of the one before.
    __device__ void fetch(int portion, Words* to) const {
        if (portion < parts) copy_words_async<S::kThreads>(to, fc1 + portion * S::kPartWords, S::kPartWords);
        if (portion < kDelay) return;
        copy_words_async<S::kThreads>(to + S::kPartWords, fc2 + (portion - kDelay) * S::kPartWords, S::kPartWords);
    }
};

/// Where what is in shared memory.
template <class S>
struct MlpMemory {
    Words* weights;
    Words* x;                                   ///< [warp][channel block], where kSharesX
    float *norm_weight, *norm_bias, *fc2_bias;  ///< [kChannels]
    float* fc1_bias;                            ///< [parts · kHidden]
    std::size_t bytes;

    __host__ __device__ MlpMemory(MlpArguments const& a, unsigned char* start) {
        MlpPortions<S> const portions(a);
        weights = reinterpret_cast<Words*>(start);
        x = weights + (S::kStages == 0 ? portions.count : S::kStages) * portions.slot();
        norm_weight = reinterpret_cast<float*>(x + (S::kSharesX ? S::kWarps * S::kChannelBlocks * S::F::kBlock : 0));
        norm_bias = norm_weight + S::kChannels;
        fc2_bias = norm_bias + S::kChannels;
        fc1_bias = fc2_bias + S::kChannels;
        bytes =
            static_cast<std::size_t>(reinterpret_cast<unsigned char*>(fc1_bias + portions.parts * S::kHidden) - start);
    }

    __device__ void fill(MlpArguments const& a) const {
        copy_padded(norm_weight, a.norm_weight, a.x.c, S::kChannels);
        copy_padded(norm_bias, a.norm_bias, a.x.c, S::kChannels);
        copy_padded(fc2_bias, a.fc2_bias, a.x.c, S::kChannels);
        copy_padded(fc1_bias, a.fc1_bias, a.hidden, MlpPortions<S>(a).parts * S::kHidden);
    }
};

template <class S>
struct MlpWarp {
    int lane, t;
    std::int64_t pixel[2];  ///< of the lane's rows; −1: none

    __device__ MlpWarp(MlpArguments const& a, std::int64_t group)
        : lane(static_cast<int>(threadIdx.x) % kWarp), t(lane % 4) {
        std::int64_t const first = group * S::kPixels + static_cast<int>(threadIdx.x) / kWarp * 16 + lane / 4;
        pixel[0] = first < a.x.count() ? first : -1;
        pixel[1] = first + 8 < a.x.count() ? first + 8 : -1;
    }
    [[nodiscard]] __device__ PixelRows rows(Matrix const& of) const {
        PixelRows result;
#pragma unroll
        for (int row = 0; row < 2; ++row) {
            result.of[row] = of.data == nullptr || pixel[row] < 0 ? nullptr : of.at(pixel[row]);
        }
        return result;
    }
};

/// A warp's operands of x, in registers or in its own part of shared memory.
template <class S>
struct MlpOperands {
    using F = typename S::F;
    F in_registers[S::kSharesX ? 1 : S::kChannelBlocks];
    Words* in_shared;
    int lane;

    __device__ explicit MlpOperands(MlpMemory<S> const& memory)
        : in_shared(memory.x + threadIdx.x / kWarp * (S::kChannelBlocks * F::kBlock)), lane(threadIdx.x % kWarp) {}
    __device__ void put(int s, F const& v) {
        if constexpr (S::kSharesX) v.store(in_shared, s, lane);
        else in_registers[s] = v;
    }
    [[nodiscard]] __device__ F at(int s) const {
        if constexpr (S::kSharesX) return F::load(in_shared, s, lane);
        else return in_registers[s];
    }
};

/// The pixels as operands, and in `sums` what their results begin with: the residual and fc2's bias.
template <class S>
__device__ void read_pixels(MlpArguments const& a, MlpMemory<S> const& memory, MlpWarp<S> const& warp,
                            MlpOperands<S>& x, SumTile (&sums)[S::kChannelBlocks]) {
    PixelRows const rows = warp.rows(a.x);
    load_pixels(rows, 0, a.x.c, a.x.vector, warp.t, sums);
    if (a.norm_weight != nullptr) {
        normalise<typename S::Operand>(sums, rows, {memory.norm_weight, memory.norm_bias}, a.x.c, a.epsilon, warp.t,
                                       [&](int s, typename S::F const& v) { x.put(s, v); });
    } else {
#pragma unroll
        for (int s = 0; s < S::kChannelBlocks; ++s) x.put(s, rounded<typename S::Operand>(sums[s]));
    }
    if (a.residual.data != a.x.data) {
        load_pixels(warp.rows(a.residual), 0, a.x.c, a.residual.vector, warp.t, sums);
    }
#pragma unroll
    for (int s = 0; s < S::kChannelBlocks; ++s) add_channels(sums[s], memory.fc2_bias, s, warp.t);
}

/// Sums of a part of the hidden layer.
template <class S>
__device__ void multiply_fc1(float const* bias, MlpWarp<S> const& warp, Words const* weight, MlpOperands<S> const& x,
                             SumTile (&hidden)[S::kHiddenBlocks]) {
#pragma unroll
    for (int h = 0; h < S::kHiddenBlocks; ++h) hidden[h] = tile_of_columns(bias + 16 * h, warp.t);
#pragma unroll
    for (int s = 0; s < S::kChannelBlocks; ++s) {
        auto const own = x.at(s);
#pragma unroll
        for (int h = 0; h < S::kHiddenBlocks; ++h) {
            multiply(hidden[h], own, S::F::load(weight, h * S::kChannelBlocks + s, warp.lane));
        }
    }
}

template <class Operand, int kBlocks>
__device__ void activate(SumTile (&hidden)[kBlocks], Fragment<Operand> (&to)[kBlocks]) {
#pragma unroll
    for (int h = 0; h < kBlocks; ++h) {
        each(hidden[h],
             [](float v, int, int) { return Operand::kPrecision == Precision::fp32 ? gelu(v) : gelu_for_operands(v); });
        to[h] = rounded<Operand>(hidden[h]);
    }
}

template <class S>
__device__ void add_fc2(MlpWarp<S> const& warp, Words const* weight, typename S::F const (&hidden)[S::kHiddenBlocks],
                        SumTile (&sums)[S::kChannelBlocks]) {
#pragma unroll
    for (int h = 0; h < S::kHiddenBlocks; ++h) {
#pragma unroll
        for (int s = 0; s < S::kChannelBlocks; ++s) {
            multiply(sums[s], hidden[h], S::F::load(weight, s * S::kHiddenBlocks + h, warp.lane));
        }
    }
}

/// sums += fc2 · gelu(fc1 · x)
template <class S, class W>
__device__ void add_products(MlpMemory<S> const& memory, MlpWarp<S> const& warp, W& weights, int parts,
                             MlpOperands<S> const& x, SumTile (&sums)[S::kChannelBlocks]) {
    SumTile sums_of_part[S::kHiddenBlocks];
    typename S::F hidden[S::kHiddenBlocks];
    if constexpr (S::kIsPipelined) {
        multiply_fc1(memory.fc1_bias, warp, weights.next(), x, sums_of_part);
        activate<typename S::Operand>(sums_of_part, hidden);
    }
    for (int part = S::kIsPipelined ? 1 : 0; part < parts; ++part) {
        Words const* const weight = weights.next();
        multiply_fc1(memory.fc1_bias + part * S::kHidden, warp, weight, x, sums_of_part);
        if constexpr (!S::kIsPipelined) activate<typename S::Operand>(sums_of_part, hidden);
        add_fc2(warp, weight + S::kPartWords, hidden, sums);
        if constexpr (S::kIsPipelined) activate<typename S::Operand>(sums_of_part, hidden);
    }
    if constexpr (S::kIsPipelined) add_fc2(warp, weights.next() + S::kPartWords, hidden, sums);
}

template <class S>
__global__ void __launch_bounds__(S::kThreads, S::kBlocksPerSm) fused_mlp_kernel(MlpArguments a) {
    MlpMemory<S> const memory(a, &dynamic_shared<unsigned char>());
    MlpPortions<S> const portions(a);
    std::int64_t const groups = (a.x.count() + S::kPixels - 1) / S::kPixels;
    int const rounds = static_cast<int>((groups - blockIdx.x + gridDim.x - 1) / gridDim.x);
    Weights<S::kStages, MlpPortions<S>> weights(portions, memory.weights, portions.slot(), rounds);
    memory.fill(a);
    __syncthreads();
    for (int round = 0; round < rounds; ++round) {
        MlpWarp<S> const warp(a, blockIdx.x + static_cast<std::int64_t>(round) * gridDim.x);
        MlpOperands<S> x(memory);
        SumTile sums[S::kChannelBlocks];
        read_pixels(a, memory, warp, x, sums);
        add_products(memory, warp, weights, portions.parts, x, sums);
        store_pixels(warp.rows(a.y), 0, a.x.c, a.y.vector, warp.t, sums);
    }
}

/// Shared memory that a block takes.
template <class S>
[[nodiscard]] std::size_t mlp_bytes(MlpArguments const& a) {
    return MlpMemory<S>(a, reinterpret_cast<unsigned char*>(kAnyAddress)).bytes;
}

template <class S>
void start_fused_mlp(void* stream, MlpArguments const& a) {
    std::size_t const bytes = mlp_bytes<S>(a);
    auto const kernel = fused_mlp_kernel<S>;
    std::int64_t const groups = divide_up(a.x.count(), S::kPixels);
    std::int64_t const blocks = std::min(groups, blocks_at_once(kernel, S::kThreads, bytes));
    start_shared(stream, kernel, blocks, S::kThreads, bytes, a);
}

}  // namespace vitrum::cuda
