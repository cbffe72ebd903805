// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "device.cuh"

// softmax(q·kᵀ) · v in one pass over the keys: a thread holds one query and the running maximum, sum and weighted
// values; keys and values pass through shared memory.

namespace vitrum::cuda {

/// Keys in shared memory at once: two arrays of at most 16 KiB.
template <int kDim>
constexpr int kKeysAtOnce = kDim <= 64 ? 64 : 32;
constexpr int kKeysPerStep = 8;  // the sums are rescaled once for all of them

template <int kDim>
struct SharedKeys {
    alignas(16) float keys[kKeysAtOnce<kDim>][kDim];
    alignas(16) float values[kKeysAtOnce<kDim>][kDim];

    /// From the functions' addresses for key j; zeros beyond `count` and beyond `dim`.
    template <class Key, class Value>
    __device__ void fill(int count, int dim, Key const& key, Value const& value) {
        for (int i = static_cast<int>(threadIdx.x); i < kKeysAtOnce<kDim> * kDim; i += static_cast<int>(blockDim.x)) {
            int const j = i / kDim, d = i % kDim;
            bool const exists = j < count && d < dim;
            keys[j][d] = exists ? key(j)[d] : 0.0F;
            values[j][d] = exists ? value(j)[d] : 0.0F;
        }
    }
};

template <int kDim>
struct RunningSoftmax {
    float query[kDim];
    float sums[kDim];
    float largest = -INFINITY, total = 0;

    __device__ void begin(float const* q, int dim) {
#pragma unroll
        for (int d = 0; d < kDim; ++d) {
            query[d] = d < dim ? q[d] : 0.0F;
            sums[d] = 0;
        }
    }

    [[nodiscard]] __device__ float dot(float const* key) const {
        float sum = 0;
#pragma unroll
        for (int d = 0; d < kDim; d += 4) {
            float4 const k = *reinterpret_cast<float4 const*>(key + d);
            sum = fmaf(query[d], k.x, sum);
            sum = fmaf(query[d + 1], k.y, sum);
            sum = fmaf(query[d + 2], k.z, sum);
            sum = fmaf(query[d + 3], k.w, sum);
        }
        return sum;
    }

    __device__ void add(float weight, float const* value) {
        total += weight;
#pragma unroll
        for (int d = 0; d < kDim; d += 4) {
            float4 const v = *reinterpret_cast<float4 const*>(value + d);
            sums[d] = fmaf(weight, v.x, sums[d]);
            sums[d + 1] = fmaf(weight, v.y, sums[d + 1]);
            sums[d + 2] = fmaf(weight, v.z, sums[d + 2]);
            sums[d + 3] = fmaf(weight, v.w, sums[d + 3]);
        }
    }

    /// All keys in shared memory. logit(j, q·k) is what the softmax takes; −∞ leaves the key out.
    template <class Logit>
    __device__ void pass(SharedKeys<kDim> const& shared, int count, Logit const& logit) {
        for (int first = 0; first < count; first += kKeysPerStep) {
            float logits[kKeysPerStep];
            float most = largest;
#pragma unroll
            for (int j = 0; j < kKeysPerStep; ++j) {
                bool const exists = first + j < count;
                logits[j] = exists ? logit(first + j, dot(shared.keys[first + j])) : -INFINITY;
                most = fmaxf(most, logits[j]);
            }
            if (most == -INFINITY) continue;
            float const scale = expf(largest - most);
            largest = most;
            total *= scale;
#pragma unroll
            for (int d = 0; d < kDim; ++d) sums[d] *= scale;
#pragma unroll
            for (int j = 0; j < kKeysPerStep; ++j) add(expf(logits[j] - most), shared.values[first + j]);
        }
    }
};

/// Attention inside windows: a block per window and head. `Source` names what a block reads and writes:
///   int tokens, dim;  Item item(int64 block);  float const *query(Item, i), *key(Item, j), *value(Item, j);
///   float* result(Item, i);  float logit(Item, int i, int j, float dot).
/// A result may lie where its own query was.
template <int kDim, class Source>
__global__ void __launch_bounds__(256) window_attention_kernel(Source source) {
    __shared__ SharedKeys<kDim> shared;
    typename Source::Item const item = source.item(static_cast<std::int64_t>(blockIdx.x));
    int const threads = static_cast<int>(blockDim.x);
    for (int first_query = 0; first_query < source.tokens; first_query += threads) {
        int const i = first_query + static_cast<int>(threadIdx.x);
        bool const active = i < source.tokens;
        RunningSoftmax<kDim> softmax;
        if (active) softmax.begin(source.query(item, i), source.dim);
        for (int first = 0; first < source.tokens; first += kKeysAtOnce<kDim>) {
            int const count = min(kKeysAtOnce<kDim>, source.tokens - first);
            __syncthreads();
            shared.fill(
                count, source.dim, [&](int j) { return source.key(item, first + j); },
                [&](int j) { return source.value(item, first + j); });
            __syncthreads();
            if (!active) continue;
            softmax.pass(shared, count, [&](int j, float dot) { return source.logit(item, i, first + j, dot); });
        }
        if (!active) continue;
        float* const to = source.result(item, i);
        float const factor = 1.0F / softmax.total;
#pragma unroll
        for (int d = 0; d < kDim; ++d) {
            if (d < source.dim) to[d] = softmax.sums[d] * factor;
        }
    }
}

template <class Source>
void attend_in_windows(void* stream, std::int64_t blocks, Source const& source) {
    int const threads = attention_threads(source.tokens);
    switch (attention_dim(source.dim)) {
        case 16: return start(stream, window_attention_kernel<16, Source>, blocks, threads, source);
        case 32: return start(stream, window_attention_kernel<32, Source>, blocks, threads, source);
        case 64: return start(stream, window_attention_kernel<64, Source>, blocks, threads, source);
        default: return start(stream, window_attention_kernel<128, Source>, blocks, threads, source);
    }
}

/// Whether there is code for heads of that many channels.
[[nodiscard]] inline Support attention_support(std::int64_t dim) {
    if (attention_dim(dim) != 0) return {};
    return {false, fmt::format("heads of {} channels, more than 128", dim)};
}

}  // namespace vitrum::cuda
