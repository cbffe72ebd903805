// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>

#include "vitrum/precision.h"

// Instructions that C++ has no words for. tests/cuda_emulation/include/ptx has the same for the host.

namespace vitrum::cuda {

// ---- Operands: a register holds two of 16 bits, the first in the lower half, or one in TF32.

struct Fp16 {
    static constexpr Precision kPrecision = Precision::fp16;
    static constexpr int kPerRegister = 2;
    [[nodiscard]] __device__ static std::uint32_t pack(float low, float high) {
        std::uint32_t bits;
        asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
        return bits;
    }
    [[nodiscard]] __device__ static float2 unpack(std::uint32_t bits) {
        return __half22float2(*reinterpret_cast<__half2 const*>(&bits));
    }
};

struct Bf16 {
    static constexpr Precision kPrecision = Precision::bf16;
    static constexpr int kPerRegister = 2;
    [[nodiscard]] __device__ static std::uint32_t pack(float low, float high) {
        std::uint32_t bits;
        asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
        return bits;
    }
    [[nodiscard]] __device__ static float2 unpack(std::uint32_t bits) {
        return make_float2(__uint_as_float(bits << 16), __uint_as_float(bits & 0xFFFF0000U));
    }
};

struct Tf32 {
    static constexpr Precision kPrecision = Precision::tf32;
    static constexpr int kPerRegister = 1;
    [[nodiscard]] __device__ static std::uint32_t pack(float value) {
        std::uint32_t bits;
        asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(value));
        return bits;
    }
    /// Cut off instead of rounded, which tensor cores do by themselves.
    [[nodiscard]] __device__ static std::uint32_t cut(float value) { return __float_as_uint(value); }
    [[nodiscard]] __device__ static float unpack(std::uint32_t bits) { return __uint_as_float(bits); }
};

// ---- Products of a warp (PTX ISA, mma.m16n8k16 and m16n8k8): sums [16][8] += a [16][depth] · b [depth][8], the depth
// being eight registers. Lane l = 4 g + t holds
//     a: row g, register t · row g + 8, register t · row g, register t + 4 · row g + 8, register t + 4
//     b: column g, register t · column g, register t + 4
//     sums: row g, columns 2 t and 2 t + 1 · row g + 8, the same columns.

template <class Operand>
__device__ void multiply_add(float (&sums)[4], std::uint32_t const (&a)[4], std::uint32_t const (&b)[2]);

template <>
__device__ inline void multiply_add<Fp16>(float (&sums)[4], std::uint32_t const (&a)[4], std::uint32_t const (&b)[2]) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
template <>
__device__ inline void multiply_add<Bf16>(float (&sums)[4], std::uint32_t const (&a)[4], std::uint32_t const (&b)[2]) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
template <>
__device__ inline void multiply_add<Tf32>(float (&sums)[4], std::uint32_t const (&a)[4], std::uint32_t const (&b)[2]) {
    asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// ---- Fragments from shared memory. A matrix is 8 rows of 16 bytes; `row` is the address of row l % 8 of matrix l / 8.
// Lane 4 g + t gets register t of row g of each matrix; transposed (16-bit operands only): elements 2 t and 2 t + 1 of
// column g.

[[nodiscard]] __device__ inline std::uint32_t shared_address(void const* p) {
    return static_cast<std::uint32_t>(__cvta_generic_to_shared(p));
}

__device__ inline void load_matrices(std::uint32_t (&to)[4], void const* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(shared_address(row))
                 : "memory");
}
__device__ inline void load_matrices_transposed(std::uint32_t (&to)[4], void const* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(shared_address(row))
                 : "memory");
}

// ---- Copies of 16 bytes from device to shared memory that go on while the thread computes.

__device__ inline void copy_async(void* shared, void const* from) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared_address(shared)), "l"(from) : "memory");
}
/// Zeros where there is nothing to read; `from` is then not touched.
__device__ inline void copy_async_or_zero(void* shared, void const* from, bool exists) {
    int const bytes = exists ? 16 : 0;
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(shared)), "l"(from), "r"(bytes)
                 : "memory");
}
/// Makes a group of this thread's copies since the last group.
__device__ inline void commit_copies() {
    asm volatile("cp.async.commit_group;" ::: "memory");
}
/// Waits until at most `kLeft` of this thread's groups are under way. Other threads see the bytes after a barrier.
template <int kLeft>
__device__ void wait_for_copies() {
    asm volatile("cp.async.wait_group %0;" ::"n"(kLeft) : "memory");
}

// ---- The rest

/// 2^x, good to 2 ulp.
[[nodiscard]] __device__ inline float exp2_approximate(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

/// The shared memory that the launch asked for (see start_shared).
template <class T>
[[nodiscard]] __device__ T& dynamic_shared() {
    extern __shared__ __align__(128) unsigned char dynamic_shared_bytes[];
    return *reinterpret_cast<T*>(dynamic_shared_bytes);
}

}  // namespace vitrum::cuda
