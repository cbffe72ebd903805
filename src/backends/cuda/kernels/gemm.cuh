// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tensor_gemm.cuh"

// y = epilogue(A · B). B is a packed weight; A's rows come from a loader, so that a gather, a normalisation or a
// convolution's neighbourhood costs no memory of its own; results go through a store, which knows what follows the
// product. tensor_gemm.cuh has the kernel.
//
// A loader has
//     Row row(int64 m)                      what depends on the row of A alone
//     Quad quad(int k)                      what depends on the depth alone
//     Raw fetch(Row, Quad)                  what memory holds for A[m][k … k + 3]; nothing is done with it, so that a
//                                           thread goes on while it is on its way
//     float4 finish(Row, Quad, Raw)         those numbers, zeros beyond the depth
// A store has
//     Row row(int64 m),  Column column(int first)
//     Raw fetch(Row, Column)                what it needs of memory, likewise
//     void store(Row, Column, Raw, float4)  four columns

namespace vitrum::cuda {

/// How a weight [columns, taps · channels] lies for operands of that precision, and how a kernel writes one.
template <Precision operands>
struct WeightLayout {
    OperandExtent extent;

    WeightLayout(std::int64_t columns, std::int64_t channels, std::int64_t taps = 1)
        : extent(operand_extent(operands, columns, taps * padded_channels(channels))) {}
    __device__ void put(std::byte* weight, std::int64_t column, std::int64_t k, float value) const {
        store_operand<typename OperandOf<operands>::Type>(weight, extent, column, k, value);
    }
};

/// A packed weight on the device.
template <Precision operands>
struct Weight : WeightLayout<operands> {
    std::byte const* data;
    int columns;

    Weight(std::byte const* data_, std::int64_t columns_, std::int64_t channels, std::int64_t taps = 1)
        : WeightLayout<operands>(columns_, channels, taps), data(data_), columns(static_cast<int>(columns_)) {}
};

template <Precision operands, class Load, class Store>
void multiply(void* stream, std::int64_t rows, Load const& load, Weight<operands> const& b, Store const& store) {
    using Operand = typename OperandOf<operands>::Type;
    TensorExtent const extent{rows, b.columns, b.extent};
    if (tensor_columns(b.columns) == 192) {
        start_tensor_kernel<Operand, operands == Precision::fp32 ? 96 : 192>(stream, extent, load, b.data, store);
    } else {
        start_tensor_kernel<Operand, 64>(stream, extent, load, b.data, store);
    }
}

}  // namespace vitrum::cuda
