// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

// Instructions of Hopper (sm_90a) that C++ has no words for: barriers in shared memory, bulk copies, warpgroup fences.
// Addresses of shared memory are those that tensor_core.cuh's shared_address gives.

namespace vitrum::cuda::hopper {

// ---- Barriers in shared memory: complete when all arrivals and all bytes expected are there. `parity`: 0 for the
// first completion, then 1, 0, …

__device__ inline void init_barrier(std::uint32_t barrier, int arrivals) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(arrivals) : "memory");
}
/// Before the first use by anyone else, with a barrier of the block behind it.
__device__ inline void publish_barriers() {
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}
__device__ inline void arrive(std::uint32_t barrier) {
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
}
__device__ inline void arrive_expecting(std::uint32_t barrier, int bytes) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes) : "memory");
}
__device__ inline void wait(std::uint32_t barrier, std::uint32_t parity) {
    asm volatile(
        "{\n"
        ".reg .pred done;\n"
        "again:\n"
        "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
        "@!done bra again;\n"
        "}" ::"r"(barrier),
        "r"(parity)
        : "memory");
}
/// Without waiting.
[[nodiscard]] __device__ inline bool is_complete(std::uint32_t barrier, std::uint32_t parity) {
    std::uint32_t done;
    asm volatile(
        "{\n"
        ".reg .pred is;\n"
        "mbarrier.test_wait.parity.shared::cta.b64 is, [%1], %2;\n"
        "selp.u32 %0, 1, 0, is;\n"
        "}"
        : "=r"(done)
        : "r"(barrier), "r"(parity)
        : "memory");
    return done != 0;
}
/// Of the threads that name the same `id` (1 … 15).
__device__ inline void named_barrier(int id, int threads) {
    asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
}
/// Without waiting for the others.
__device__ inline void arrive_at_named_barrier(int id, int threads) {
    asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

// ---- Bulk copies: multiples of 16 bytes at multiples of 16 bytes.

/// To shared memory; the barrier counts the bytes.
__device__ inline void load_bulk(std::uint32_t to, void const* from, int bytes, std::uint32_t barrier) {
    asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(to),
                 "l"(from), "r"(bytes), "r"(barrier)
                 : "memory");
}
/// To device memory, in the thread's current group.
__device__ inline void store_bulk(void* to, std::uint32_t from, int bytes) {
    asm volatile("cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], %2;" ::"l"(to), "r"(from), "r"(bytes)
                 : "memory");
}
/// To the second-level cache.
__device__ inline void prefetch_bulk(void const* from, int bytes) {
    asm volatile("cp.async.bulk.prefetch.L2.global [%0], %1;" ::"l"(from), "r"(bytes) : "memory");
}
__device__ inline void commit_stores() {
    asm volatile("cp.async.bulk.commit_group;" ::: "memory");
}
/// Until the thread's stores have read shared memory.
__device__ inline void wait_for_reads() {
    asm volatile("cp.async.bulk.wait_group.read 0;" ::: "memory");
}
__device__ inline void wait_for_stores() {
    asm volatile("cp.async.bulk.wait_group 0;" ::: "memory");
}
/// Makes this thread's writes to shared memory visible to bulk copies and to products that read it.
__device__ inline void fence_shared() {
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

// ---- Between blocks of one kernel: what bulk copies have stored, once the thread that made them has waited for them,
// and what those of another block load that has seen the counter.

/// Behind wait_for_stores() and before counters are added to; and between reading counters and bulk copies.
__device__ inline void fence_copies() {
    asm volatile("fence.proxy.async;" ::: "memory");
}
__device__ inline void add_released(int* counter, int what) {
    asm volatile("red.release.gpu.global.add.s32 [%0], %1;" ::"l"(counter), "r"(what) : "memory");
}
[[nodiscard]] __device__ inline int load_acquired(int const* counter) {
    int value;
    asm volatile("ld.acquire.gpu.global.s32 %0, [%1];" : "=r"(value) : "l"(counter) : "memory");
    return value;
}

// ---- Products of a warpgroup (wgmma.cuh)

__device__ inline void fence_products() {
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
__device__ inline void commit_products() {
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
template <int kLeft>
__device__ void wait_for_products() {
    asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kLeft) : "memory");
}

/// Behind a wait: neither the compiler's reads of sums move before it, nor do their or an operand's registers serve
/// anything else until here.
template <int kCount>
__device__ void settle(float (&sums)[kCount]) {
#pragma unroll
    for (float& sum : sums) asm volatile("" : "+f"(sum)::"memory");
}
template <int kCount>
__device__ void settle(std::uint32_t (&operand)[kCount]) {
#pragma unroll
    for (std::uint32_t& two : operand) asm volatile("" : "+r"(two)::"memory");
}

// ---- The rest

/// threadIdx.x, read at this place and not kept from an earlier one.
[[nodiscard]] __device__ inline int read_thread() {
    int thread;
    asm volatile("mov.u32 %0, %%tid.x;" : "=r"(thread));
    return thread;
}

/// Moves registers from warpgroups that copy to warpgroups that compute.
template <int kRegisters>
__device__ void take_registers() {
    asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kRegisters));
}
template <int kRegisters>
__device__ void give_registers() {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kRegisters));
}

/// The reverse of load_matrices: lane l gives the address of row l % 8 of matrix l / 8.
__device__ inline void store_matrices(std::uint32_t row, std::uint32_t a, std::uint32_t b, std::uint32_t c,
                                      std::uint32_t d) {
    asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(row), "r"(a), "r"(b), "r"(c),
                 "r"(d)
                 : "memory");
}
__device__ inline void store_matrices_transposed(std::uint32_t row, std::uint32_t a, std::uint32_t b, std::uint32_t c,
                                                 std::uint32_t d) {
    asm volatile("stmatrix.sync.aligned.m8n8.x4.trans.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(row), "r"(a), "r"(b),
                 "r"(c), "r"(d)
                 : "memory");
}

__device__ inline void load_shared(std::uint32_t (&to)[4], std::uint32_t from) {
    asm volatile("ld.shared.v4.b32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(from)
                 : "memory");
}

}  // namespace vitrum::cuda::hopper
