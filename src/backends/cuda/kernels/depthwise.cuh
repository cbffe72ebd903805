// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "device.cuh"

namespace vitrum::cuda {

/// A depthwise convolution with zero padding over a band of rows: x holds rows x_first_row … of each picture, y those
/// from first_row on. Then, where there are: y = activation(…), y = gated · (1 + sigmoid(…)), y + residual.
struct DepthwiseQuad {
    Matrix x, y;
    float const* weight;  ///< [kernel²][padded channels], as packed
    float const* bias;    ///< null: none
    int channels, kernel;
    std::int64_t h, w;
    std::int64_t first_row, rows;
    std::int64_t x_first_row, x_rows;
    Activation activation = Activation::none;
    Matrix gated = {}, residual = {};  ///< rows as y's

    /// Quad i of the band, channels innermost.
    __device__ void operator()(std::int64_t i) const {
        int const quads = (channels + 3) / 4;
        Quotient const at = divide(i, quads);
        int const c = static_cast<int>(at.rest) * 4, left = channels - c;
        Place const place(at.whole, rows, w);
        float4 sum = bias == nullptr ? make_float4(0, 0, 0, 0) : load4(bias + c, left, false);
        for (int tap = 0; tap < kernel * kernel; ++tap) {
            std::int64_t const row = first_row + place.row + tap / kernel - kernel / 2;
            std::int64_t const column = place.column + tap % kernel - kernel / 2;
            if (row < 0 || row >= h || column < 0 || column >= w) continue;
            float4 const v = load4(x.at((place.n * x_rows + row - x_first_row) * w + column) + c, left, x.vector);
            float4 const f = *reinterpret_cast<float4 const*>(weight + (tap * quads * 4 + c));
            sum =
                make_float4(fmaf(v.x, f.x, sum.x), fmaf(v.y, f.y, sum.y), fmaf(v.z, f.z, sum.z), fmaf(v.w, f.w, sum.w));
        }
        sum = each(sum, [&](float value, int) { return activate(activation, 0, value); });
        if (gated.data != nullptr) {
            float4 const gate = each(sum, [](float value, int) { return 1.0F + 1.0F / (1.0F + expf(-value)); });
            float4 const g = load4(gated.at(at.whole) + c, left, gated.vector);
            sum = make_float4(g.x * gate.x, g.y * gate.y, g.z * gate.z, g.w * gate.w);
        }
        if (residual.data != nullptr) sum = sum + load4(residual.at(at.whole) + c, left, residual.vector);
        store4(y.at(at.whole) + c, sum, left, y.vector);
    }
    [[nodiscard]] std::int64_t items(std::int64_t pictures) const { return pictures * rows * w * ((channels + 3) / 4); }
};

}  // namespace vitrum::cuda
