// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ptx/hopper.cuh>
#include <ptx/tensor_core.cuh>
#include <ptx/wgmma.cuh>

#include "../kernels/device.cuh"
#include "../swin_layout.h"

// What Hopper's kernels share: warpgroups that multiply, and one more that brings what they need.

namespace vitrum::cuda::hopper {

constexpr int kGroup = 128;  // threads of a warpgroup

/// Of the warpgroup that copies, and of a computing one, so that all of them fit.
constexpr int kCopyRegisters = 24;
[[nodiscard]] constexpr int compute_registers(int groups) {
    return groups <= 2 ? 240 : groups == 3 ? 160 : 112;
}

/// The lane's place among the sums of its warpgroup.
struct Lane {
    int warp, row, quad;  ///< rows 16 · warp + row and 8 below; columns 2 · quad, 2 · quad + 1 of every eight

    __device__ Lane() : Lane(static_cast<int>(threadIdx.x)) {}
    /// From the thread's number read at this place: nothing that follows from it waits in registers that a loop lacks,
    /// or in local memory, which takes hundreds of cycles beside so much shared memory.
    [[nodiscard]] __device__ static Lane anew() { return Lane(read_thread()); }
    [[nodiscard]] __device__ bool first() const { return threadIdx.x % 32 == 0; }

private:
    __device__ explicit Lane(int thread) : warp(thread % kGroup / 32), row(thread % 32 / 4), quad(thread % 4) {}
};

/// By all kThreads threads of a block: weights that stay in shared memory, on their way until wait_for_copies().
template <int kThreads>
__device__ void copy_block_async(std::byte* to, std::byte const* from, int bytes) {
    for (int i = static_cast<int>(threadIdx.x) * 16; i < bytes; i += kThreads * 16) copy_async(to + i, from + i);
    commit_copies();
}

/// sums (+)= a · b, begun: `kSteps` sixteens of the depth, b being columns of `kOf`, packed by operand_index, from the
/// address of the first of them on.
template <int kColumns, int kSteps, int kOf = kColumns, class Operand = Fp16>
__device__ void begin_products(float (&sums)[kColumns / 2], std::uint32_t const* a, std::uint32_t b, bool add) {
    std::uint64_t const right = matrix_descriptor(b, kOf * 16);
#pragma unroll
    for (int k = 0; k < kSteps; ++k) {
        begin_product<kColumns, Operand>(sums, a + 4 * k, further(right, k * 2 * kOf * 16), add || k > 0);
    }
}

/// By all lanes, for all that each of them has done before (see each_tile() about racecheck).
__device__ inline void arrive_by_warp(std::uint32_t barrier) {
    __syncwarp();
    if (threadIdx.x % 32 == 0) arrive(barrier);
}

/// Slots of weights in shared memory that one warp fills in turn and all computing warpgroups empty. With as many slots
/// as weights nothing is ever emptied: they stay.
template <int kSlots, int kWeights, int kSlotBytes>
struct Ring {
    static constexpr int kBytes = kSlots * kSlotBytes;
    static constexpr int kBarrierBytes = 2 * 8 * kSlots;
    static constexpr bool kStay = kSlots == kWeights;
    std::uint32_t slots, full, empty;  ///< addresses; a barrier of 8 bytes for each slot

    __device__ Ring(std::uint32_t slots_, std::uint32_t barriers)
        : slots(slots_), full(barriers), empty(barriers + 8 * kSlots) {}

    __device__ void init(int groups) const {
        for (int i = 0; i < kSlots; ++i) {
            init_barrier(full + 8 * i, 1);
            init_barrier(empty + 8 * i, 4 * groups);
        }
    }
    [[nodiscard]] __device__ std::uint32_t slot(int item) const { return slots + item % kSlots * kSlotBytes; }
    __device__ void wait_full(int item) const { wait(full + item % kSlots * 8, kStay ? 0 : item / kSlots & 1); }
    /// By each computing warp.
    __device__ void release(int item, Lane const& lane) const {
        if (!kStay && lane.first()) arrive(empty + item % kSlots * 8);
    }
    /// By one thread: the weights of every round, one behind the other in memory.
    __device__ void fill(std::byte const* weights, int rounds) const {
        int const items = kStay ? kWeights : rounds * kWeights;
        for (int item = 0; item < items; ++item) {
            std::uint32_t const barrier = begin_fill(item, kSlotBytes);
            load_bulk(slot(item), weights + item % kWeights * kSlotBytes, kSlotBytes, barrier);
        }
    }
    /// Waits for the slot to be empty. Returns the barrier that is to count that many bytes.
    __device__ std::uint32_t begin_fill(int item, int bytes) const {
        std::uint32_t const barrier = full + item % kSlots * 8;
        if (!kStay) wait(empty + item % kSlots * 8, (item / kSlots & 1) ^ 1);
        arrive_expecting(barrier, bytes);
        return barrier;
    }
};

}  // namespace vitrum::cuda::hopper
