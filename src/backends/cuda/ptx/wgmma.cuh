// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ptx/tensor_core.cuh>

// Hopper's asynchronous products of a warpgroup (PTX ISA, wgmma.mma_async m64nNk16): sums [64][N] += a [64][16] ·
// b [16][N] with operands of 16 bits and sums in float32. Warp w of the four has rows 16 w … 16 w + 15, laid out as
// those of multiply_add. In shared memory operands are 8 × 8 matrices of 128 contiguous bytes: a row of 16 bytes is one
// row of a, or one column of b, at eight neighbours in depth.

namespace vitrum::cuda::hopper {

/// What the instruction wants to know of an operand: address, bytes to the next 8 in depth and to the next 8 rows of a
/// or columns of b; no swizzle.
[[nodiscard]] __device__ inline std::uint64_t matrix_descriptor(std::uint32_t address, int to_next_depth,
                                                                int to_next_eight = 128) {
    return (address & 0x3FFFF) >> 4 | static_cast<std::uint64_t>(to_next_depth >> 4) << 16 |
           static_cast<std::uint64_t>(to_next_eight >> 4) << 32;
}

/// The same operand so many bytes further on. One addition, where a descriptor made anew takes four instructions that
/// wait for each other, longer than a small product takes.
[[nodiscard]] __device__ inline std::uint64_t further(std::uint64_t descriptor, int bytes) {
    return (descriptor & 0xFFFFFFFF00000000) | (static_cast<std::uint32_t>(descriptor) + (bytes >> 4));
}

/// sums = a · b + (`add` ? sums : 0), begun; a is four registers of operands.
template <int kColumns, class Operand = Fp16>
__device__ void begin_product(float (&sums)[kColumns / 2], std::uint32_t const* a, std::uint64_t b, int add);

/// The same with a in shared memory.
template <int kColumns, class Operand = Fp16>
__device__ void begin_product(float (&sums)[kColumns / 2], std::uint64_t a, std::uint64_t b, int add);

// clang-format off
#define VITRUM_SUMS(i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])

template <>
__device__ inline void begin_product<16>(float (&d)[8], std::uint32_t const* a, std::uint64_t b, int add) {
    asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, %13, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n16k16.f32.f16.f16 {"
        "%0, %1, %2, %3, %4, %5, %6, %7}, "
        "{%8, %9, %10, %11}, %12, add, 1, 1, 0;\n}"
        : VITRUM_SUMS(0), VITRUM_SUMS(4)
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add));
}
template <>
__device__ inline void begin_product<32>(float (&d)[16], std::uint32_t const* a, std::uint64_t b, int add) {
    asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, %21, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n32k16.f32.f16.f16 {"
        "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15}, "
        "{%16, %17, %18, %19}, %20, add, 1, 1, 0;\n}"
        : VITRUM_SUMS(0), VITRUM_SUMS(4), VITRUM_SUMS(8), VITRUM_SUMS(12)
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add));
}
template <>
__device__ inline void begin_product<48>(float (&d)[24], std::uint32_t const* a, std::uint64_t b, int add) {
    asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, %29, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n48k16.f32.f16.f16 {"
        "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, "
        "%20, %21, %22, %23}, "
        "{%24, %25, %26, %27}, %28, add, 1, 1, 0;\n}"
        : VITRUM_SUMS(0), VITRUM_SUMS(4), VITRUM_SUMS(8), VITRUM_SUMS(12), VITRUM_SUMS(16), VITRUM_SUMS(20)
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add));
}
template <>
__device__ inline void begin_product<64>(float (&d)[32], std::uint32_t const* a, std::uint64_t b, int add) {
    asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, %37, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n64k16.f32.f16.f16 {"
        "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, "
        "%20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, "
        "{%32, %33, %34, %35}, %36, add, 1, 1, 0;\n}"
        : VITRUM_SUMS(0), VITRUM_SUMS(4), VITRUM_SUMS(8), VITRUM_SUMS(12), VITRUM_SUMS(16), VITRUM_SUMS(20),
          VITRUM_SUMS(24), VITRUM_SUMS(28)
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add));
}
template <>
__device__ inline void begin_product<96>(float (&d)[48], std::uint32_t const* a, std::uint64_t b, int add) {
    asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, %53, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n96k16.f32.f16.f16 {"
        "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, "
        "%20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, %36, %37, %38, %39, "
        "%40, %41, %42, %43, %44, %45, %46, %47}, "
        "{%48, %49, %50, %51}, %52, add, 1, 1, 0;\n}"
        : VITRUM_SUMS(0), VITRUM_SUMS(4), VITRUM_SUMS(8), VITRUM_SUMS(12), VITRUM_SUMS(16), VITRUM_SUMS(20),
          VITRUM_SUMS(24), VITRUM_SUMS(28), VITRUM_SUMS(32), VITRUM_SUMS(36), VITRUM_SUMS(40), VITRUM_SUMS(44)
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add));
}
template <>
__device__ inline void begin_product<128>(float (&d)[64], std::uint32_t const* a, std::uint64_t b, int add) {
    asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, %69, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n128k16.f32.f16.f16 {"
        "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, "
        "%20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, %36, %37, %38, %39, "
        "%40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, "
        "%60, %61, %62, %63}, "
        "{%64, %65, %66, %67}, %68, add, 1, 1, 0;\n}"
        : VITRUM_SUMS(0), VITRUM_SUMS(4), VITRUM_SUMS(8), VITRUM_SUMS(12), VITRUM_SUMS(16), VITRUM_SUMS(20),
          VITRUM_SUMS(24), VITRUM_SUMS(28), VITRUM_SUMS(32), VITRUM_SUMS(36), VITRUM_SUMS(40), VITRUM_SUMS(44),
          VITRUM_SUMS(48), VITRUM_SUMS(52), VITRUM_SUMS(56), VITRUM_SUMS(60)
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add));
}
template <>
__device__ inline void begin_product<184>(float (&d)[92], std::uint32_t const* a, std::uint64_t b, int add) {
    asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, %97, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n184k16.f32.f16.f16 {"
        "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, "
        "%20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, %36, %37, %38, %39, "
        "%40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, "
        "%60, %61, %62, %63, %64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, "
        "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91}, "
        "{%92, %93, %94, %95}, %96, add, 1, 1, 0;\n}"
        : VITRUM_SUMS(0), VITRUM_SUMS(4), VITRUM_SUMS(8), VITRUM_SUMS(12), VITRUM_SUMS(16), VITRUM_SUMS(20),
          VITRUM_SUMS(24), VITRUM_SUMS(28), VITRUM_SUMS(32), VITRUM_SUMS(36), VITRUM_SUMS(40), VITRUM_SUMS(44),
          VITRUM_SUMS(48), VITRUM_SUMS(52), VITRUM_SUMS(56), VITRUM_SUMS(60), VITRUM_SUMS(64), VITRUM_SUMS(68),
          VITRUM_SUMS(72), VITRUM_SUMS(76), VITRUM_SUMS(80), VITRUM_SUMS(84), VITRUM_SUMS(88)
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add));
}
template <>
__device__ inline void begin_product<192>(float (&d)[96], std::uint32_t const* a, std::uint64_t b, int add) {
    asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, %101, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n192k16.f32.f16.f16 {"
        "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, "
        "%20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, %36, %37, %38, %39, "
        "%40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, "
        "%60, %61, %62, %63, %64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, "
        "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95}, "
        "{%96, %97, %98, %99}, %100, add, 1, 1, 0;\n}"
        : VITRUM_SUMS(0), VITRUM_SUMS(4), VITRUM_SUMS(8), VITRUM_SUMS(12), VITRUM_SUMS(16), VITRUM_SUMS(20),
          VITRUM_SUMS(24), VITRUM_SUMS(28), VITRUM_SUMS(32), VITRUM_SUMS(36), VITRUM_SUMS(40), VITRUM_SUMS(44),
          VITRUM_SUMS(48), VITRUM_SUMS(52), VITRUM_SUMS(56), VITRUM_SUMS(60), VITRUM_SUMS(64), VITRUM_SUMS(68),
          VITRUM_SUMS(72), VITRUM_SUMS(76), VITRUM_SUMS(80), VITRUM_SUMS(84), VITRUM_SUMS(88), VITRUM_SUMS(92)
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add));
}
template <>
__device__ inline void begin_product<24, Bf16>(float (&d)[12], std::uint32_t const* a, std::uint64_t b, int add) {
    asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, %17, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n24k16.f32.bf16.bf16 {"
        "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11}, "
        "{%12, %13, %14, %15}, %16, add, 1, 1, 0;\n}"
        : VITRUM_SUMS(0), VITRUM_SUMS(4), VITRUM_SUMS(8)
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add));
}
template <>
__device__ inline void begin_product<64, Bf16>(float (&d)[32], std::uint32_t const* a, std::uint64_t b, int add) {
    asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, %37, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {"
        "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, "
        "%20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, "
        "{%32, %33, %34, %35}, %36, add, 1, 1, 0;\n}"
        : VITRUM_SUMS(0), VITRUM_SUMS(4), VITRUM_SUMS(8), VITRUM_SUMS(12), VITRUM_SUMS(16), VITRUM_SUMS(20),
          VITRUM_SUMS(24), VITRUM_SUMS(28)
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add));
}
template <>
__device__ inline void begin_product<16>(float (&d)[8], std::uint64_t a, std::uint64_t b, int add) {
    asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, %10, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n16k16.f32.f16.f16 {"
        "%0, %1, %2, %3, %4, %5, %6, %7}, "
        "%8, %9, add, 1, 1, 0, 0;\n}"
        : VITRUM_SUMS(0), VITRUM_SUMS(4)
        : "l"(a), "l"(b), "r"(add));
}
template <>
__device__ inline void begin_product<64>(float (&d)[32], std::uint64_t a, std::uint64_t b, int add) {
    asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, %34, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n64k16.f32.f16.f16 {"
        "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, "
        "%20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, "
        "%32, %33, add, 1, 1, 0, 0;\n}"
        : VITRUM_SUMS(0), VITRUM_SUMS(4), VITRUM_SUMS(8), VITRUM_SUMS(12), VITRUM_SUMS(16), VITRUM_SUMS(20),
          VITRUM_SUMS(24), VITRUM_SUMS(28)
        : "l"(a), "l"(b), "r"(add));
}
template <>
__device__ inline void begin_product<128>(float (&d)[64], std::uint64_t a, std::uint64_t b, int add) {
    asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, %66, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n128k16.f32.f16.f16 {"
        "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, "
        "%20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, %36, %37, %38, %39, "
        "%40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, "
        "%60, %61, %62, %63}, "
        "%64, %65, add, 1, 1, 0, 0;\n}"
        : VITRUM_SUMS(0), VITRUM_SUMS(4), VITRUM_SUMS(8), VITRUM_SUMS(12), VITRUM_SUMS(16), VITRUM_SUMS(20),
          VITRUM_SUMS(24), VITRUM_SUMS(28), VITRUM_SUMS(32), VITRUM_SUMS(36), VITRUM_SUMS(40), VITRUM_SUMS(44),
          VITRUM_SUMS(48), VITRUM_SUMS(52), VITRUM_SUMS(56), VITRUM_SUMS(60)
        : "l"(a), "l"(b), "r"(add));
}
template <>
__device__ inline void begin_product<192>(float (&d)[96], std::uint64_t a, std::uint64_t b, int add) {
    asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, %98, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n192k16.f32.f16.f16 {"
        "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, "
        "%20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, %36, %37, %38, %39, "
        "%40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, "
        "%60, %61, %62, %63, %64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, "
        "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95}, "
        "%96, %97, add, 1, 1, 0, 0;\n}"
        : VITRUM_SUMS(0), VITRUM_SUMS(4), VITRUM_SUMS(8), VITRUM_SUMS(12), VITRUM_SUMS(16), VITRUM_SUMS(20),
          VITRUM_SUMS(24), VITRUM_SUMS(28), VITRUM_SUMS(32), VITRUM_SUMS(36), VITRUM_SUMS(40), VITRUM_SUMS(44),
          VITRUM_SUMS(48), VITRUM_SUMS(52), VITRUM_SUMS(56), VITRUM_SUMS(60), VITRUM_SUMS(64), VITRUM_SUMS(68),
          VITRUM_SUMS(72), VITRUM_SUMS(76), VITRUM_SUMS(80), VITRUM_SUMS(84), VITRUM_SUMS(88), VITRUM_SUMS(92)
        : "l"(a), "l"(b), "r"(add));
}
template <>
__device__ inline void begin_product<72>(float (&d)[36], std::uint64_t a, std::uint64_t b, int add) {
    asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, %38, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n72k16.f32.f16.f16 {"
        "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, "
        "%20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35}, "
        "%36, %37, add, 1, 1, 0, 0;\n}"
        : VITRUM_SUMS(0), VITRUM_SUMS(4), VITRUM_SUMS(8), VITRUM_SUMS(12), VITRUM_SUMS(16), VITRUM_SUMS(20),
          VITRUM_SUMS(24), VITRUM_SUMS(28), VITRUM_SUMS(32)
        : "l"(a), "l"(b), "r"(add));
}
template <>
__device__ inline void begin_product<24, Bf16>(float (&d)[12], std::uint64_t a, std::uint64_t b, int add) {
    asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, %14, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n24k16.f32.bf16.bf16 {"
        "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11}, "
        "%12, %13, add, 1, 1, 0, 0;\n}"
        : VITRUM_SUMS(0), VITRUM_SUMS(4), VITRUM_SUMS(8)
        : "l"(a), "l"(b), "r"(add));
}
#undef VITRUM_SUMS
// clang-format on

}  // namespace vitrum::cuda::hopper
