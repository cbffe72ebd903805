// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "../kernels/row_tile.cuh"
#include "../kernels/rows.cuh"
#include "../kernels/scaled_halves.cuh"
#include "../product_layout.h"
#include "swin_range.cuh"

// Rows of pixels as left operands of row_product.cuh: normalised where there is a norm, and multiplied by a power of
// two of each row's own, so that float16 holds them whatever their range is.

namespace vitrum::cuda::hopper {

/// What is known of a row: what sums of its operands are to be divided by, and the power of two with which a layer
/// made of it stays in float16's range (see Hidden).
struct RowScales {
    float operands, hidden;
};

/// Of a lane's two rows of a product's sums, eight apart.
struct PairOfScales {
    RowScales of[2];
};

/// Operands [block of 64 rows][depth], in whole blocks of 128 rows.
struct RowOperands {
    std::byte* data;
    std::int64_t depth;

    [[nodiscard]] static std::int64_t bytes(std::int64_t rows, std::int64_t depth) {
        return round_up(rows, 2 * kProductRows) * depth * 2;
    }
    [[nodiscard]] __device__ std::byte* block(std::int64_t index) const {
        return data + index * (depth * kProductRows * 2);
    }
    /// Eight neighbours in depth of a row.
    [[nodiscard]] __device__ std::byte* octet(std::int64_t row, int first_k) const {
        return block(row / kProductRows) +
               product_index(first_k, static_cast<int>(row % kProductRows), kProductRows) * 2;
    }
};

/// Such rows in a workspace, as many at once as fit what one may take, and with them a layer made of them where there is
/// one.
struct RowParts {
    std::int64_t at_once;
    RowOperands x, hidden;
    RowScales* scales;
    std::size_t bytes;

    RowParts(std::int64_t rows, std::int64_t channels, std::int64_t hidden_channels, std::byte* workspace)
        : x{nullptr, ProductWeights(0, channels).depth}, hidden{nullptr, ProductWeights(0, hidden_channels).depth} {
        at_once = round_up(items_at_once(rows, (x.depth + hidden.depth) * 2), 2 * kProductRows);
        WorkspaceParts parts(workspace);
        x.data = parts.take<std::byte>(RowOperands::bytes(std::min(at_once, rows), x.depth));
        hidden.data = parts.take<std::byte>(RowOperands::bytes(std::min(at_once, rows), hidden.depth));
        scales = parts.take<RowScales>(at_once);
        bytes = parts.bytes();
    }
};

/// What bounds a layer made of such rows: each of its numbers is a row's product with a weight's row, plus a bias.
struct Hidden {
    SwinWeightInfo const* weight = nullptr;  ///< null: there is no such layer
    float const* largest_bias = nullptr;
    float const *largest_norm_weight = nullptr, *largest_norm_bias = nullptr;  ///< for the same bound of all rows

    /// The power of two for a layer of rows whose numbers' squares sum up to `squares`.
    [[nodiscard]] __device__ float scale(float squares, int channels) const {
        if (weight == nullptr) return 1.0F;
        float length = sqrtf(squares);
        if (largest_norm_weight != nullptr) {
            length = sqrtf(static_cast<float>(channels)) * (*largest_norm_weight + *largest_norm_bias);
        }
        return power_of_two_below(length * weight->row_norm + *largest_bias, 15);
    }
};

template <class Map>
struct Preparation {
    Matrix x;
    std::int64_t rows;
    int channels;
    Map map;                               ///< row to pixel; −1 is a row of zeros, also behind the norm
    float const *norm_weight, *norm_bias;  ///< packed, so that octets are aligned; null: no norm
    float epsilon;
    Hidden hidden;
    RowOperands to;
    RowScales* scales;

    /// Where eight channels of the row at that pixel lie; null: they are zeros. Maps whose rows are not one pixel each
    /// tell by themselves.
    [[nodiscard]] __device__ float const* octet(std::int64_t pixel, int k) const {
        if constexpr (requires { map.octet(x, pixel, k); }) return map.octet(x, pixel, k);
        else return x.at(pixel) + k;
    }
};

constexpr int kRowLanes = 16;

__device__ inline void load_octet(float (&to)[8], float const* from) {
    auto const* const quads = reinterpret_cast<float4 const*>(from);
    float4 const low = quads[0], high = quads[1];
    to[0] = low.x, to[1] = low.y, to[2] = low.z, to[3] = low.w;
    to[4] = high.x, to[5] = high.y, to[6] = high.z, to[7] = high.w;
}

/// Eight numbers times a power of two as operands.
[[nodiscard]] __device__ inline uint4 packed_octet(float const (&v)[8], float scale) {
    return make_uint4(Fp16::pack(v[0] * scale, v[1] * scale), Fp16::pack(v[2] * scale, v[3] * scale),
                      Fp16::pack(v[4] * scale, v[5] * scale), Fp16::pack(v[6] * scale, v[7] * scale));
}

/// A row of as many lanes: each has every kRowLanes-th octet of channels, kOctets in all.
template <int kOctets>
struct PreparedRow {
    float v[kOctets][8];
    int sub;  ///< which lane of the row

    [[nodiscard]] __device__ int first(int i) const { return 8 * (sub + kRowLanes * i); }

    /// `octet(k)`: where the eight channels from k on lie; null: they are zeros.
    template <class Octet>
    __device__ void load(int channels, Octet const& octet) {
#pragma unroll
        for (int i = 0; i < kOctets; ++i) {
            float const* const from = first(i) < channels ? octet(first(i)) : nullptr;
            if (from != nullptr) {
                load_octet(v[i], from);
            } else {
#pragma unroll
                for (float& value : v[i]) value = 0;
            }
        }
    }
    /// The variance is one around the mean.
    __device__ void normalise(float const* weight, float const* bias, int channels, float epsilon) {
        float const share = 1.0F / static_cast<float>(channels);
        float const mean = sum([](float x) { return x; }, channels) * share;
        float const variance = sum([&](float x) { return (x - mean) * (x - mean); }, channels) * share;
        float const factor = 1.0F / sqrtf(variance + epsilon);
#pragma unroll
        for (int i = 0; i < kOctets; ++i) {
            if (first(i) >= channels) continue;
            float w[8], b[8];
            load_octet(w, weight + first(i));
            load_octet(b, bias + first(i));
#pragma unroll
            for (int j = 0; j < 8; ++j) v[i][j] = fmaf((v[i][j] - mean) * factor, w[j], b[j]);
        }
    }
    [[nodiscard]] __device__ float largest() const {
        float most = 0;
#pragma unroll
        for (int i = 0; i < kOctets * 8; ++i) most = fmaxf(most, fabsf(v[i / 8][i % 8]));
#pragma unroll
        for (int lane = kRowLanes / 2; lane > 0; lane /= 2) {
            most = fmaxf(most, __shfl_xor_sync(0xFFFFFFFFU, most, lane));
        }
        return most;
    }
    /// Of f of each channel.
    template <class F>
    [[nodiscard]] __device__ float sum(F const& f, int channels) const {
        float total = 0;
#pragma unroll
        for (int i = 0; i < kOctets; ++i) {
            if (first(i) >= channels) continue;
#pragma unroll
            for (int j = 0; j < 8; ++j) total += f(v[i][j]);
        }
#pragma unroll
        for (int lane = kRowLanes / 2; lane > 0; lane /= 2) total += __shfl_xor_sync(0xFFFFFFFFU, total, lane);
        return total;
    }
    __device__ void store(RowOperands const& to, std::int64_t row, float scale) const {
#pragma unroll
        for (int i = 0; i < kOctets; ++i) {
            if (first(i) >= to.depth) continue;
            *reinterpret_cast<uint4*>(to.octet(row, first(i))) = packed_octet(v[i], scale);
        }
    }
};

constexpr int kPrepareThreads = 128;

template <int kOctets, class Map>
__global__ void __launch_bounds__(kPrepareThreads) prepare_kernel(__grid_constant__ Preparation<Map> const p) {
    let_next_start();
    std::int64_t const thread = static_cast<std::int64_t>(blockIdx.x) * kPrepareThreads + threadIdx.x;
    std::int64_t const row = thread / kRowLanes;
    PreparedRow<kOctets> own;
    own.sub = static_cast<int>(threadIdx.x) % kRowLanes;
    std::int64_t const pixel = row < p.rows ? p.map(row) : -1;
    await_previous();
    own.load(p.channels, [&](int k) { return pixel < 0 ? nullptr : p.octet(pixel, k); });
    if (p.norm_weight != nullptr && __any_sync(0xFFFFFFFFU, pixel >= 0)) {
        own.normalise(p.norm_weight, p.norm_bias, p.channels, p.epsilon);
        if (pixel < 0) own.load(p.channels, [](int) -> float const* { return nullptr; });
    }
    float const scale = row_scale(own.largest());
    own.store(p.to, row, scale);
    float const squares = own.sum([](float x) { return x * x; }, p.channels);
    if (own.sub == 0) p.scales[row] = {scale, p.hidden.scale(squares, p.channels)};
}

template <class Map>
void prepare(void* stream, Preparation<Map> const& p) {
    auto const run = [&]<int kOctets>() {
        start_shared<Start::early>(stream, prepare_kernel<kOctets, Map>,
                                   round_up(p.rows, 2 * kProductRows) * kRowLanes / kPrepareThreads, kPrepareThreads, 0,
                                   p);
    };
    constexpr int kStep = 8 * kRowLanes;
    if (p.to.depth <= 2 * kStep) run.template operator()<2>();
    else if (p.to.depth <= 3 * kStep) run.template operator()<3>();
    else if (p.to.depth <= 6 * kStep) run.template operator()<6>();
    else run.template operator()<kMostPrepared / kStep>();
}

}  // namespace vitrum::cuda::hopper
