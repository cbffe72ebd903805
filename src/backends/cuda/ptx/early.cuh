// SPDX-License-Identifier: Apache-2.0
#pragma once

// Instructions of kernels that begin before the one before them has ended (Start::early), which GPUs have from Hopper
// on; elsewhere there is nothing to wait for. (PTX manual, griddepcontrol)

namespace vitrum::cuda {

/// Lets the next kernel's blocks begin where this one's leave room.
__device__ inline void let_next_start() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}
/// Until the kernel before this one has ended, and what it wrote is seen. By every block, else a later kernel could
/// begin before an earlier one has ended.
__device__ inline void await_previous() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}
/// Asks for what lies there to come to the second-level cache.
__device__ inline void prefetch_line(void const* from) {
#if __CUDA_ARCH__ >= 800
    asm volatile("prefetch.global.L2 [%0];" ::"l"(from));
#endif
}
/// What a kernel that starts early does first, but for what no other kernel writes: weights.
__device__ inline void take_turn() {
    let_next_start();
    await_previous();
}

}  // namespace vitrum::cuda
