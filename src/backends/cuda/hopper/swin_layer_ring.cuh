// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "swin_attention.cuh"
#include "swin_feedforward.cuh"

// Weights of a whole Swin layer on their way through shared memory.

namespace vitrum::cuda::hopper {

/// Weights of both halves in one ring, in slots of what is needed together: a head's q, k and v with the projection of
/// the head before it, a chunk's first product with the second one of the chunk before it, and between the halves the
/// last projection with the first chunk. Each part of a slot is released by itself.
template <class W, int kGroups>
struct LayerRing {
    static constexpr int kItems = W::kHeads + W::kChunks + 1;  ///< of a tile
    static constexpr int kSlotBytes = std::max(W::kQkvBytes + W::kProjectionBytes, W::kFc1Bytes + W::kFc2Bytes);
    static_assert(W::kFc1Bytes <= W::kQkvBytes);
    using Slots = Ring<2, kItems, kSlotBytes>;
    Slots slots;

    __device__ explicit LayerRing(std::uint32_t at, std::uint32_t barriers) : slots(at, barriers) {}
    __device__ void init() const { slots.init(2 * kGroups); }

    struct Moving {
        static constexpr bool kStay = false;
    };
    /// What is named by an item lies in the slot `kBehind` further on.
    template <int kBehind, int kOffset>
    struct Part : Moving {
        Slots slots;

        __device__ Part(Slots const& of) : slots(of) {}

        [[nodiscard]] __device__ std::uint32_t slot(int item) const { return slots.slot(item + kBehind) + kOffset; }
        __device__ void wait_full(int item) const { slots.wait_full(item + kBehind); }
        __device__ void release(int item, Lane const& lane) const { slots.release(item + kBehind, lane); }
    };
    using Qkv = Part<0, 0>;
    using Projection = Part<1, W::kQkvBytes>;
    using Fc1 = Part<0, 0>;
    using Fc2 = Part<1, W::kFc1Bytes>;

    /// By one thread: what is needed together as the i-th of a tile.
    template <class Layer>
    __device__ void fill_slot(Layer const& layer, int item, int i, std::uint32_t barrier) const {
        std::uint32_t const at = slots.slot(item);
        int const chunk = i - W::kHeads;
        if (chunk < 0) load_bulk(at, layer.attention.qkv + i * W::kQkvBytes, W::kQkvBytes, barrier);
        else if (chunk < W::kChunks) load_bulk(at, layer.feedforward.fc1 + chunk * W::kFc1Bytes, W::kFc1Bytes, barrier);
        if (chunk > 0) {
            load_bulk(at + W::kFc1Bytes, layer.feedforward.fc2 + (chunk - 1) * W::kFc2Bytes, W::kFc2Bytes, barrier);
        } else if (i > 0) {
            load_bulk(at + W::kQkvBytes, layer.attention.projection + (i - 1) * W::kProjectionBytes,
                      W::kProjectionBytes, barrier);
        }
    }
    [[nodiscard]] __device__ std::uint32_t begin_fill(int item, int i) const {
        return slots.begin_fill(item, first_bytes(i) + second_bytes(i));
    }
    /// A round without a tile.
    template <class Order>
    __device__ void pass(int& item, Lane const& lane, Order const& order) const {
        for (int i = 0; i < kItems; ++i, ++item) {
            slots.wait_full(item);
            if (i < kItems - 1) order.await(), order.pass_on();
            __syncwarp();
            slots.release(item, lane);
            slots.release(item, lane);
        }
    }

private:
    [[nodiscard]] __device__ static int first_bytes(int i) {
        return i < W::kHeads ? W::kQkvBytes : i < W::kHeads + W::kChunks ? W::kFc1Bytes : 0;
    }
    [[nodiscard]] __device__ static int second_bytes(int i) {
        return i == 0 ? 0 : i <= W::kHeads ? W::kProjectionBytes : W::kFc2Bytes;
    }
};

}  // namespace vitrum::cuda::hopper
