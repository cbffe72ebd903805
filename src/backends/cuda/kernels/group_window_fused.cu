// SPDX-License-Identifier: Apache-2.0
#include "group_window_fused.cuh"

#include "../fused_kernels.h"
#include "pixel_product.cuh"

namespace vitrum::cuda {
namespace {

using Op = GroupWindowAttention;

template <class Region>
void launch_regions(void* stream, RegionData const& data) {
    start_shared(stream, region_kernel<Region>, data.regions * 3, Region::kThreads, sizeof(typename Region::Shared),
                 data);
}

template <class Operand>
void project_out(void* stream, PixelProduct const& product) {
    if (product.x.c <= 64) launch_pixel_product<Operand, 64>(stream, product);
    else launch_pixel_product<Operand, 192>(stream, product);
}

}  // namespace

template <int kQueryParts, int kValueParts>
void RegionAttentionKernel<kQueryParts, kValueParts>::launch(Op const& op, Launch const& launch) {
    auto const in = launch.inputs;
    Pixels const x(in[Op::kX]), y(launch.outputs[0]), residual(in[Op::kResidual]), query(in[Op::kQuery]);
    GroupWeights const weights(in[Op::kInWeight].shape[0], x.c);
    RegionData data{.x = x,
                    .attended = y,  // until the projection takes it
                    .query = query,
                    .weights = reinterpret_cast<uint4 const*>(launch.packed[0]),
                    .bias = floats(in[Op::kInBias]),
                    .scale_word = weights.scale_word(),
                    .dim = x.c / Op::kGroups,
                    .steps = static_cast<int>(weights.steps),
                    .window_bits = {},
                    .order = {0, 1, 2},
                    .is_shifted = op.shifted,
                    .regions = x.count() / (kRegion * kRegion),
                    .down = x.h / kRegion,
                    .across = x.w / kRegion};
    for (std::size_t i = 0; i < op.windows.size(); ++i) data.window_bits[i] = op.windows[i] / 8 + 2;  // of 4, 8, 16
    std::ranges::sort(data.order, [&](int a, int b) { return data.window_bits[a] > data.window_bits[b]; });
    if (weights.group_steps() == 2) {
        if constexpr (kQueryParts == kValueParts) {
            launch_regions<Region<2, 3, kQueryParts, kValueParts>>(launch.stream, data);
        }
    } else launch_regions<Region<4, 8, kQueryParts, kValueParts>>(launch.stream, data);
    PixelProduct const product{.x = y,
                               .y = y,
                               .residual = residual,
                               .weights = reinterpret_cast<std::uint32_t const*>(launch.packed[1]),
                               .bias = floats(in[Op::kOutBias])};
    project_out<std::conditional_t<kValueParts == 2, Split, Tf32>>(launch.stream, product);
}

template void RegionAttentionKernel<1, 1>::launch(Op const& op, Launch const& launch);
template void RegionAttentionKernel<2, 1>::launch(Op const& op, Launch const& launch);
template void RegionAttentionKernel<2, 2>::launch(Op const& op, Launch const& launch);

void PixelConvKernel::launch(Conv2d const&, Launch const& launch) {
    auto const in = launch.inputs;
    PixelProduct const product{.x = Pixels(in[Conv2d::kX]),
                               .y = Pixels(launch.outputs[0]),
                               .residual = Pixels(in[Conv2d::kResidual]),
                               .weights = reinterpret_cast<std::uint32_t const*>(launch.packed[0]),
                               .bias = floats(in[Conv2d::kBias])};
    launch_pixel_product<Split, 64>(launch.stream, product);
}

}  // namespace vitrum::cuda
