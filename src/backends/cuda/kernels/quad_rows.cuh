// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gelu_for_operands.cuh"
#include "layer_norm.cuh"
#include "scaled_gemm.cuh"

// Loaders and stores of scaled_gemm.cuh whose rows are whole quads, 16 bytes aligned: a quad is there or it is not.

namespace vitrum::cuda {

/// Rows of pixels. Pixel −1 is zero.
template <class Map>
struct QuadLoad {
    Matrix x;
    int channels;
    Map map;

    struct Row {
        float const* data;
    };
    [[nodiscard]] __device__ Row row(std::int64_t m) const {
        std::int64_t const pixel = map(m);
        return {pixel < 0 ? nullptr : x.at(pixel)};
    }
    struct Quad {
        int first;
        bool exists;
    };
    [[nodiscard]] __device__ Quad quad(int k) const { return {k, k < channels}; }
    using Raw = float4;
    [[nodiscard]] __device__ Raw fetch(Row const& row, Quad const& quad) const {
        float4 v = make_float4(0, 0, 0, 0);
        if (quad.exists && row.data != nullptr) v = *reinterpret_cast<float4 const*>(row.data + quad.first);
        return v;
    }
    [[nodiscard]] __device__ float4 finish(Row const&, Quad const&, Raw const& raw) const { return raw; }
};

/// Stores rows of pixels; pixel −1 is dropped. The residual may be the output itself. GELU is one for operands.
template <class Map>
struct QuadStore {
    Matrix y, residual;
    int columns;
    Finish finish;
    float slope;  ///< of what is negative
    Map map;

    explicit QuadStore(RowStore<Map> const& store)
        : y(store.y),
          residual(store.residual),
          columns(store.columns),
          finish(store.finish),
          slope(finish.activation == Activation::leaky_relu ? finish.negative_slope : 1.0F),
          map(store.map) {}

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
        float4 v = make_float4(0, 0, 0, 0);
        if (row.residual != nullptr && at.first < columns) {
            v = *reinterpret_cast<float4 const*>(row.residual + at.first);
        }
        return v;
    }
    __device__ void store(Row const& row, Column const& at, Raw const& added, float4 sums) const {
        if (row.y == nullptr) return;
        float4 v = sums + at.bias;
        if (finish.residual_first) v = v + added;
        if (finish.activation == Activation::gelu) v = each(v, [](float x, int) { return gelu_for_operands(x); });
        else v = each(v, [&](float x, int) { return x < 0 ? x * slope : x; });
        if (!finish.residual_first) v = v + added;
        *reinterpret_cast<float4*>(row.y + at.first) = v;
    }
};

/// y = epilogue(A · B) for loaders, without a norm, and stores of rows.
template <class MapIn, class MapOut>
void multiply(void* stream, std::int64_t rows, RowLoad<MapIn> const& load, ScaledWeight const& weight,
              RowStore<MapOut> const& store) {
    VITRUM_ASSERT(load.x.vector && store.y.vector && (store.residual.data == nullptr || store.residual.vector));
    VITRUM_ASSERT(load.norm.moments == nullptr && load.channels % 4 == 0 && store.columns % 4 == 0);
    multiply(stream, rows, QuadLoad<MapIn>{load.x, load.channels, load.map}, weight, QuadStore<MapOut>(store));
}

}  // namespace vitrum::cuda
