// SPDX-License-Identifier: Apache-2.0
// Patch merging as a product of rows, each made of 2 × 2 pixels.
#include "../row_kernels.h"
#include "row_product.cuh"

namespace vitrum::cuda {
namespace {

using Op = PatchMerging;

/// A result's row is the channels of four pixels one after the other, those beyond the picture zeros.
struct MergedPixels {
    std::int64_t first;          ///< of the results
    std::int64_t h, w;           ///< of the picture
    std::int64_t rows, columns;  ///< of the results
    int channels;                ///< of a pixel

    /// The upper left pixel.
    [[nodiscard]] __device__ std::int64_t operator()(std::int64_t row) const {
        Place const at(first + row, rows, columns);
        return (at.n * h + 2 * at.row) * w + 2 * at.column;
    }
    [[nodiscard]] __device__ float const* octet(Matrix const& x, std::int64_t pixel, int k) const {
        Quotient const line = divide(pixel, w);
        int const part = k / channels, down = part % 2, across = part / 2;
        bool const inside = divide(line.whole, h).rest + down < h && line.rest + across < w;
        return inside ? x.at(pixel + down * w + across) + k % channels : nullptr;
    }
};

}  // namespace

std::size_t HopperPatchMergingKernel::workspace_bytes(Op const&, Problem const& problem, int) {
    Shape const& y = problem.outputs[0];
    return hopper::RowParts(y[0] * y[1] * y[2], 4 * problem.inputs[Op::kX][3], 0, nullptr).bytes;
}

void HopperPatchMergingKernel::launch(Op const& op, Launch const& launch) {
    Pixels const x(launch.inputs[Op::kX]), y(launch.outputs[0]);
    int const channels = 4 * x.c;
    hopper::RowParts const parts(y.count(), channels, 0, launch.workspace);
    VITRUM_ASSERT(x.vector && y.vector);
    for (std::int64_t first = 0; first < y.count(); first += parts.at_once) {
        std::int64_t const rows = std::min(parts.at_once, y.count() - first);
        hopper::prepare(launch.stream, hopper::Preparation<MergedPixels>{.x = x,
                                                                         .rows = rows,
                                                                         .channels = channels,
                                                                         .map = {first, x.h, x.w, y.h, y.w, x.c},
                                                                         .norm_weight = floats(launch.packed[1]),
                                                                         .norm_bias = floats(launch.packed[2]),
                                                                         .epsilon = op.norm_epsilon,
                                                                         .hidden = {},
                                                                         .to = parts.x,
                                                                         .scales = parts.scales});
        hopper::multiply(
            launch.stream, rows, y.c, parts.x, parts.scales, launch.packed[0],
            hopper::PixelOutlet<InOrder>{.y = y.from(first),
                                         .residual = {},
                                         .rows = rows,
                                         .columns = y.c,
                                         .bias = nullptr,
                                         .slope = 1.0F,
                                         .residual_first = false,
                                         .map = {},
                                         .of_hidden = false,
                                         .weight = hopper::product_weight_info(launch.packed[0], y.c, channels)});
    }
}

}  // namespace vitrum::cuda
