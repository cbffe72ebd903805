// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "../kernels/halo_tile.cuh"
#include "../shift_layout.h"
#include "tiles.cuh"

// What a block of ELAN's local feature extraction has: arguments, tiles, shared memory.

namespace vitrum::cuda::hopper {

struct ShiftArguments {
    Pixels x, y;
    Matrix residual;
    std::byte const *fc1, *fc2;  ///< see ShiftWidth
    float const *bias1, *bias2;
    TileGrid grid;
    int tiles;
};

struct ShiftTile {
    static constexpr int kRows = 8, kColumns = 8, kSide = kRows + 2, kPixels = kSide * kSide;
    static constexpr int kPlane = (kPixels + 1) * 16;  ///< of eight channels; eight planes begin in different banks
};

/// Shared memory: rings of weights, the shifted x of each warpgroup [part][eight channels][pixel], biases, barriers.
template <class W, int kGroups_, int kFirstSlots, int kSecondSlots>
struct ShiftLayout {
    static constexpr int kGroups = kGroups_;
    using First = Ring<kFirstSlots, W::kChunks, W::kFirstBytes>;
    using Second = Ring<kSecondSlots, W::kChunks, W::kSecondBytes>;
    static constexpr int kPartBytes = W::kDepth / 8 * ShiftTile::kPlane, kTileBytes = W::kParts * kPartBytes;
    static constexpr int kSecond = First::kBytes, kTiles = kSecond + Second::kBytes;
    static constexpr int kLargest = kTiles + kGroups * kTileBytes;  ///< [group][warp], floats
    static constexpr int kBiases = kLargest + kGroups * 16;  ///< of the hidden layer, then of the results; floats
    static constexpr int kBiasFloats = W::kHidden + W::kChannels;
    static constexpr int kBarriers = kBiases + kBiasFloats * 4;
    static constexpr int kBytes = kBarriers + First::kBarrierBytes + Second::kBarrierBytes;
    static constexpr int kThreads = (kGroups + 1) * kGroup;  ///< with the warps that bring weights
    static_assert(kBytes <= 227 << 10 && W::kFirstBytes % 16 == 0 && W::kSecondBytes % 16 == 0 && kBarriers % 8 == 0);
};

}  // namespace vitrum::cuda::hopper
