// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ptx/tensor_core.cuh>

#include "../fragments.h"
#include "device.cuh"
#include "gelu_for_operands.cuh"

// Tensor-core products whose operands are quads of channels (see fragments.h), alike for all kinds of operands.

namespace vitrum::cuda {

/// float32 as the sum of two TF32 operands, of which three products are taken: within 2^-21 of a float32 product.
struct Split {};

/// Lane 4 g + t: channels 4 t … 4 t + 3 of rows g and g + 8.
struct Quads {
    float v[2][4];

    __device__ void set(int row, float4 quad) {
        v[row][0] = quad.x, v[row][1] = quad.y, v[row][2] = quad.z, v[row][3] = quad.w;
    }
    [[nodiscard]] __device__ float4 quad(int row) const {
        return make_float4(v[row][0], v[row][1], v[row][2], v[row][3]);
    }
};

/// TF32 whose left operands are cut off, not rounded, which would take three instructions a number.
struct CutTf32 {};

/// 16 rows × 16 channels as the left operand, and 16 channels × 8 columns as the right one.
template <class Operand>
struct Left;
template <class Operand>
struct Right;

template <>
struct Left<Fp16> {
    std::uint32_t a[4];
    Left() = default;
    explicit __device__ Left(Quads const& q)
        : a{Fp16::pack(q.v[0][0], q.v[0][1]), Fp16::pack(q.v[1][0], q.v[1][1]), Fp16::pack(q.v[0][2], q.v[0][3]),
            Fp16::pack(q.v[1][2], q.v[1][3])} {}
};
template <>
struct Right<Fp16> {
    static constexpr FragmentKind kKind = FragmentKind::half;
    std::uint32_t b[2];
    __device__ void load(std::uint32_t const* tile, int lane) {
        auto const v = *reinterpret_cast<uint2 const*>(tile + 2 * lane);
        b[0] = v.x, b[1] = v.y;
    }
};
__device__ inline void multiply_add(float (&sums)[4], Left<Fp16> const& left, Right<Fp16> const& right) {
    multiply_add<Fp16>(sums, left.a, right.b);
}

template <>
struct Left<Tf32> {
    std::uint32_t a[2][4];
    Left() = default;
    explicit __device__ Left(Quads const& q) {
#pragma unroll
        for (int i = 0; i < 8; ++i) a[i / 4][i % 4] = Tf32::pack(q.v[i % 2][i / 4 * 2 + i % 4 / 2]);
    }
};
template <>
struct Right<Tf32> {
    static constexpr FragmentKind kKind = FragmentKind::tf32;
    std::uint32_t b[2][2];
    __device__ void load(std::uint32_t const* tile, int lane) {
        auto const v = *reinterpret_cast<uint4 const*>(tile + 4 * lane);
        b[0][0] = v.x, b[0][1] = v.y, b[1][0] = v.z, b[1][1] = v.w;
    }
};
template <>
struct Left<CutTf32> : Left<Tf32> {
    Left() = default;
    explicit __device__ Left(Quads const& q) {
#pragma unroll
        for (int i = 0; i < 8; ++i) a[i / 4][i % 4] = Tf32::cut(q.v[i % 2][i / 4 * 2 + i % 4 / 2]);
    }
};
template <>
struct Right<CutTf32> : Right<Tf32> {};
__device__ inline void multiply_add(float (&sums)[4], Left<Tf32> const& left, Right<Tf32> const& right) {
    multiply_add<Tf32>(sums, left.a[0], right.b[0]);
    multiply_add<Tf32>(sums, left.a[1], right.b[1]);
}

template <>
struct Left<Split> {
    Left<Tf32> high, low;
    Left() = default;
    explicit __device__ Left(Quads const& q) : high(q) {
        Quads rest;
#pragma unroll
        for (int i = 0; i < 8; ++i) {
            float& from = rest.v[i % 2][i / 4 * 2 + i % 4 / 2];
            from = q.v[i % 2][i / 4 * 2 + i % 4 / 2] - Tf32::unpack(high.a[i / 4][i % 4]);
        }
        low = Left<Tf32>(rest);
    }
};
template <>
struct Right<Split> {
    static constexpr FragmentKind kKind = FragmentKind::split;
    Right<Tf32> high, low;
    __device__ void load(std::uint32_t const* tile, int lane) {
        high.load(tile, lane);
        low.load(tile + kWarpLanes * 4, lane);
    }
};
__device__ inline void multiply_add(float (&sums)[4], Left<Split> const& left, Right<Split> const& right) {
    multiply_add(sums, left.low, right.high);
    multiply_add(sums, left.high, right.low);
    multiply_add(sums, left.high, right.high);
}

/// Words from one tile of a packed weight to the next step's.
template <class Operand>
constexpr int kFragmentWords = static_cast<int>(Right<Operand>::kKind) * kWarpLanes;

/// The results of two tiles of columns: lane 4 g + t has columns 4 t … 4 t + 3 of 16, rows g and g + 8.
struct SumQuads {
    float tiles[2][4];

    [[nodiscard]] __device__ float4 quad(int row) const {
        return make_float4(tiles[0][2 * row], tiles[0][2 * row + 1], tiles[1][2 * row], tiles[1][2 * row + 1]);
    }
};

/// GELU as exact as float32, or as operands of ten bits of fraction are.
template <class Operand>
[[nodiscard]] __device__ float gelu_for(float x) {
    return std::is_same_v<Operand, Split> ? gelu(x) : gelu_by_tanh(x);
}
template <class Operand>
[[nodiscard]] __device__ float4 gelu_for(float4 v) {
    return make_float4(gelu_for<Operand>(v.x), gelu_for<Operand>(v.y), gelu_for<Operand>(v.z), gelu_for<Operand>(v.w));
}

[[nodiscard]] __device__ inline float4 multiply_add(float4 a, float4 b, float4 c) {
    return make_float4(fmaf(a.x, b.x, c.x), fmaf(a.y, b.y, c.y), fmaf(a.z, b.z, c.z), fmaf(a.w, b.w, c.w));
}

// ---- Many quads at once. A load inside of a branch is waited for before the next one is issued, so these have none.

/// Channels of a pixel from `from` on, `count` of them; zeros where there are none.
struct QuadAt {
    float const* from;
    int count;
};

[[nodiscard]] __device__ inline float4 first_of(float4 v, int count) {
    return make_float4(count > 0 ? v.x : 0.0F, count > 1 ? v.y : 0.0F, count > 2 ? v.z : 0.0F, count > 3 ? v.w : 0.0F);
}

/// `safe`: any row's beginning, read in place of what does not exist.
template <int kCount>
__device__ void load_quads(float4 (&to)[kCount], QuadAt const (&at)[kCount], Matrix const& safe) {
    if (safe.vector) {
#pragma unroll
        for (int i = 0; i < kCount; ++i) {
            to[i] = *reinterpret_cast<float4 const*>(at[i].count > 0 ? at[i].from : safe.data);
        }
#pragma unroll
        for (int i = 0; i < kCount; ++i) to[i] = first_of(to[i], at[i].count);
    } else {
#pragma unroll
        for (int i = 0; i < kCount; ++i) to[i] = load4(at[i].from, at[i].count, false);
    }
}

/// Channels of a pixel from `from` on, `count` of them, where the pixel exists.
struct PixelQuad {
    float const* from;
    int count;
    bool exists;
};

/// Loads without a look at what comes, so that nothing waits for them. Zeros where there is nothing at all, but
/// anything behind the last channel (see known_of).
template <int kCount>
__device__ void fetch_pixels(float4 (&to)[kCount], PixelQuad const (&at)[kCount], bool vector) {
    if (vector) {
#pragma unroll
        for (int i = 0; i < kCount; ++i) {
            to[i] = make_float4(0, 0, 0, 0);
            if (at[i].exists && at[i].count > 0) to[i] = *reinterpret_cast<float4 const*>(at[i].from);
        }
    } else {
#pragma unroll
        for (int i = 0; i < kCount; ++i) to[i] = load4(at[i].from, at[i].exists ? at[i].count : 0, false);
    }
}

/// A quad that fetch_pixels brought, with zeros behind the last channel.
[[nodiscard]] __device__ inline float4 known_of(float4 v, int count) {
    return make_float4(v.x, count > 1 ? v.y : 0.0F, count > 2 ? v.z : 0.0F, count > 3 ? v.w : 0.0F);
}

/// Of a vector, which need not be aligned.
[[nodiscard]] __device__ inline float4 load_some(float const* from, int count) {
    return make_float4(count > 0 ? from[0] : 0.0F, count > 1 ? from[1] : 0.0F, count > 2 ? from[2] : 0.0F,
                       count > 3 ? from[3] : 0.0F);
}

}  // namespace vitrum::cuda
