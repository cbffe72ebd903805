// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/backend.h"
#include "vitrum/precision.h"

// Weights as operands of 16 bits, made on the host in the order in which the lanes of a warp read them: blocks of 16
// rows × 16 columns, 512 bytes each, that hold 16 bytes for lane 0, then for lane 1, … (kernels/packed_fragments.cuh
// has the layout). Rows are a layer's outputs, columns its inputs. What the blocks exceed the weight by is zero.

namespace vitrum::cuda {

/// Blocks of 16 channels lie in a register file as their four columns of 4: lane 4 g + t holds channels 4 t … 4 t + 3,
/// so that a pixel is read and written by 16 bytes. The channel at a place of such a block.
[[nodiscard]] constexpr int channel_at(int place) {
    int const within = place % 16;
    return place - within + within % 8 / 2 * 4 + within / 8 * 2 + within % 2;
}

/// The sizes that a kernel was compiled for, in blocks of 16.
struct FragmentBlocks {
    int channels = 0;  ///< of a pixel
    int inner = 0;     ///< of a head, or of the hidden layer's part that is computed at once
};

/// [3C, C] of `heads` heads as [heads][q, k, v][inner][channels] blocks: inner × channels blocks for each product.
[[nodiscard]] Packing pack_qkv_fragments(int input, Shape const& shape, int heads, FragmentBlocks const& blocks,
                                         Precision precision);
/// [C, C] over the values of all heads as [channels][heads · inner] blocks.
[[nodiscard]] Packing pack_projection_fragments(int input, Shape const& shape, int heads, FragmentBlocks const& blocks,
                                                Precision precision);
/// [hidden, C] as [parts][inner][channels] blocks.
[[nodiscard]] Packing pack_fc1_fragments(int input, Shape const& shape, FragmentBlocks const& blocks,
                                         Precision precision);
/// [C, hidden] as [parts][channels][inner] blocks.
[[nodiscard]] Packing pack_fc2_fragments(int input, Shape const& shape, FragmentBlocks const& blocks,
                                         Precision precision);

}  // namespace vitrum::cuda
