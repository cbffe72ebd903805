// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gemm.cuh"
#include "windows.cuh"

// Loaders and stores whose rows are pixels or rows of a buffer.

namespace vitrum::cuda {

// ---- Which pixel a row of the product is.

struct InOrder {
    [[nodiscard]] __host__ __device__ std::int64_t operator()(std::int64_t m) const { return m; }
};

// ---- LayerNorm on the way: its moments are computed before.

struct Moments {
    float mean, factor;
};

struct Norm {
    Moments const* moments = nullptr;  ///< of each pixel; null: no normalisation
    float const* weight = nullptr;
    float const* bias = nullptr;

    /// Channels c … c + 3, of which `count` exist.
    [[nodiscard]] __device__ float4 apply(float4 v, Moments m, int c, int count) const {
        return quad(c, count).apply(v, m);
    }

    /// What four channels need; zeros for those that do not exist.
    struct Quad {
        float4 weight, bias;

        [[nodiscard]] __device__ float4 apply(float4 v, Moments m) const {
            return make_float4(
                (v.x - m.mean) * m.factor * weight.x + bias.x, (v.y - m.mean) * m.factor * weight.y + bias.y,
                (v.z - m.mean) * m.factor * weight.z + bias.z, (v.w - m.mean) * m.factor * weight.w + bias.w);
        }
    };
    [[nodiscard]] __device__ Quad quad(int c, int count) const {
        return {fetch4(weight + c, count, false), fetch4(bias + c, count, false)};
    }
};

/// What a loader has for products of quads as they come.
struct PlainQuad {
    int first, count;  ///< the channel, and how many there are from it on
};

/// Rows of pixels, normalised or not. Pixel −1 is zero, also after the norm.
template <class Map>
struct RowLoad {
    Matrix x;
    int channels;
    Norm norm;
    Map map;

    struct Row {
        float const* data;
        Moments moments;
    };
    [[nodiscard]] __device__ Row row(std::int64_t m) const {
        std::int64_t const pixel = map(m);
        if (pixel < 0) return {nullptr, {}};
        return {x.at(pixel), norm.moments == nullptr ? Moments{} : norm.moments[pixel]};
    }
    struct Quad : PlainQuad {
        Norm::Quad norm;
    };
    [[nodiscard]] __device__ Quad quad(int k) const {
        Quad quad{{k, channels - k}, {}};
        if (norm.moments != nullptr) quad.norm = norm.quad(k, channels - k);
        return quad;
    }
    using Raw = float4;
    [[nodiscard]] __device__ Raw fetch(Row const& row, Quad const& quad) const {
        return fetch4(row.data + quad.first, row.data == nullptr ? 0 : quad.count, x.vector);
    }
    [[nodiscard]] __device__ float4 finish(Row const& row, Quad const& quad, Raw const& raw) const {
        float4 const v = norm.moments == nullptr ? raw : quad.norm.apply(raw, row.moments);
        return first4(v, row.data == nullptr ? 0 : quad.count);
    }
};

[[nodiscard]] inline RowLoad<InOrder> rows_of(Matrix const& x, int channels, Norm const& norm = {}) {
    return {x, channels, norm, {}};
}

// ---- What follows a product.

/// Bias, activation and residual, in the order that the operator wants.
struct Finish {
    float const* bias = nullptr;
    Activation activation = Activation::none;
    float negative_slope = 0;
    bool residual_first = false;  ///< before the activation

    /// The bias of four columns.
    [[nodiscard]] __device__ float4 bias_of(int column, int columns) const {
        return bias == nullptr ? make_float4(0, 0, 0, 0) : load4(bias + column, columns - column, false);
    }
    [[nodiscard]] __device__ float4 operator()(float4 sums, float4 own_bias, float4 residual) const {
        float4 v = sums + own_bias;
        if (residual_first) v = v + residual;
        if (activation != Activation::none) {
            v = each(v, [&](float x, int) { return activate(activation, negative_slope, x); });
        }
        return residual_first ? v : v + residual;
    }
};

/// Four columns of a product and their bias.
struct BiasedColumn {
    int first;
    float4 bias;
};

/// Stores rows of pixels; pixel −1 is dropped. The residual may be the output itself.
template <class Map>
struct RowStore {
    Matrix y, residual;
    int columns;
    Finish finish;
    Map map;

    struct Row {
        float* y;
        float const* residual;
    };
    [[nodiscard]] __device__ Row row(std::int64_t m) const {
        std::int64_t const pixel = map(m);
        if (pixel < 0) return {nullptr, nullptr};
        return {y.at(pixel), residual.data == nullptr ? nullptr : residual.at(pixel)};
    }
    using Column = BiasedColumn;
    [[nodiscard]] __device__ Column column(int first) const { return {first, finish.bias_of(first, columns)}; }
    using Raw = float4;
    [[nodiscard]] __device__ Raw fetch(Row const& row, Column const& at) const {
        return fetch4(row.residual + at.first, row.residual == nullptr ? 0 : columns - at.first, residual.vector);
    }
    __device__ void store(Row const& row, Column const& at, Raw const& added, float4 sums) const {
        if (row.y == nullptr) return;
        store4(row.y + at.first, finish(sums, at.bias, added), columns - at.first, y.vector);
    }
};

[[nodiscard]] inline RowStore<InOrder> rows_to(Matrix const& y, int columns, Finish const& finish = {},
                                               Matrix const& residual = {}) {
    return {y, residual, columns, finish, {}};
}

// ---- The moments that Norm applies.

constexpr int kRowsPerBlock = 8;  // a warp each

/// Mean and 1 / sqrt(variance + epsilon) of a warp's row, the variance around the mean. `Load` gives raw channels, and
/// width(k) how many of the quad at k exist.
template <class Load>
[[nodiscard]] __device__ Moments moments_of(Load const& load, typename Load::Row const& row, int depth, int channels,
                                            float epsilon) {
    int const lane = static_cast<int>(threadIdx.x) % 32;
    float sum = 0;
    for (int k = lane * 4; k < depth; k += 128) {
        float4 const v = load(row, k);
        sum += (v.x + v.y) + (v.z + v.w);
    }
    float const mean = warp_sum(sum) / static_cast<float>(channels);
    float squares = 0;
    for (int k = lane * 4; k < depth; k += 128) {
        int const width = load.width(k);
        float4 const d = each(load(row, k), [&](float x, int i) { return i < width ? x - mean : 0.0F; });
        squares += (d.x * d.x + d.y * d.y) + (d.z * d.z + d.w * d.w);
    }
    float const variance = warp_sum(squares) / static_cast<float>(channels);
    return {mean, 1.0F / sqrtf(variance + epsilon)};
}

template <class Load>
__global__ void __launch_bounds__(kRowsPerBlock * 32)
    moments_kernel(std::int64_t rows, int depth, int channels, Load load, float epsilon, Moments* to) {
    std::int64_t const m = static_cast<std::int64_t>(blockIdx.x) * kRowsPerBlock + threadIdx.x / 32;
    if (m >= rows) return;  // a whole warp
    Moments const moments = moments_of(load, load.row(m), depth, channels, epsilon);
    if (threadIdx.x % 32 == 0) to[m] = moments;
}

template <class Load>
void compute_moments(void* stream, std::int64_t rows, int depth, int channels, Load const& load, float epsilon,
                     Moments* to) {
    start(stream, moments_kernel<Load>, divide_up(rows, kRowsPerBlock), kRowsPerBlock * 32, rows, depth, channels, load,
          epsilon, to);
}

/// Rows without a norm, for their moments.
struct RawRows {
    Matrix x;
    int channels;

    struct Row {
        float const* data;
    };
    [[nodiscard]] __device__ Row row(std::int64_t m) const { return {x.at(m)}; }
    [[nodiscard]] __device__ float4 operator()(Row const& row, int k) const {
        return load4(row.data + k, channels - k, x.vector);
    }
    [[nodiscard]] __device__ int width(int k) const { return channels - k; }
};

/// The norm of an operator that has one: computes the moments of `rows` rows into `moments`.
[[nodiscard]] inline Norm prepare_norm(void* stream, Matrix const& x, std::int64_t rows, int channels,
                                       TensorView const& weight, TensorView const& bias, float epsilon,
                                       Moments* moments) {
    if (weight.data == nullptr) return {};
    compute_moments(stream, rows, channels, channels, RawRows{x, channels}, epsilon, moments);
    return {moments, floats(weight), floats(bias)};
}

}  // namespace vitrum::cuda
