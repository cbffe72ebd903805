// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "../kernels/gelu_for_operands.cuh"
#include "swin_range.cuh"

// Two products with GELU between them, the second half of a Swin layer, for one tile of a warpgroup.

namespace vitrum::cuda::hopper {

/// Where the vectors of the half lie in shared memory, in floats.
template <class W>
struct FeedforwardVectors {
    static constexpr int kFc2Bias = W::kChunks * W::kChunk;  ///< behind those of the hidden layer
    static constexpr int kNormWeight = kFc2Bias + W::kColumns;
    static constexpr int kNormBias = kNormWeight + W::kColumns;
    static constexpr int kFloats = kNormBias + W::kColumns;
};

/// As packed by the kernels' packings().
template <class W>
struct FeedforwardWeights {
    using V = FeedforwardVectors<W>;
    std::byte const *fc1 = nullptr, *fc2 = nullptr;
    Vector fc1_bias, fc2_bias, norm_weight, norm_bias;
    float epsilon = 0;

    FeedforwardWeights() = default;
    FeedforwardWeights(Mlp const& op, std::byte const* const* packed)
        : fc1(packed[0]),
          fc2(packed[1]),
          fc1_bias{floats(packed[2]), 0, V::kFc2Bias},
          fc2_bias{floats(packed[3]), V::kFc2Bias, W::kColumns},
          norm_weight{floats(packed[4]), V::kNormWeight, W::kColumns},
          norm_bias{floats(packed[5]), V::kNormBias, W::kColumns},
          epsilon(op.norm_epsilon) {}

    /// By one thread.
    __device__ void load_vectors(std::uint32_t to, std::uint32_t barrier) const {
        for (Vector const* const v : {&norm_weight, &norm_bias, &fc1_bias, &fc2_bias}) v->load(to, barrier);
    }
    [[nodiscard]] __device__ HalfBlockScales scales() const {
        return {norm_weight,
                norm_bias,
                fc1_bias,
                weight_info(fc1 + W::kChunks * W::kFc1Bytes),
                weight_info(fc2 + W::kChunks * W::kFc2Bytes),
                W::kChannels};
    }
    /// Once the vectors are there. The team synchronises behind it.
    template <class Team>
    __device__ void scale_vectors(float* vectors, HalfBlockScales const& by, Team const& team) const {
        norm_weight.scale(vectors, by.norm, team);
        norm_bias.scale(vectors, by.norm, team);
        fc2_bias.scale(vectors, by.output, team);
    }
};

/// One computing warpgroup. `Fc1` and `Fc2` are rings of weights, or parts of one.
template <class W, int kGroups, class Fc1, class Fc2>
struct Feedforward {
    using V = FeedforwardVectors<W>;
    static constexpr bool kAhead = kGroups <= 3;  ///< four warpgroups lack the registers
    Fc1 fc1_ring;
    Fc2 fc2_ring;
    float const* vectors;  ///< in shared memory
    HalfBlockScales scales;
    float epsilon;
    bool residual_is_x;
    int item;
    Order<kGroups> order;
    Lane lane;

    /// stream = x + fc2(gelu(fc1(norm(x)))), or without x.
    __device__ __forceinline__ void tile(Stream<W>& stream) {
        std::uint32_t x[W::kDepth / 4];
        stream.normalised(vectors + V::kNormWeight, vectors + V::kNormBias, epsilon, lane.quad, x);
        if (!residual_is_x) stream.clear();
        stream.scale(scales.output);
        stream.add(vectors + V::kFc2Bias, lane.quad);
        if (Fc1::kStay) item = 0;
        float sums[W::kChunk / 2];
        multiply_first(sums, x, item);
        std::uint32_t hidden[W::kChunk / 4];
#pragma unroll 1
        for (int chunk = 0; chunk < W::kChunks - 1; ++chunk, ++item) {
            activate(sums, chunk, hidden);
            if constexpr (kAhead) {
                multiply_both(stream.v, hidden, sums, x);
            } else {
                multiply_second(stream.v, hidden);
                multiply_first(sums, x, item + 1);
            }
        }
        activate(sums, W::kChunks - 1, hidden);
        multiply_second(stream.v, hidden);
        ++item;
        settle(stream.v);
        settle(x);
        stream.scale(1 / scales.output);
    }

private:
    using Sums = float[W::kChunk / 2];
    using Hidden = std::uint32_t[W::kChunk / 4];
    using Normalised = std::uint32_t[W::kDepth / 4];

    __device__ void begin_first(Sums& sums, Normalised const& x, int at) const {
        begin_products<W::kChunk, W::kDepth / 16>(sums, x, fc1_ring.slot(at), false);
    }
    __device__ void begin_second(float (&sums)[W::kColumns / 2], Hidden const& hidden) const {
        begin_products<W::kColumns, W::kChunk / 16>(sums, hidden, fc2_ring.slot(item), true);
    }
    __device__ void multiply_first(Sums& sums, Normalised const& x, int at) const {
        fc1_ring.wait_full(at);
        order.await();
        fence_products();
        begin_first(sums, x, at);
        commit_products();
        order.pass_on();
        wait_for_products<0>();
        settle(sums);
        fc1_ring.release(at, lane);
    }
    __device__ void multiply_second(float (&sums)[W::kColumns / 2], Hidden& hidden) const {
        fc2_ring.wait_full(item);
        fence_products();
        begin_second(sums, hidden);
        commit_products();
        wait_for_products<0>();
        settle(hidden);
        fc2_ring.release(item, lane);
    }
    /// A chunk's second product and the next one's first: one wait for both.
    __device__ void multiply_both(float (&to)[W::kColumns / 2], Hidden& hidden, Sums& sums, Normalised const& x) const {
        fc2_ring.wait_full(item);
        fc1_ring.wait_full(item + 1);
        order.await();
        fence_products();
        begin_second(to, hidden);
        begin_first(sums, x, item + 1);
        commit_products();
        order.pass_on();
        wait_for_products<0>();
        settle(sums);
        settle(hidden);
        fc2_ring.release(item, lane);
        fc1_ring.release(item + 1, lane);
    }
    __device__ void activate(Sums const& sums, int chunk, Hidden& hidden) const {
        float const* const bias = vectors + chunk * W::kChunk + 2 * lane.quad;
#pragma unroll
        for (int i = 0; i < W::kChunk / 4; ++i) {
            float2 const b = *reinterpret_cast<float2 const*>(bias + i / 2 * 8);
            hidden[i] = Fp16::pack(gelu_by_tanh(fmaf(sums[2 * i], scales.sums, b.x), scales.values),
                                   gelu_by_tanh(fmaf(sums[2 * i + 1], scales.sums, b.y), scales.values));
        }
    }
};

}  // namespace vitrum::cuda::hopper
