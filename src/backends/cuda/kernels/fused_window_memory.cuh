// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "packed_fragments.cuh"
#include "windows.cuh"

// What the fused window attention is launched with and compiled for, and where its blocks keep what (fused_window.cuh).

namespace vitrum::cuda {

constexpr int kWindowRows = 64;  // of the products, whatever the window's size
constexpr int kWindowWarps = 4;  // one per 16 rows
constexpr float kLog2E = 1.4426950408889634F;

struct WindowArguments {
    Pixels x{}, y{}, residual{};
    Windows windows;
    std::int64_t count = 0;  ///< windows of all pictures
    int heads = 0, dim = 0;
    float scale = 0, epsilon = 0;
    float const *norm_weight = nullptr, *norm_bias = nullptr;  ///< null: no norm
    float const* qkv_bias = nullptr;                           ///< or null
    float const *bias_table = nullptr, *proj_bias = nullptr;
    Words const *qkv = nullptr, *proj = nullptr;

    [[nodiscard]] __host__ __device__ int side() const { return 2 * windows.window - 1; }
};

/// What a kernel is compiled for.
/// @tparam Operand_         Fp16, Tf32 or Tf32Pair
/// @tparam kChannelBlocks_  16 channels each
/// @tparam kDimBlocks_      16 channels of a head each
/// @tparam kStages_         portions of weights in shared memory; 0: all weights
/// @tparam kWindows_        of a thread block
/// @tparam kIsEight_        windows of 8 × 8 only, whose bias has simpler addresses
template <class Operand_, int kChannelBlocks_, int kDimBlocks_, int kStages_, int kWindows_, int kBlocksPerSm_,
          bool kIsEight_>
struct WindowShape {
    using Operand = Operand_;
    using F = Fragment<Operand>;
    static constexpr int kChannelBlocks = kChannelBlocks_, kDimBlocks = kDimBlocks_, kStages = kStages_;
    static constexpr int kWindows = kWindows_, kBlocksPerSm = kBlocksPerSm_;
    static constexpr bool kIsEight = kIsEight_;
    static constexpr int kThreads = kWindows * kWindowWarps * kWarp;
    static constexpr int kChannels = 16 * kChannelBlocks, kDim = 16 * kDimBlocks;
    /// q, k and v are one portion where they are small. Then there is one barrier per head, and keys and values of the
    /// next head may come before those of this one are used up.
    static constexpr bool kTogether = kDimBlocks == 1;
    static constexpr int kKeyBuffers = kTogether ? 2 : 1;
    static constexpr int kProjBlocks = 2;  ///< columns of a portion of the projection
    static constexpr int kProducts = kTogether ? 3 : 1;
    static constexpr int kProductWords = kProducts * kDimBlocks * kChannelBlocks * F::kBlock;
    static_assert(kChannelBlocks % kProjBlocks == 0);
};

template <class S>
struct WindowPortions {
    Words const *qkv, *proj;
    int products, proj_words, count;

    __host__ __device__ explicit WindowPortions(WindowArguments const& a)
        : qkv(a.qkv),
          proj(a.proj),
          products(a.heads * 3 / S::kProducts),
          proj_words(S::kProjBlocks * a.heads * S::kDimBlocks * S::F::kBlock),
          count(products + S::kChannelBlocks / S::kProjBlocks) {}
    [[nodiscard]] __host__ __device__ int slot() const {
        return proj_words > S::kProductWords ? proj_words : S::kProductWords;
    }
    __device__ void fetch(int portion, Words* to) const {
        bool const is_product = portion < products;
        Words const* const from =
            is_product ? qkv + portion * S::kProductWords : proj + (portion - products) * proj_words;
        copy_words_async<S::kThreads>(to, from, is_product ? S::kProductWords : proj_words);
    }
};

/// Where what is in shared memory.
template <class S>
struct WindowMemory {
    Words* weights;
    Words* attended;  ///< [warp][head][dim block]
    Words* keys;      ///< [buffer][window][keys, values][token block][dim block]
    float *norm_weight, *norm_bias, *proj_bias;
    float *query_bias, *value_bias;  ///< [head][kDim]
    float* bias;                     ///< [head][side²], for 2^x
    int* key_offsets;                ///< of each token within a bias table
    std::size_t bytes;

    __host__ __device__ WindowMemory(WindowArguments const& a, unsigned char* start) {
        std::size_t used = 0;
        auto const take = [&]<class T>(T*& part, int count) {
            part = reinterpret_cast<T*>(start + used);
            used += (static_cast<std::size_t>(count) * sizeof(T) + 15) / 16 * 16;
        };
        WindowPortions<S> const portions(a);
        take(weights, (S::kStages == 0 ? portions.count : S::kStages) * portions.slot());
        take(attended, S::kWindows * kWindowWarps * a.heads * S::kDimBlocks * S::F::kBlock);
        take(keys, S::kKeyBuffers * S::kWindows * 2 * kWindowWarps * S::kDimBlocks * S::F::kBlock);
        take(norm_weight, S::kChannels);
        take(norm_bias, S::kChannels);
        take(proj_bias, S::kChannels);
        take(query_bias, a.heads * S::kDim);
        take(value_bias, a.heads * S::kDim);
        take(bias, a.heads * a.side() * a.side());
        take(key_offsets, kWindowRows);
        bytes = used;
    }

    __device__ void fill(WindowArguments const& a) const {
        int const c = a.x.c, table = a.side() * a.side(), window = a.windows.window;
        copy_padded(norm_weight, a.norm_weight, c, S::kChannels);
        copy_padded(norm_bias, a.norm_bias, c, S::kChannels);
        copy_padded(proj_bias, a.proj_bias, c, S::kChannels);
        for (int i = static_cast<int>(threadIdx.x); i < a.heads * S::kDim; i += S::kThreads) {
            int const head = i / S::kDim, d = i % S::kDim;
            bool const exists = d < a.dim && a.qkv_bias != nullptr;
            query_bias[i] = exists ? a.qkv_bias[head * a.dim + d] : 0.0F;
            value_bias[i] = exists ? a.qkv_bias[2 * c + head * a.dim + d] : 0.0F;
        }
        for (int i = static_cast<int>(threadIdx.x); i < a.heads * table; i += S::kThreads) {
            bias[i] = a.bias_table[i % table * a.heads + i / table] * kLog2E;
        }
        for (int i = static_cast<int>(threadIdx.x); i < kWindowRows; i += S::kThreads) {
            key_offsets[i] = i / window * a.side() + i % window;
        }
    }
};

}  // namespace vitrum::cuda
