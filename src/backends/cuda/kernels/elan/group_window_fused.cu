// SPDX-License-Identifier: Apache-2.0
#include "group_window_fused.cuh"

#include "../../fused_kernels.h"
#include "brain_pixels.cuh"
#include "group_output.cuh"
#include "pixel_product.cuh"
#include "region_rows.cuh"
#include "region_wide.cuh"

namespace vitrum::cuda {
namespace {

using Op = GroupWindowAttention;

/// Behind attention, whose results y holds.
PixelProduct projection_of(Launch const& launch) {
    auto const in = launch.inputs;
    Pixels const y(launch.outputs[0]);
    return {.x = y,
            .y = y,
            .residual = Pixels(in[Op::kResidual]),
            .weights = reinterpret_cast<uint4 const*>(launch.packed[1]),
            .inverse_scale = floats(launch.packed[1]) + PixelWeights{pixel_steps(y.c)}.scale_word(),
            .bias = floats(in[Op::kOutBias])};
}

template <class Region>
void launch_regions(void* stream, RegionData const& data) {
    start_shared(stream, region_kernel<Region>, data.regions * 3, Region::kThreads, sizeof(typename Region::Shared),
                 data);
}

}  // namespace

void RegionAttentionKernel::launch(Op const& op, Launch const& launch) {
    RegionData data = regions_of(op, launch);
    GroupWeights const weights(launch.inputs[Op::kInWeight].shape[0], data.x.c);
    data.scale_word = weights.scale_word();
    data.steps = static_cast<int>(weights.steps);
    if (weights.group_steps() == 4) launch_regions<Region<4, 8>>(launch.stream, data);
    else launch_regions<Region<2, 3>>(launch.stream, data);
    PixelProduct const product = projection_of(launch);
    if (pixel_steps(data.x.c) == 12) launch_pixel_product<PixelTile<12>>(launch.stream, product);
    else launch_pixel_product<PixelTile<4>>(launch.stream, product);
}

void WideRegionKernel::launch(Op const& op, Launch const& launch) {
    auto const in = launch.inputs;
    RegionData data = regions_of(op, launch);
    WideGroupWeights const weights(data.x.c);
    data.steps = weights.steps;
    data.scale_word = weights.scale_word();
    start_shared(launch.stream, wide_region_kernel, data.regions * 3, WideRows::kThreads, sizeof(WideRows::Shared),
                 data);
    GroupOutput const output{
        .y = Pixels(launch.outputs[0]),
        .residual = Pixels(in[Op::kResidual]),
        .weights = reinterpret_cast<uint4 const*>(launch.packed[1]),
        .inverse_scale = floats(launch.packed[1]) + GroupOutputWeights{data.dim}.scale_word(),
        .bias = floats(in[Op::kOutBias]),
    };
    start(launch.stream, group_output_kernel, divide_up(data.x.count(), kOutputWarps * kOutputPixels), kOutputThreads,
          output);
}

template <int kWeightParts>
void RegionRowsKernel<kWeightParts>::launch(Op const& op, Launch const& launch) {
    using Rows = RegionRows<kWeightParts>;
    auto const in = launch.inputs;
    RegionData const data = regions_of(op, launch);
    Pixels const y(launch.outputs[0]);  // holds the values, then what was attended
    launch_brain_pixels(launch.stream,
                        {data.x, y, {}, reinterpret_cast<uint4 const*>(launch.packed[0]), floats(in[Op::kInBias])});
    start_shared(launch.stream, region_rows_kernel<Rows>, data.regions * 3, Rows::kThreads,
                 sizeof(typename Rows::Shared), data);
    launch_brain_pixels(launch.stream, {y, y, Pixels(in[Op::kResidual]),
                                        reinterpret_cast<uint4 const*>(launch.packed[1]), floats(in[Op::kOutBias])});
}

template void RegionRowsKernel<1>::launch(Op const& op, Launch const& launch);
template void RegionRowsKernel<2>::launch(Op const& op, Launch const& launch);

void BrainPixelConvKernel::launch(Conv2d const&, Launch const& launch) {
    auto const in = launch.inputs;
    launch_brain_pixels(launch.stream,
                        {Pixels(in[Conv2d::kX]), Pixels(launch.outputs[0]), Pixels(in[Conv2d::kResidual]),
                         reinterpret_cast<uint4 const*>(launch.packed[0]), floats(in[Conv2d::kBias])});
}

void PixelConvKernel::launch(Conv2d const&, Launch const& launch) {
    auto const in = launch.inputs;
    Pixels const x(in[Conv2d::kX]), y(launch.outputs[0]);
    int const own_steps = steps(x.c, y.c);
    PixelProduct const product{.x = x,
                               .y = y,
                               .residual = Pixels(in[Conv2d::kResidual]),
                               .weights = reinterpret_cast<uint4 const*>(launch.packed[0]),
                               .inverse_scale = floats(launch.packed[0]) + PixelWeights{own_steps}.scale_word(),
                               .bias = floats(in[Conv2d::kBias])};
    if (own_steps == 2) launch_pixel_product<PixelTile<2>>(launch.stream, product);
    else launch_pixel_product<PixelTile<4>>(launch.stream, product);
}

}  // namespace vitrum::cuda
